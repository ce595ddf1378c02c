"""``tidegate simulate``: a user's own service on a trace."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tidegate.cli import main

SERVICE = """
apiVersion: tidegate.io/v1alpha1
kind: InferenceService
metadata: {name: qwen, namespace: team-a}
spec:
  model: {uri: "file:///m"}
  engine: {maxConcurrency: 4}
  resources: {cpu: 1, memory: 256Mi}
  scaling: {maxReplicas: 3SCALING}
  pricing: {perReplicaHour: "3.60", currency: EUR}
"""
FEW = ("--shape", "steady", "--rate", "0.5", "--hours", "0.2", "--request-seconds", "4")


@pytest.fixture
def service(tmp_path: Path) -> Path:
    return written(tmp_path)


def written(folder: Path, scaling: str = "") -> Path:
    file = folder / "service.yaml"
    file.write_text(SERVICE.replace("SCALING", scaling))
    return file


def report(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert main(["simulate", *map(str, arguments), "-o", "json"]) == 0
    read: dict[str, Any] = json.loads(capsys.readouterr().out)
    return read


def complaint(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["simulate", *map(str, arguments)]) == 1
    return capsys.readouterr().err


def test_the_table_has_the_service_its_other_settings_and_the_other_policies(
    service: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", str(service), *FEW, "--try", "scaling.minReplicas=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "cost EUR" in lines[1]
    first = [line.split("  ")[0] for line in lines[2:]]
    assert first[:3] == ["tidegate", "scaling.minReplicas=1", "HPA"]
    assert first[-1] == "lower bound"


def test_another_setting_has_its_own_figures(service: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tries = ("--try", "scaling.minReplicas=1", "--try", "spec.scaling.maxReplicas=1")
    own, warm, single = report(capsys, service, *FEW, *tries)["policies"][:3]
    assert (own["cold_starts"], warm["cold_starts"]) == (1, 0)
    assert warm["attainment"] > own["attainment"]
    assert single["starts"] == 1
    assert own["cost"] == pytest.approx(own["replica_seconds"] / 1000)


def test_a_trace_of_its_own_may_be_compressed(
    service: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "arrival,seconds\n0,5\n400,5\n900,5\n"
    plain, packed = tmp_path / "trace.csv", tmp_path / "trace.csv.gz"
    plain.write_text(text)
    packed.write_bytes(gzip.compress(text.encode()))
    first, second = (report(capsys, service, "--trace", file) for file in (plain, packed))
    assert first == second
    assert (first["requests"], first["seconds"]) == (3, 900.0)
    assert first["policies"][0]["cold_starts"] == 3


def test_a_schedule_is_kept_at_its_time_of_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A request at half past each hour, the first at 8:30; from 9 to 10 on a Monday there are two workers."""
    hours = 'schedules: [{cron: "0 9 * * 1-5", timeZone: Asia/Bangkok, forSeconds: 3600, minReplicas: 2}]'
    service, trace = written(tmp_path, f", {hours}"), tmp_path / "trace.csv"
    rows = "".join(f"{hour * 3600},5\n" for hour in range(4))
    trace.write_text(f"arrival,seconds\n{rows}")

    def cold(day: str) -> list[int]:
        arguments = ("--trace", trace, "--begin", f"{day}T08:30+07:00")
        (own, *_) = report(capsys, service, *arguments)["policies"]
        return [own["cold_starts"], own["starts"]]

    assert cold("2026-01-05") == [3, 5]
    assert cold("2026-01-04") == [4, 4]


def test_the_same_seed_gives_the_same_table(service: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (report(capsys, service, *FEW, "--seed", 3) for _ in range(2))
    assert first == second != report(capsys, service, *FEW, "--seed", 4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--try", "scaling.minReplicas"), "is not FIELD=VALUE"),
        (("--try", "scaling.minReplicas=9"), "spec.scaling"),
        (
            ("--try", "scaling.idleTimeout=9"),
            "--try scaling.idleTimeout=9: spec.scaling.idleTimeout: no such field",
        ),
        (("--try", "scaling.idleTimeoutSeconds=["), "the value is not YAML"),
        (("--try", "model.uri.x=9"), "model.uri.x: uri has no fields"),
        (("--rate", "0"), "--rate, --hours and --request-seconds must be above 0"),
        (("--hours", "9000"), "--rate, --hours: at most a year (8784 hours)"),
        (("--trace", "absent.csv"), "absent.csv: No such file"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(
    service: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    text = complaint(capsys, service, *arguments)
    assert said in text
    assert text.startswith("tidegate: ")
    assert text.count("\n") == 1


def test_a_bad_line_of_a_trace_is_named_with_its_file(
    service: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("arrival,seconds\n1,2\n3,-4\n")
    assert f"{trace}: line 3: seconds: '-4'" in complaint(capsys, service, "--trace", trace)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "not YAML"),
        ("kind: Deployment", "kind: must be InferenceService"),
        ("a: 1\n---\nb: 2", "has 2 documents"),
        ("", "has 0 documents"),
        ("a: 1", "kind: must be InferenceService, not absent"),
        ("a: \udcff", "byte 4 is not UTF-8"),
    ],
)
def test_a_file_that_is_no_service_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    file = tmp_path / "service.yaml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert f"{file}: {said}" in complaint(capsys, file)


def test_a_number_that_others_set_cannot_be_simulated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for replicas in ("}\n  replicas: 1\n  placement: {", ""):  # a manifest need not have the number
        file = written(tmp_path, replicas)
        file.write_text(file.read_text().replace("maxReplicas: 3", "mode: External, maxReplicas: 3"))
        assert f"{file}: spec.scaling.mode: is External" in complaint(capsys, file)


def test_a_suspended_service_has_nothing_to_simulate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, "}\n  suspend: true\n  placement: {")
    assert f"{file}: spec.suspend: is true" in complaint(capsys, file)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"arrival,seconds\n0,5\n900000000,5\n", "spans 10,417 days, and a year can be simulated"),
        (b"arrival,seconds\n0,\xff\n", "byte 19 is not UTF-8"),
        (gzip.compress(b"arrival,seconds\n0,5\n")[:20], "ended before the end-of-stream"),
        (b"\x1f\x8b\x08\x00" + b"\xff" * 30, "invalid"),
    ],
)
def test_a_file_that_is_no_trace_is_refused(
    service: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], raw: bytes, said: str
) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_bytes(raw)
    text = complaint(capsys, service, "--trace", trace)
    assert text.startswith(f"tidegate: {trace}: ")
    assert said in text


def test_starts_that_take_no_time_can_be_simulated(service: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All ways to a number of workers cost the same then: plans are equal in cost and in work."""
    own, *_ = report(capsys, service, *FEW, "--start-seconds", "0")["policies"]
    assert own["attainment"] == 1.0


def test_without_a_price_no_cost_is_told(service: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = service.read_text()
    service.write_text(text[: text.index("  pricing:")])
    assert main(["simulate", str(service), *FEW]) == 0
    header, *lines = capsys.readouterr().out.splitlines()[1:]
    assert "cost" not in header
    assert all(len(line) == len(header) for line in lines)


def test_a_terminal_is_told_what_it_is_at_and_nothing_stays_of_it(
    service: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main(["simulate", str(service), *FEW, "--try", "scaling.minReplicas=1"]) == 0
    told = capsys.readouterr().err.split("\r\x1b[K")
    assert told[1] == "simulating: lower bound …"
    assert told[-2:] == ["simulating: scaling.minReplicas=1 …", ""]


def test_a_file_is_told_no_progress(service: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(service), *FEW]) == 0
    assert not capsys.readouterr().err
