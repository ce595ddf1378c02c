"""What spec.scaling refuses where there is no API server, and what only the operator can tell is wrong."""

import re
from typing import Any

import pytest

from tests.unit.resources.services import service
from tidegate.api.scaling import schedule_faults, windows_of

Json = dict[str, Any]

OFFICE = {"cron": "0 9 * * MON-FRI", "forSeconds": 28800, "minReplicas": 1}


@pytest.mark.parametrize(
    ("scaling", "sentence"),
    [
        ({"metric": {}}, "spec.scaling.metric.type: Field required"),
        ({"metric": {"type": "Latency"}}, "spec.scaling.metric.type"),
        ({"metric": {"type": "QueueDelay"}}, "queueDelay must be set for type QueueDelay"),
        ({"metric": {"type": "RequestCount"}}, "requestCount must be set for type RequestCount"),
        (
            {"metric": {"type": "Concurrency", "queueDelay": {"targetMilliseconds": 1}}},
            "queueDelay must be set for type QueueDelay, and for no other",
        ),
        (
            {"metric": {"type": "Concurrency", "requestCount": {"perReplica": 1}}},
            "requestCount must be set for type RequestCount, and for no other",
        ),
        (
            {
                "metric": {
                    "type": "RequestCount",
                    "requestCount": {"perReplica": 1},
                    "concurrency": {"targetPerReplica": 1},
                }
            },
            "concurrency belongs to type Concurrency",
        ),
        (
            {"metric": {"type": "Concurrency", "concurrency": {"targetPerReplica": 33}}},
            "targetPerReplica must not be more than engine.maxConcurrency",
        ),
        ({"scaleDownDelaySeconds": -1}, "spec.scaling.scaleDownDelaySeconds"),
        ({"schedules": [OFFICE] * 17}, "spec.scaling.schedules"),
        (
            {"schedules": [OFFICE | {"cron": "0 9 * * MON-FRI *"}]},
            "schedules[0].cron: must be five",
        ),
        ({"schedules": [OFFICE | {"cron": "0 25 * * *"}]}, "schedules[0].cron: must be five"),
        ({"schedules": [OFFICE, OFFICE | {"timeZone": "a b"}]}, "spec.scaling.schedules[1].timeZone"),
        ({"schedules": [OFFICE | {"forSeconds": 59}]}, "spec.scaling.schedules[0].forSeconds"),
        ({"schedules": [OFFICE | {"minReplicas": 0}]}, "spec.scaling.schedules[0].minReplicas"),
        (
            {"schedules": [OFFICE | {"minReplicas": 2}]},
            "no schedule's minReplicas may be more",
        ),
    ],
)
def test_what_is_wrong_is_named(scaling: Json, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        service(scaling=scaling)


@pytest.mark.parametrize(
    "scaling",
    [
        {"metric": {"type": "Concurrency"}},
        {"metric": {"type": "Concurrency", "concurrency": {"targetPerReplica": 32}}},
        {"metric": {"type": "RequestCount", "requestCount": {"perReplica": 1000}}},
        {"metric": {"type": "QueueDelay", "queueDelay": {"targetMilliseconds": 500}}},
        {"schedules": [OFFICE, OFFICE | {"timeZone": "Asia/Ho_Chi_Minh"}], "scaleDownDelaySeconds": 0},
    ],
)
def test_what_is_right_is_taken(scaling: Json) -> None:
    assert service(scaling=scaling).spec.scaling.metric is not None or scaling["schedules"]


def test_what_no_schema_can_tell_is_told_with_every_field() -> None:
    wrong = [
        OFFICE | {"timeZone": "Mars/Base"},
        OFFICE,
        OFFICE | {"cron": "0 0 31 2 *", "timeZone": "Europe"},
        OFFICE | {"cron": "0 17-9 * * *"},
    ]
    schedules = service(scaling={"schedules": wrong}).spec.scaling.schedules
    faults = schedule_faults(schedules)
    assert [fault.split(": ")[0] for fault in faults] == [
        "spec.scaling.schedules[0].timeZone",
        "spec.scaling.schedules[2].cron",
        "spec.scaling.schedules[2].timeZone",
        "spec.scaling.schedules[3].cron",
    ]
    with pytest.raises(ValueError, match=re.escape("; ".join(faults))):
        windows_of(schedules)


def test_schedules_that_can_be_read_have_no_faults() -> None:
    schedules = service(scaling={"schedules": [OFFICE]}).spec.scaling.schedules
    assert schedule_faults(schedules) == ()
    (window,) = windows_of(schedules)
    assert (str(window.zone), window.seconds, window.replicas) == ("UTC", 28800, 1)
