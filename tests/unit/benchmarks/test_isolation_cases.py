"""The cases of the isolation benchmark, and the pods that they are made of."""

from __future__ import annotations

from typing import Any

import pytest

from isolation.cases import (
    BURSTABLE,
    DEFAULT_NODE,
    GUARANTEED,
    KINDS,
    MOVED,
    NEIGHBOURS,
    NUMBERS,
    STATIC,
    STATIC_FIT,
    STATIC_HOST,
    STATIC_NODE,
    UNLIMITED,
    WORKLOADS,
    Noise,
    Workload,
    placements,
    scenes,
    turned,
)
from isolation.manifests import NOISE_SECONDS, noise_pod, worker_pod
from isolation.rounds import pod_name, worker_manifest

HOST = 16


def names(workload: Workload, case: int, node: str) -> set[tuple[str, str]]:
    found = scenes(workload, HOST)
    return {
        (placement.name, scene.noise.kind)
        for scene in found
        if (scene.case, scene.node) == (case, node)
        for placement in scene.placements
    }


def container(manifest: dict[str, Any]) -> dict[str, Any]:
    [one] = manifest["spec"]["containers"]
    return dict(one)


def environment(manifest: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container(manifest)["env"]}


def test_the_unary_workload_has_every_case_and_every_cure_of_the_third() -> None:
    assert {scene.case for scene in scenes("unary", HOST)} == set(NUMBERS)
    shared = {name for name, kind in names("unary", 3, DEFAULT_NODE) if kind == "captcha"}
    assert shared == {BURSTABLE, GUARANTEED, UNLIMITED}
    pinned = names("unary", 3, STATIC_NODE)
    assert pinned == {(name, kind) for name in (STATIC, STATIC_HOST, STATIC_FIT) for kind in KINDS}


@pytest.mark.parametrize("workload", ["chat", "embeddings"])
def test_vllm_meets_every_noise_on_cores_of_its_own(workload: Workload) -> None:
    assert {kind for name, kind in names(workload, 3, STATIC_NODE) if name == STATIC} == set(KINDS)
    assert (STATIC_HOST, "captcha") in names(workload, 3, STATIC_NODE)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_whoever_is_measured_beside_noise_is_measured_alone_too(workload: Workload) -> None:
    found = scenes(workload, HOST, cases=[3])
    alone = {each.name for scene in found if not scene.noise.pods for each in scene.placements}
    beside = {each.name for scene in found if scene.noise.pods for each in scene.placements}
    assert beside <= alone
    assert {scene.case for scene in found} == {1, 3}


@pytest.mark.parametrize("workload", WORKLOADS)
def test_only_one_exclusive_core_is_asked_for_at_a_time(workload: Workload) -> None:
    for scene in scenes(workload, HOST):
        if scene.node == STATIC_NODE:
            assert len({pod_name(workload, each, 0) for each in scene.placements}) * scene.replicas == 1


def test_without_exclusive_cores_the_unary_model_computes_with_a_thread_for_each_core_of_the_host() -> None:
    found = placements("unary", HOST)
    assert {found[name].threads for name in (BURSTABLE, GUARANTEED, UNLIMITED, MOVED, STATIC_HOST)} == {HOST}
    manifest = worker_manifest("unary", found[BURSTABLE], 0, "")
    assert environment(manifest)["OMP_NUM_THREADS"] == str(HOST)


def test_on_a_static_node_the_unary_worker_is_one_pod_that_is_told_its_threads_with_each_request() -> None:
    found = placements("unary", HOST)
    manifests = [worker_manifest("unary", found[name], 0, "") for name in (STATIC, STATIC_HOST, STATIC_FIT)]
    assert manifests[0] == manifests[1] == manifests[2]
    assert "OMP_NUM_THREADS" not in environment(manifests[0])


def test_vllm_with_other_threads_is_another_pod() -> None:
    found = placements("chat", HOST)
    own, host = (worker_manifest("chat", found[name], 0, "") for name in (STATIC, STATIC_HOST))
    assert own["metadata"]["name"] != host["metadata"]["name"]
    assert "OMP_NUM_THREADS" not in environment(own)
    assert environment(host)["OMP_NUM_THREADS"] == str(HOST)


@pytest.mark.parametrize(
    ("name", "guaranteed", "limited"),
    [(BURSTABLE, False, True), (GUARANTEED, True, True), (UNLIMITED, False, False), (STATIC, True, True)],
)
def test_the_resources_are_those_of_the_placement(name: str, guaranteed: bool, limited: bool) -> None:
    placement = placements("chat", HOST)[name]
    resources = container(worker_pod("w", "chat", placement, ""))["resources"]
    assert (resources["requests"] == resources["limits"]) is guaranteed
    assert ("cpu" in resources["limits"]) is limited


@pytest.mark.parametrize("kind", [*KINDS, NEIGHBOURS])
def test_noise_ends_by_itself_and_stays_within_a_quota(kind: str) -> None:
    manifest = noise_pod(0, Noise(kind, 5), DEFAULT_NODE)
    words = " ".join(container(manifest)["command"])
    assert str(NOISE_SECONDS) in words
    assert manifest["spec"]["activeDeadlineSeconds"] > NOISE_SECONDS
    assert container(manifest)["resources"]["limits"]["cpu"] == "1"
    assert manifest["spec"]["nodeSelector"] == {"kubernetes.io/hostname": DEFAULT_NODE}


def test_each_round_begins_with_another_worker() -> None:
    order = list(placements("unary", HOST).values())[:3]
    firsts = [turned(order, number)[0].name for number in range(4)]
    assert firsts == [BURSTABLE, GUARANTEED, UNLIMITED, BURSTABLE]
    assert sorted(each.name for each in turned(order, 2)) == sorted(each.name for each in order)
