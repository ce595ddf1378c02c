"""Services in the states that people ask about, as the API server has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.unit.domain.recorded_objects import recorded
from tidegate.domain.flapping import Flapping
from tidegate.domain.scaling import Load
from tidegate.domain.timestamps import from_timestamp, to_timestamp
from tidegate.views.seen import Seen

Json = dict[str, Any]

NOW = from_timestamp("2026-11-23T02:18:20Z") or 0.0
WOKEN = "a request arrived, and a gateway woke the service"
METRIC = {"type": "Concurrency", "concurrency": {"targetPerReplica": 24}}
SCALING = {
    "maxReplicas": 4,
    "metric": METRIC,
    "idleTimeoutSeconds": 300,
    "scaleDownDelaySeconds": 120,
}
PARTS = {
    "api": "0.12",
    "scheduling": "0.30",
    "image": "0.00",
    "container": "1.40",
    "engine": "3.10",
    "load": "28.90",
    "firstByte": "0.30",
}


def ago(seconds: float) -> str:
    """The timestamp of so many seconds before the look."""
    return to_timestamp(NOW - seconds)


COLD = {
    "count": 3,
    "lastSeconds": "34.12",
    "lastWorker": "qwen-worker-7c9-x2",
    "lastTime": ago(4100),
    "parts": PARTS,
}


def service(status: Json, **spec: Any) -> Json:
    """``team-a/qwen`` with this status, and these fields of the spec on top of a small one."""
    least = {"model": {"uri": "hf://a/b"}, "resources": {"cpu": 4, "memory": "16Gi"}, "scaling": SCALING}
    metadata = {"name": "qwen", "namespace": "team-a", "uid": "u", "generation": 3}
    identity = {"apiVersion": "tidegate.io/v1alpha1", "kind": "InferenceService", "metadata": metadata}
    return {**identity, "spec": {**least, **spec}, "status": status}


def condition(kind: str, status: str, reason: str, message: str, since: float = 250) -> Json:
    """One condition, so since so many seconds."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": 3,
        "lastTransitionTime": ago(since),
    }


def status(phase: str, ready: int, depth: int, scaling: Json, *conditions: Json, **more: Any) -> Json:
    """What the operator writes."""
    return {
        "observedGeneration": 3,
        "phase": phase,
        "replicas": scaling.get("desired", 0),
        "readyReplicas": ready,
        "isolation": "Shared",
        "queue": {"limit": 128, "source": "Default", "summary": f"{depth}/128"},
        "scaling": scaling,
        "coldStarts": COLD,
        "conditions": list(conditions),
        **more,
    }


def decided(desired: int, previous: int, reason: str, message: str, since: float, **more: Any) -> Json:
    """status.scaling, so since so many seconds."""
    return {
        "desired": desired,
        "previous": previous,
        "reason": reason,
        "message": message,
        "since": ago(since),
        **more,
    }


def deployment(replicas: int) -> Json:
    """The worker Deployment."""
    return {"spec": {"replicas": replicas}, "status": {}}


def worker(name: str, made: float, ready: float | None = None) -> Json:
    """A worker's pod, made and ready so many seconds ago; ``ready`` None: its engine loads."""
    conditions = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": ago(made)}]
    if ready is not None:
        conditions.append({"type": "Ready", "status": "True", "lastTransitionTime": ago(ready)})
    engine = {"name": "engine", "ready": ready is not None, "restartCount": 0, "state": {"running": {}}}
    return {
        "metadata": {"name": name, "namespace": "team-a", "uid": name, "creationTimestamp": ago(made)},
        "spec": {"nodeName": "node-1"},
        "status": {"phase": "Running", "conditions": conditions, "containerStatuses": [engine]},
    }


READY = condition("Ready", "True", "Ready", "1 of 1 workers ready")
EXCLUSIVE = condition(
    "CPUIsolated", "True", "Exclusive", "qwen-worker-7c9-x2 has cores 2-5 of node-1 to itself"
)
FIRST = {"waiting": 1, "inFlight": 0, "needed": 1, "ready": 0, "starting": 1}
FIGURES = {"waiting": 8, "inFlight": 32, "needed": 2, "ready": 1, "starting": 0}


def idle() -> Seen:
    """Asleep for an hour."""
    asleep = decided(0, 1, "Idle", "idle for 300 s (scaling.idleTimeoutSeconds)", 3700)
    ready = condition("Ready", "True", "Idle", "no worker runs; the next request wakes one", 3650)
    return Seen(service(status("Idle", 0, 0, asleep, ready)), NOW, deployment(0), ())


def starting() -> Seen:
    """Woken 12 seconds ago; the engine loads."""
    woken = decided(1, 0, "Woken", WOKEN, 12, waiting=3, inFlight=0, ready=0)
    ready = condition(
        "Ready", "False", "Starting", "a worker starts; requests are held until it is ready", 12
    )
    loads = condition(
        "ModelLoaded", "False", "Loading", "the engine runs and has not loaded the model yet", 12
    )
    pods = (worker("qwen-worker-7c9-x2", 12),)
    return Seen(service(status("Starting", 0, 3, woken, ready, loads)), NOW, deployment(1), pods)


def running() -> Seen:
    """One worker, between two requests."""
    woken = decided(1, 0, "Woken", WOKEN, 900, **FIRST)
    price = {"perReplicaHour": "0.40", "currency": "USD"}
    met = condition("SLOMet", "True", "TargetsMet", "every target is met over the last 10 min", 4000)
    told = status("Running", 1, 0, woken, READY, EXCLUSIVE, met, cost={"currency": "USD", "perHour": "0.40"})
    raw = service(told, pricing=price, slo={"totalP95Seconds": "8"}, queue={"maxDepth": 128})
    raw["status"]["queue"]["source"] = "Spec"
    return Seen(raw, NOW, deployment(1), (worker("qwen-worker-7c9-x2", 900, 860),))


def scaled_up() -> Seen:
    """Two of four workers, one of them still loads, and many wait."""
    more = decided(2, 1, "Demand", "40 requests wait or run, 24 for each worker", 35, **FIGURES)
    pods = (worker("qwen-worker-7c9-x2", 900, 860), worker("qwen-worker-7c9-q8", 35))
    ready = condition("Ready", "True", "Ready", "1 of 2 workers ready")
    return Seen(service(status("Running", 1, 44, more, ready, EXCLUSIVE)), NOW, deployment(2), pods)


def surplus_soon() -> Seen:
    """Two workers are ready, and one would do."""
    more = decided(2, 1, "Demand", "40 requests wait or run, 24 for each worker", 300, **FIGURES)
    pods = (worker("qwen-worker-7c9-x2", 900, 860), worker("qwen-worker-7c9-q8", 300, 250))
    ready = condition("Ready", "True", "Ready", "2 of 2 workers ready")
    return Seen(service(status("Running", 2, 5, more, ready)), NOW, deployment(2), pods)


def sleep_known() -> Seen:
    """The gateways were asked: the last request ended 100 s ago."""
    quiet = running()
    return Seen(quiet.service, NOW, quiet.deployment, quiet.pods, load=Load(last_activity=NOW - 100))


def flapping() -> Seen:
    """Woken again and again right after it fell asleep, in the operator's own words."""
    flaps = Flapping(wakes=5, start=34.1, idle_timeout=300.0, most=1200.0)
    said = flaps.condition()
    assert said is not None
    told = {"wakes": flaps.wakes, "idleTimeoutSeconds": round(flaps.extended)}
    woken = decided(1, 0, "Woken", WOKEN, 400, flapping=told)
    held = condition(said.type, said.status, said.reason, said.message, 400)
    pods = (worker("qwen-worker-7c9-x2", 400, 360),)
    return Seen(service(status("Running", 1, 0, woken, READY, held)), NOW, deployment(1), pods)


def failed_image() -> Seen:
    """The image cannot be pulled, in the kubelet's own words."""
    pod = recorded("image-pull-back-off")
    pod["metadata"] |= {"name": "qwen-worker-7c9-x2", "creationTimestamp": ago(185)}
    message = (
        "the image registry.invalid/none:1 cannot be pulled: failed to do request: Head "
        '"https://registry.invalid/v2/none/manifests/1": dial tcp: lookup registry.invalid: no such host'
    )
    woken = decided(1, 0, "Woken", WOKEN, 185)
    conditions = (
        condition("Ready", "False", "ImagePullBackOff", message, 185),
        condition("Scheduled", "True", "Scheduled", "every worker has a node", 185),
        condition("ModelLoaded", "False", "ImagePullBackOff", message, 185),
    )
    return Seen(service(status("Failed", 0, 2, woken, *conditions)), NOW, deployment(1), (pod,))


def no_node() -> Seen:
    """Nothing has room for it, and the operator of an earlier release tells little."""
    message = "no node has enough nvidia.com/gpu"
    wanted = {"desired": 1, "reason": "Woken", "since": ago(95)}
    conditions = (
        condition("Ready", "False", "Unschedulable", message, 95),
        condition("Scheduled", "False", "Unschedulable", message, 95),
        condition("ModelLoaded", "False", "Pending", "a worker waits for a node", 95),
    )
    told = status("Starting", 0, 1, wanted, *conditions, coldStarts={"count": 2, "lastSeconds": "41"})
    return Seen(service(told), NOW, deployment(1), None, unread=("The pods could not be read: no right.",))


def external() -> Seen:
    """A HorizontalPodAutoscaler sets the number, and cannot at present."""
    told = decided(3, 2, "External", "spec.replicas is 3", 600)
    ready = condition("Ready", "True", "Ready", "3 of 3 workers ready")
    raw = service(status("Running", 3, 20, told, ready), scaling={"mode": "External"}, replicas=3)
    fields: Json = {"f:spec": {"f:replicas": {}}}
    raw["metadata"]["managedFields"] = [
        {"manager": "kubectl", "time": ago(90000), "operation": "Apply", "fieldsV1": fields},
        {"manager": "kube-controller-manager", "time": ago(600), "subresource": "scale", "fieldsV1": fields},
        {
            "manager": "tidegate-operator",
            "time": ago(5),
            "subresource": "status",
            "fieldsV1": {"f:status": {}},
        },
    ]
    missing = "the HPA was unable to compute the replica count: no metrics returned from external metrics API"
    autoscaler = {
        "metadata": {"name": "qwen"},
        "spec": {"minReplicas": 1, "maxReplicas": 4},
        "status": {
            "desiredReplicas": 3,
            "conditions": [
                {"type": "AbleToScale", "status": "True", "reason": "SucceededGetScale", "message": "…"},
                {
                    "type": "ScalingActive",
                    "status": "False",
                    "reason": "FailedGetExternalMetric",
                    "message": missing,
                },
                {"type": "ScalingLimited", "status": "False", "reason": "DesiredWithinRange", "message": "…"},
            ],
        },
    }
    pods = tuple(worker(f"qwen-worker-7c9-x{number}", 900, 860) for number in range(3))
    return Seen(raw, NOW, deployment(3), pods, (autoscaler,))


def suspended() -> Seen:
    """Switched off by its owner."""
    told = decided(0, 1, "Suspended", "spec.suspend is true", 7200)
    ready = condition("Ready", "False", "Suspended", "suspend is true: requests are answered with 503", 7200)
    return Seen(service(status("Suspended", 0, 0, told, ready), suspend=True), NOW, deployment(0), ())


def scheduled() -> Seen:
    """Kept warm by a schedule until the evening."""
    told = decided(1, 0, "Schedule", "a schedule keeps 1 worker now (scaling.schedules)", 2000)
    morning = {
        "cron": "45 8 * * MON-FRI",
        "timeZone": "Asia/Ho_Chi_Minh",
        "forSeconds": 33300,
        "minReplicas": 1,
    }
    raw = service(status("Running", 1, 0, told, READY), scaling=SCALING | {"schedules": [morning]})
    return Seen(raw, NOW, deployment(1), (worker("qwen-worker-7c9-x2", 2000, 1960),))


def backing_off() -> Seen:
    """A kubelet rejects the workers."""
    message = (
        "the kubelet of node-1 rejects the workers: Pod was rejected: not enough cpus available. The next "
        "try is not made before status.scaling.backoffUntil, or when the spec changes"
    )
    told = decided(0, 1, "Rejected", "a kubelet rejects the workers", 20, backoffUntil=ago(-40))
    conditions = (
        condition("Ready", "False", "UnexpectedAdmissionError", message, 20),
        condition("ModelLoaded", "False", "UnexpectedAdmissionError", message, 20),
    )
    return Seen(service(status("Failed", 0, 1, told, *conditions)), NOW, deployment(0), ())


def unheard() -> Seen:
    """Just made; no operator has looked at it."""
    raw = service({})
    raw["metadata"]["creationTimestamp"] = ago(7)
    return Seen(raw, NOW, None, ())


SCENES: dict[str, Callable[[], Seen]] = {
    each.__name__: each
    for each in (
        idle,
        starting,
        running,
        scaled_up,
        surplus_soon,
        sleep_known,
        flapping,
        failed_image,
        no_node,
        external,
        suspended,
        scheduled,
        backing_off,
        unheard,
    )
}
"""By name, as the files in golden/ have it."""
