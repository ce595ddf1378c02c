"""Pods that no API server would send, and those that it would."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.unit.domain.recorded_objects import recorded, recorded_names

JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        1e300,
        10**30,
        "",
        "x" * 5000,
        "ü\n\x00",
        [],
        [None, [1]],
        {},
        {"a": [{}]},
        "9999-12-31",
    ]
)
SAID = st.sampled_from(
    [
        each["message"]
        for name in recorded_names("Pod")
        for each in recorded(name)["status"].get("conditions", [])
        if each.get("message")
    ]
)
WORDS = st.sampled_from(
    ["True", "False", "Ready", "PodScheduled", "DisruptionTarget", "ContainersReady", "Error", "OOMKilled",
     "CrashLoopBackOff", "ErrImagePull", "Failed", "Running", "2026-01-01T00:00:00Z", "0001-01-01T00:00:00"]
)  # fmt: skip
LEAF = st.one_of(WORDS, SAID, JUNK)


def mapping_of(*names: str, leaf: st.SearchStrategy[Any] = LEAF) -> st.SearchStrategy[Any]:
    """An object with some of these fields, or something else."""
    return st.one_of(st.fixed_dictionaries({}, optional=dict.fromkeys(names, leaf)), JUNK)


def list_of(item: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A list of these, or something else."""
    return st.one_of(st.lists(item, max_size=3), JUNK)


ENDED = mapping_of("reason", "message", "exitCode", "signal", "startedAt", "finishedAt")
STATE = mapping_of("running", "waiting", "terminated", leaf=ENDED)
CONTAINER = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "name": LEAF,
            "ready": LEAF,
            "started": LEAF,
            "restartCount": LEAF,
            "state": STATE,
            "lastState": STATE,
        },
    ),
    JUNK,
)
CONDITIONS = list_of(mapping_of("type", "status", "reason", "message", "lastTransitionTime"))
STATUS = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "phase": LEAF,
            "reason": LEAF,
            "message": LEAF,
            "podIP": LEAF,
            "qosClass": LEAF,
            "conditions": CONDITIONS,
            "containerStatuses": list_of(CONTAINER),
            "initContainerStatuses": list_of(CONTAINER),
        },
    ),
    JUNK,
)
PODS = st.fixed_dictionaries(
    {},
    optional={
        "metadata": mapping_of("name", "creationTimestamp", "deletionTimestamp"),
        "spec": mapping_of("nodeName", "nodeSelector", "affinity", "volumes", "containers"),
        "status": STATUS,
    },
)
