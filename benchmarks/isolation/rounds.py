"""The rounds: every scene once a round, in one order; in a scene each round begins with another worker."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from isolation.cases import (
    MOVED,
    STATIC_NODE,
    Placement,
    Scene,
    Workload,
    turned,
)
from isolation.manifests import Json, noise_pod, worker_pod
from isolation.measuring import READY_PATHS, Round, measure, warm_up
from isolation.stage import Stage


def run_rounds(
    stage: Stage, workload: Workload, scenes: Sequence[Scene], numbers: range, minilm: str
) -> Iterator[Round]:
    """All measurements, as they come. The workers of a workload stay until its rounds are over."""
    try:
        for number in numbers:
            for scene in scenes:
                yield from _play(stage, workload, scene, number, minilm)
    finally:
        stage.remove_workers(list(stage.workers))


def _play(stage: Stage, workload: Workload, scene: Scene, number: int, minilm: str) -> Iterator[Round]:
    noise = [noise_pod(at, scene.noise, scene.node) for at in range(scene.noise.pods)]
    _make_room(stage, workload, scene)
    _start(stage, workload, scene, minilm)
    with stage.noise(noise):
        for placement in turned(scene.placements, number):
            names = _names(workload, scene, placement)
            with stage.alone(names):
                found = measure(workload, placement, [stage.workers[name] for name in names])
            if not stage.still_noisy(noise):
                raise SystemExit(f"bench-isolation: {scene.noise.name} ended before its measurement did")
            about = {"round": number, "what": workload, "case": scene.case, "proxy": placement.name}
            entry = about | {"noise": scene.noise.name, "node": scene.node} | found
            print(json.dumps(entry), flush=True)
            yield entry


def _names(workload: Workload, scene: Scene, placement: Placement) -> list[str]:
    return [pod_name(workload, placement, at) for at in range(scene.replicas)]


def _make_room(stage: Stage, workload: Workload, scene: Scene) -> None:
    """Of the workers on the static node only those of the scene stay: there is one exclusive core to have.

    Replicas need all of a node: the others go when they come, and they when their scene is over.
    """
    wanted = {name for each in scene.placements for name in _names(workload, scene, each)}
    crowded = scene.replicas > 1
    leaving = [
        name
        for name in stage.workers
        if name not in wanted and (crowded or name.startswith(f"{STATIC_NODE}-") or not name.endswith("-0"))
    ]
    stage.remove_workers(leaving)


def _start(stage: Stage, workload: Workload, scene: Scene, minilm: str) -> None:
    """Starts the workers that are missing, and sends each its first request."""
    missing: dict[str, Json] = {}
    for placement in scene.placements:
        for at, name in enumerate(_names(workload, scene, placement)):
            if name not in stage.workers and name not in missing:
                missing[name] = worker_manifest(workload, placement, at, minilm)
    for worker in stage.start_workers(list(missing.values()), READY_PATHS[workload]):
        warm_up(workload, worker)


def worker_manifest(workload: Workload, placement: Placement, replica: int, minilm: str) -> Json:
    """The worker's pod. The unary worker takes its threads with each request, on a static node too."""
    name = pod_name(workload, placement, replica)
    if workload == "unary" and placement.limit == placement.request and placement.node == STATIC_NODE:
        placement = replace(placement, threads=None)
    return worker_pod(name, workload, placement, minilm)


def pod_name(workload: Workload, placement: Placement, replica: int) -> str:
    """Placements that differ in threads alone share one pod of the unary worker, but not of vLLM."""
    kind = {None: "none", "1": "guaranteed" if placement.request == "1" else "burstable"}[placement.limit]
    threads = "" if workload == "unary" else f"-{placement.threads or 'own'}"
    moved = "-moved" if placement.name == MOVED else ""
    return f"{placement.node}-{workload}-{kind}{threads}{moved}-{replica}"
