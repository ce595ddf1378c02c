"""The Deployment that runs a service's workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidegate.api.spec import InferenceServiceSpec
from tidegate.api.v1alpha1 import InferenceService
from tidegate.resources import cache, pod
from tidegate.resources.draining import grace_seconds
from tidegate.resources.engine import engine_container, volumes
from tidegate.resources.filling import cached_model, init_containers
from tidegate.resources.labels import hashed, labels, metadata, selector
from tidegate.resources.model import model_parts
from tidegate.resources.names import TEMPLATE_ANNOTATION, WORKER_CONTAINER, worker_deployment
from tidegate.resources.placement import placement
from tidegate.resources.seeds import least_metadata
from tidegate.resources.spread import spread

_START_MARGIN = 60  # seconds beyond the startup deadline before a rollout is called stuck

# A sidecar would break Guaranteed and exclusive cores.
_NO_INJECTION = {
    "labels": {"sidecar.istio.io/inject": "false"},
    "annotations": {"sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled"},
}

_HEAD = {"apiVersion": "apps/v1", "kind": "Deployment"}

_STRATEGIES: dict[str, dict[str, Any]] = {
    "Replace": {"type": "Recreate"},
    "Surge": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
}


@dataclass(frozen=True)
class WorkerImages:
    """The installation's images for workers whose spec names none, by device."""

    cpu: str
    cuda: str

    def image_for(self, spec: InferenceServiceSpec) -> str:
        """The worker's image; ValueError where neither the spec nor the installation has one."""
        if spec.engine.image:
            return spec.engine.image
        accelerator = spec.resources.accelerator
        device = accelerator.resource if accelerator else "CPU"
        by_vendor = {"CPU": (self.cpu, "cpu"), "nvidia.com": (self.cuda, "cuda")}
        image, value = by_vendor.get(device.partition("/")[0], ("", ""))
        if not image:
            default = f"; or the installation names one in worker.images.{value}" if value else ""
            raise ValueError(
                f"spec.engine.image: must be set, there is no default image for {device}{default}"
            )
        return image


def build_deployment(service: InferenceService, images: WorkerImages, node_cache: str = "") -> dict[str, Any]:
    """The manifest for server-side apply, without ``spec.replicas``: only the scale subresource writes that.

    ``node_cache``: the installation's folder for caches on each node, empty: none.
    ValueError names a field that cannot be obeyed.
    """
    spec = {
        "selector": {"matchLabels": selector(service.metadata.name)},
        "strategy": _STRATEGIES[service.spec.rollout],
        "revisionHistoryLimit": 1,
        "paused": False,
        "progressDeadlineSeconds": service.spec.engine.startup_deadline_seconds + _START_MARGIN,
        "template": hashed(_template(service, images, node_cache), TEMPLATE_ANNOTATION),
    }
    return hashed({**_HEAD, "metadata": _metadata(service), "spec": spec})


def build_seed(service: InferenceService, images: WorkerImages) -> dict[str, Any]:
    """The least Deployment that a POST may create: asleep, and paused until the first apply.

    An apply that creates would start one worker, so creation is a POST. Its field manager goes on owning
    what it wrote and what the API server defaulted, so it holds nothing that a later apply would drop:
    Recreate has no rollingUpdate that would be left behind. Paused: a wake before the apply starts nothing.
    """
    image = images.image_for(service.spec)
    pod = {"containers": [{"name": WORKER_CONTAINER, "image": image}]}
    spec = {
        "replicas": 0,
        "paused": True,
        "strategy": _STRATEGIES["Replace"],
        "selector": {"matchLabels": selector(service.metadata.name)},
        "template": {"metadata": {"labels": selector(service.metadata.name)}, "spec": pod},
    }
    return {**_HEAD, "metadata": least_metadata(_metadata(service)), "spec": spec}


def _metadata(service: InferenceService) -> dict[str, Any]:
    return metadata(service, worker_deployment(service.metadata.name))


def _template(service: InferenceService, images: WorkerImages, node_cache: str) -> dict[str, Any]:
    own, given = labels(service.metadata.name), service.spec.pod
    return {
        "metadata": {
            "labels": {**given.labels, **own, **_NO_INJECTION["labels"]},
            "annotations": {**given.annotations, **_NO_INJECTION["annotations"]},
        },
        "spec": _pod(service, images, node_cache),
    }


def _pod(service: InferenceService, images: WorkerImages, node_cache: str) -> dict[str, Any]:
    model = cached_model(service) or model_parts(service.spec.model, service.spec.engine.args)
    image = images.image_for(service.spec)
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_seconds(service.spec),
        "securityContext": pod.security(service.spec.pod.security_context),
        **pod.identity(service.spec, model.pull_secrets),
        **init_containers(service, image, node_cache),
        "containers": [engine_container(service, model, image)],
        "volumes": [
            *volumes(service.spec.resources),
            *model.volumes,
            *cache.volumes(service, node_cache),
            *pod.volumes(service.spec),
        ],
        "topologySpreadConstraints": spread(service.metadata.name),
        **placement(service.spec),
    }
