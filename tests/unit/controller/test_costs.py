from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from tests.unit.resources.services import service
from tidegate.control.cost import cost_status
from tidegate.controller.costs import CostCollector
from tidegate.controller.world import World
from tidegate.kube.cache import Kind
from tidegate.kube.client import KubeClient
from tidegate.kube.territory import WholeCluster
from tidegate.resources.names import INSTALLATION_LABEL

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("price", "workers", "cost"),
    [
        ("0.40", 3, "1.20"),
        ("0.40", 0, "0.00"),
        ("2", 2, "4"),
        ("0.1", 3, "0.3"),
        ("0.000001", 1, "0.000001"),
        ("999999999.999999", 1000, "999999999999.999000"),
        ("0", 5, "0"),
    ],
)
def test_the_cost_is_exact_and_written_plainly(price: str, workers: int, cost: str) -> None:
    spec = service(pricing={"perReplicaHour": price, "currency": "USD"}).spec
    assert cost_status(spec.pricing, workers) == {"perHour": cost, "currency": "USD"}


@given(st.from_regex(r"^(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?$", fullmatch=True), st.integers(0, 1000))
def test_every_cost_fits_its_field_and_is_a_decimal_number(price: str, workers: int) -> None:
    spec = service(pricing={"perReplicaHour": price, "currency": "VND"}).spec
    cost = cost_status(spec.pricing, workers)
    assert cost is not None
    assert len(cost["perHour"]) <= 24
    assert set(cost["perHour"]) <= set("0123456789.")


def test_without_a_price_nothing_is_told() -> None:
    assert cost_status(service().spec.pricing, 3) is None


@pytest.mark.parametrize(
    "price", ["", "-1", "1e3", "0,40", "01", ".5", "1.", "1.0000001", "NaN", "9999999999", "\u0661"]
)
def test_what_is_no_price_is_refused_with_its_field(price: str) -> None:
    with pytest.raises(ValueError, match=r"spec\.pricing\.perReplicaHour"):
        service(pricing={"perReplicaHour": price, "currency": "USD"})


@pytest.mark.parametrize("currency", ["usd", "US", "USDT", "$", ""])
def test_a_currency_has_three_letters(currency: str) -> None:
    with pytest.raises(ValueError, match=r"spec\.pricing\.currency"):
        service(pricing={"perReplicaHour": "1", "currency": currency})


def known(name: str, cost: Json | None) -> Json:
    return {"metadata": {"namespace": "team", "name": name}, "status": {"cost": cost} if cost else {}}


def test_the_metric_has_a_series_for_each_price_and_none_for_what_is_gone() -> None:
    services = [known("a", {"perHour": "1.20", "currency": "USD"}), known("b", None), {"metadata": {}}]
    registry = CollectorRegistry()
    registry.register(CostCollector(lambda: services))
    line = 'tidegate_cost_per_hour{currency="USD",namespace="team",service="a"} 1.2'
    assert samples(registry) == [line]
    services[0]["status"]["cost"] = {"perHour": "3", "currency": "EUR"}
    assert samples(registry) == [line.replace("USD", "EUR").replace("1.2", "3.0")]
    services.pop(0)
    assert samples(registry) == []


def samples(registry: CollectorRegistry) -> list[str]:
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if line.startswith("tidegate_cost_per_hour{")]


def test_services_of_a_namespace_that_was_handed_to_another_installation_are_not_counted_here() -> None:
    whole = WholeCluster(cast(KubeClient, None), "tidegate-system")
    whole.listed([{"metadata": {"name": "team-a", "labels": {INSTALLATION_LABEL: "team-a"}}}])
    world = World(128, territory=whole)
    for namespace in ("team-a", "team-b"):
        metadata = {"namespace": namespace, "name": "qwen", "uid": namespace, "resourceVersion": "1"}
        world.cache.put(Kind.INFERENCE_SERVICE, {"metadata": metadata})
    assert [each["metadata"]["namespace"] for each in world.services()] == ["team-b"]
