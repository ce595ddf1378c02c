"""The API paths of the kinds that tidegate reads or writes. A namespace of None means all of them."""

from __future__ import annotations

from tidegate.resources.names import GROUP, PLURAL, VERSION

NODES = "/api/v1/nodes"
NAMESPACES = "/api/v1/namespaces"
_CORE = "/api/v1"
_APPS = "/apis/apps/v1"
_COORDINATION = "/apis/coordination.k8s.io/v1"
_POLICY = "/apis/policy/v1"
_AUTOSCALING = "/apis/autoscaling/v2"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_EVENTS = "/apis/events.k8s.io/v1"
_TIDEGATE = f"/apis/{GROUP}/{VERSION}"


def inference_services(namespace: str | None = None) -> str:
    """The collection of InferenceServices."""
    return _collection(_TIDEGATE, PLURAL, namespace)


def inference_service(namespace: str, name: str) -> str:
    """One InferenceService."""
    return f"{inference_services(namespace)}/{name}"


def inference_service_status(namespace: str, name: str) -> str:
    """The status subresource of an InferenceService."""
    return f"{inference_service(namespace, name)}/status"


def inference_service_scale(namespace: str, name: str) -> str:
    """The scale subresource of an InferenceService."""
    return f"{inference_service(namespace, name)}/scale"


def deployments(namespace: str | None = None) -> str:
    """The collection of Deployments."""
    return _collection(_APPS, "deployments", namespace)


def deployment(namespace: str, name: str) -> str:
    """One Deployment."""
    return f"{deployments(namespace)}/{name}"


def deployment_scale(namespace: str, name: str) -> str:
    """The scale subresource of a Deployment."""
    return f"{deployment(namespace, name)}/scale"


def services(namespace: str | None = None) -> str:
    """The collection of Services."""
    return _collection(_CORE, "services", namespace)


def service(namespace: str, name: str) -> str:
    """One Service."""
    return f"{services(namespace)}/{name}"


def horizontal_pod_autoscalers(namespace: str) -> str:
    """The collection of HorizontalPodAutoscalers of one namespace."""
    return _collection(_AUTOSCALING, "horizontalpodautoscalers", namespace)


def pod_disruption_budgets(namespace: str | None = None) -> str:
    """The collection of PodDisruptionBudgets."""
    return _collection(_POLICY, "poddisruptionbudgets", namespace)


def pod_disruption_budget(namespace: str, name: str) -> str:
    """One PodDisruptionBudget."""
    return f"{pod_disruption_budgets(namespace)}/{name}"


def pods(namespace: str | None = None) -> str:
    """The collection of Pods."""
    return _collection(_CORE, "pods", namespace)


def pod(namespace: str, name: str) -> str:
    """One Pod."""
    return f"{pods(namespace)}/{name}"


def pod_status(namespace: str, name: str) -> str:
    """The status subresource of a Pod."""
    return f"{pod(namespace, name)}/status"


def node(name: str) -> str:
    """One Node."""
    return f"{NODES}/{name}"


def namespace(name: str) -> str:
    """One Namespace."""
    return f"{NAMESPACES}/{name}"


def secrets(namespace: str) -> str:
    """The collection of Secrets of one namespace."""
    return _collection(_CORE, "secrets", namespace)


def secret(namespace: str, name: str) -> str:
    """One Secret."""
    return f"{secrets(namespace)}/{name}"


def events(namespace: str) -> str:
    """The collection of Events of one namespace."""
    return _collection(_EVENTS, "events", namespace)


def event(namespace: str, name: str) -> str:
    """One Event."""
    return f"{events(namespace)}/{name}"


def leases(namespace: str) -> str:
    """The collection of Leases of one namespace."""
    return _collection(_COORDINATION, "leases", namespace)


def lease(namespace: str, name: str) -> str:
    """One Lease."""
    return f"{leases(namespace)}/{name}"


def mutating_webhook_configuration(name: str) -> str:
    """One MutatingWebhookConfiguration; they have no namespace."""
    return f"{_ADMISSION}/mutatingwebhookconfigurations/{name}"


def validating_webhook_configuration(name: str) -> str:
    """One ValidatingWebhookConfiguration; they have no namespace."""
    return f"{_ADMISSION}/validatingwebhookconfigurations/{name}"


def _collection(prefix: str, plural: str, namespace: str | None) -> str:
    return f"{prefix}/namespaces/{namespace}/{plural}" if namespace else f"{prefix}/{plural}"
