"""The text of the metrics against prometheus-client's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tidegate.domain.outcome import Outcome
from tidegate.domain.service import ServiceKey
from tidegate.gateway.families import DELAY, FAMILIES, REQUESTS, SECONDS
from tidegate.gateway.metrics import WARM, Distribution, Meters, label_text


@given(st.lists(st.floats(0, 1000) | st.sampled_from(SECONDS), max_size=50))
def test_a_distribution_says_what_prometheus_clients_histogram_says(values: list[float]) -> None:
    registry = CollectorRegistry()
    theirs = Histogram("x_seconds", "help", ["a"], buckets=SECONDS, registry=registry).labels(a="b")
    ours = Distribution(SECONDS)
    for value in values:
        theirs.observe(value)
        ours.observe(value)
    text = "# TYPE x_seconds histogram\n" + ours.text("x_seconds", 'a="b"')
    assert _samples(text) == _samples(generate_latest(registry).decode())


def _samples(text: str) -> dict[tuple[str, str], float]:
    return {
        (sample.name, str(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


# Without the characters at which prometheus-client's parser ends a line and Prometheus does not.
_PRINTABLE = st.characters(exclude_categories=("Cc", "Zl", "Zp", "Cs"))


@given(st.text(_PRINTABLE | st.sampled_from('\\"\n')))
def test_a_label_says_its_value_whatever_is_in_it(value: str) -> None:
    text = f"# TYPE x gauge\nx{{{label_text(a=value)}}} 1\n"
    assert _samples(text) == {("x", str([("a", value)])): 1.0}


def test_a_service_without_requests_has_no_series_but_what_it_is_asked_for() -> None:
    meters = Meters(ServiceKey("a", "b"))
    assert "".join(meters.text(family) for family in FAMILIES) == ""
    meters.request(Outcome.COMPLETED, 200)
    meters.timings(WARM, 0.0, 0.1, 0.3)
    assert (
        meters.text(REQUESTS)
        == 'gateway_requests_total{namespace="a",service="b",outcome="completed",code="200"} 1\n'
    )
    assert 'start="warm",le="0.1"} 1\n' in meters.text(DELAY)
    assert "cold" not in meters.text(DELAY)


def test_the_edges_of_every_histogram_have_those_that_the_objectives_are_written_with() -> None:
    assert {2.0, 3.0, 5.0, 8.0, 10.0, 30.0} <= set(SECONDS)
