"""What happens to a service, and how it must end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.campaign.endstate import phase, service_of
from tests.campaign.stage import Stage
from tests.component.kube.objects import MANAGER
from tidegate.kube import paths
from tidegate.kube.client import Json

Step = Callable[[Stage], Awaitable[None]]
Holds = Callable[[Json], bool]


@dataclass(frozen=True)
class Scenario:
    """``before`` leads to a state that ``ready`` knows, ``act`` from there to one that ``ended`` knows."""

    name: str
    act: Step
    ended: Holds
    before: Step
    ready: Holds


def _is(wanted: str, ready: str | None = None) -> Holds:
    def holds(state: Json) -> bool:
        found = (service_of(state).get("status") or {}).get("ready")
        return phase(state) == wanted and (ready is None or found == ready)

    return holds


def _gone(state: Json) -> bool:
    return not any(state.values())


def _with_argument(argument: str, holds: Holds) -> Holds:
    def both(state: Json) -> bool:
        pods = [pod["spec"]["containers"][0].get("args") or [] for pod in state["pods"]]
        return holds(state) and all(argument in arguments for arguments in pods)

    return both


async def _nothing(_: Stage) -> None:
    return None


def _create(**spec: Any) -> Step:
    async def act(stage: Stage) -> None:
        await stage.world.create(stage.name, **spec)

    return act


def _change(**spec: Any) -> Step:
    async def act(stage: Stage) -> None:
        await stage.world.change(stage.name, **spec)

    return act


async def _delete(stage: Stage) -> None:
    await stage.world.kube.delete(paths.inference_service(stage.world.namespace, stage.name))


async def _recreate(stage: Stage) -> None:
    await _delete(stage)
    await stage.world.create(stage.name, engine={"args": ["--dtype", "half"]})


async def _wake_with_demand(stage: Stage) -> None:
    stage.tell(waiting=17)  # at 6 a worker: 3
    await stage.world.scale(stage.name, 1)


async def _demand_ends(stage: Stage) -> None:
    stage.tell(waiting=0, idleSeconds=100.0)


async def _busy(stage: Stage) -> None:
    stage.tell(inFlight=1)
    await stage.world.create(stage.name, scaling={"idleTimeoutSeconds": 1})
    await stage.until(_is("Idle"), "Idle")
    await stage.world.scale(stage.name, 1)


async def _drift(stage: Stage) -> None:
    """Somebody writes into all that is ours."""
    namespace, kube = stage.world.namespace, stage.world.kube
    labels = {"app.kubernetes.io/managed-by": "somebody", "theirs": "stays"}
    deployment = {"metadata": {"labels": labels}, "spec": {"revisionHistoryLimit": 7, "paused": True}}
    await kube.merge_patch(
        paths.deployment(namespace, f"{stage.name}-worker"), deployment, field_manager=MANAGER
    )
    service = {"metadata": {"labels": labels}, "spec": {"externalName": "elsewhere.example"}}
    await kube.merge_patch(paths.service(namespace, stage.name), service, field_manager=MANAGER)


async def _lost_service(stage: Stage) -> None:
    await stage.world.kube.delete(paths.service(stage.world.namespace, stage.name))


async def _lost_deployment(stage: Stage) -> None:
    await stage.world.kube.delete(paths.deployment(stage.world.namespace, f"{stage.name}-worker"))


async def _foreign_deployment(stage: Stage) -> None:
    labels = {"app": "theirs"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "theirs"}]}}
    foreign = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{stage.name}-worker", "namespace": stage.world.namespace},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    }
    await stage.world.kube.create(paths.deployments(stage.world.namespace), foreign, field_manager=MANAGER)


_ARGS = {"args": ["--dtype", "half"]}
_WARM = {"scaling": {"minReplicas": 2, "maxReplicas": 3}}
_NO_IMAGE = {"cpu": 1, "memory": "1Gi", "accelerator": {"resource": "amd.com/gpu", "count": 1}}
_CPU = {"cpu": 1, "memory": "1Gi", "accelerator": None}
_IDLE, _RUNNING = _is("Idle"), _is("Running", "2/2")
_HALF = _with_argument("half", _RUNNING)


def _empty(_: Json) -> bool:
    return True


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("create", _create(), _IDLE, _nothing, _empty),
    Scenario("create-warm", _create(**_WARM), _RUNNING, _nothing, _empty),
    Scenario("scale-up", _change(**_WARM), _RUNNING, _create(), _IDLE),
    Scenario(
        "scale-by-demand",
        _wake_with_demand,
        _is("Running", "3/3"),
        _create(engine={"maxConcurrency": 8}, scaling={"maxReplicas": 4}),
        _IDLE,
    ),
    Scenario("scale-down", _demand_ends, _IDLE, _busy, _is("Running", "1/1")),
    Scenario("update-asleep", _change(engine=_ARGS), _IDLE, _create(), _IDLE),
    Scenario("rollout-replace", _change(engine=_ARGS), _HALF, _create(**_WARM), _RUNNING),
    Scenario("rollout-surge", _change(engine=_ARGS), _HALF, _create(**_WARM, rollout="Surge"), _RUNNING),
    Scenario("strategy", _change(rollout="Surge"), _RUNNING, _create(**_WARM), _RUNNING),
    Scenario("delete", _delete, _gone, _create(**_WARM), _RUNNING),
    Scenario("recreate", _recreate, _IDLE, _create(**_WARM), _RUNNING),
    Scenario("suspend", _change(suspend=True), _is("Suspended"), _create(**_WARM), _RUNNING),
    Scenario("resume", _change(suspend=False), _RUNNING, _create(**_WARM, suspend=True), _is("Suspended")),
    Scenario(
        "external",
        _change(replicas=3),
        _is("Running", "3/3"),
        _create(scaling={"mode": "External"}, replicas=0),
        _IDLE,
    ),
    Scenario("drift", _drift, _RUNNING, _create(**_WARM), _RUNNING),
    Scenario("lost-service", _lost_service, _RUNNING, _create(**_WARM), _RUNNING),
    Scenario("lost-deployment", _lost_deployment, _RUNNING, _create(**_WARM), _RUNNING),
    Scenario("name-conflict", _create(), _is("Failed"), _foreign_deployment, _empty),
    Scenario("invalid", _change(resources=_NO_IMAGE), _is("Failed"), _create(), _IDLE),
    Scenario("mended", _change(resources=_CPU), _IDLE, _create(resources=_NO_IMAGE), _is("Failed")),
)
