from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from tidegate.controller.start_metrics import StartCollector

ONE: dict[str, Any] = {
    "metadata": {"namespace": "team", "name": "qwen"},
    "status": {"coldStarts": {"count": 1, "parts": {"api": "0.05", "firstByte": "0.20"}}},
}
OTHERS: list[dict[str, Any]] = [
    {"metadata": {"namespace": "team", "name": "new"}},
    {"metadata": {"namespace": "team", "name": "open"}, "status": {"coldStarts": {"count": 1}}},
]


def test_each_part_of_the_last_start_is_a_series_and_a_service_without_one_has_none() -> None:
    registry = CollectorRegistry()
    registry.register(StartCollector(lambda: [ONE, *OTHERS]))
    text = generate_latest(registry).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines == [
        'tidegate_last_cold_start_seconds{namespace="team",part="api",service="qwen"} 0.05',
        'tidegate_last_cold_start_seconds{namespace="team",part="first_byte",service="qwen"} 0.2',
    ]
