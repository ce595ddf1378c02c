"""Every name that tidegate gives to an object, a label, an annotation or a port, and nothing else."""

from __future__ import annotations

from tidegate.api import identity
from tidegate.domain import pod_containers, workers

GROUP = identity.GROUP
VERSION = identity.VERSION
API_VERSION = identity.API_VERSION
KIND = identity.KIND
PLURAL = identity.PLURAL

FIELD_MANAGER = "tidegate-operator"

SERVICE_LABEL = f"{GROUP}/inferenceservice"  # on every object of a service; the value is its name
NAME_LABEL = "app.kubernetes.io/name"  # of the installation's own pods: NAME
NAME = "tidegate"
OPERATOR = "tidegate-operator"  # the operator's Deployment, and the Lease that its replicas share
COMPONENT_LABEL = "app.kubernetes.io/component"  # worker | gateway | operator
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "tidegate"
CPU_POLICY_LABEL = f"{GROUP}/cpu-manager-policy"  # static | none | unknown
INSTALLATION_LABEL = f"{GROUP}/installation"  # on a namespace: the installation that it was handed to

ENDPOINTS_ANNOTATION = f"{GROUP}/endpoints"  # host:port,… of a service that lives in a file
COMMAND_ANNOTATION = f"{GROUP}/command"  # on one machine: the words that start the engine
RUNTIME_ANNOTATION = f"{GROUP}/runtime"  # on one machine: podman or docker, which run spec.engine.image
QUEUE_DEFAULT_ANNOTATION = identity.QUEUE_DEFAULT_ANNOTATION
TEMPLATE_ANNOTATION = workers.TEMPLATE_ANNOTATION
CALIBRATED_ANNOTATION = identity.CALIBRATED_ANNOTATION
DEGRADATION_DEFAULT_ANNOTATION = identity.DEGRADATION_DEFAULT_ANNOTATION
SPEC_HASH_ANNOTATION = f"{GROUP}/spec-hash"  # of the manifest that was applied last

WORKER_PORT = 8000
WORKER_ISOLATION_PORT = 8001  # what the worker tells of its cores
WORKER_CONTAINER = pod_containers.ENGINE
GATEWAY_PORT = 8080  # clients
GATEWAY_SERVICE_PORT = 80  # clients, by the gateway's Service
GATEWAY_ADMIN_PORT = 9090  # metrics, status, demand
GATEWAY_PEER_PORT = 9091  # the other gateways
OPERATOR_WEBHOOK_PORT = 9443
OPERATOR_METRICS_PORT = 9090
OPERATOR_HEALTH_PORT = 8081


def worker_deployment(service: str) -> str:
    """The name of the Deployment that runs a service's workers."""
    return f"{service}-worker"


def disruption_budget(service: str) -> str:
    """The name of the PodDisruptionBudget of a service's workers."""
    return worker_deployment(service)


def client_service(service: str) -> str:
    """The name of the Service by which clients in the cluster reach a service's gateway."""
    return service
