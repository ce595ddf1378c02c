"""What a cold start's time was spent on: told once, by everybody in the same figures."""

from __future__ import annotations

import httpx
import pytest

from tests.e2e.conftest import Gateway
from tests.e2e.kubectl import eventually
from tests.e2e.services import Services
from tests.e2e.test_wake_and_sleep import chat, metric

PARTS = {"api", "scheduling", "image", "container", "engine", "load", "firstByte"}


def test_status_event_and_metrics_have_all_parts_of_a_cold_start_and_they_add_up(
    services: Services, gateway: Gateway
) -> None:
    services.create("parts", idle=300, ENGINE_START_DELAY_SECONDS="2")
    assert chat(gateway, services.namespace, "parts").status_code == 200
    told = services.cold_start("parts")
    seconds = {part: float(text) for part, text in told["parts"].items()}
    assert set(seconds) == PARTS
    assert min(seconds.values()) >= 0
    assert sum(seconds.values()) == pytest.approx(float(told["lastSeconds"]))
    assert seconds["image"] == 0, "it was on the node"
    assert seconds["load"] >= 2, "the engine's own delay"
    assert told["lastWorker"] == services.pods("parts")[0]["metadata"]["name"]
    eventually(lambda: len(services.notes("parts", "ColdStart")) == 1, "one Event tells it", seconds=120)
    (note,) = services.notes("parts", "ColdStart")
    print(note)
    whole = metric(gateway, "gateway_cold_start_whole_seconds_sum", "parts")
    assert whole == pytest.approx(sum(seconds.values()), abs=0.02), "both sides tell the same"
    assert whole == pytest.approx(metric(gateway, "gateway_cold_start_seconds_sum", "parts"))
    status = httpx.get(f"{gateway.admin}/status", timeout=60).json()["services"]
    (latest,) = [each["lastColdStart"] for each in status if each["service"].endswith("/parts")]
    assert latest["seconds"] == pytest.approx(whole, abs=0.01)
    assert services.cold_start("parts") == told, "it was written once"
