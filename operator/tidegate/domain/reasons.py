"""Every reason that tidegate itself gives; docs/status.md says of each what to do.

Others come through as they are said: the engine's own line (``ModelNotFound: …``), and what a kubelet calls
the state of a container or of a pod that it gave up.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """One word each, as the API conventions want it."""

    # Ready, where nothing is wrong
    IDLE = "Idle"
    STARTING = "Starting"
    READY = "Ready"
    STOPPING = "Stopping"
    SUSPENDED = "Suspended"
    # Ready, where the operator can do nothing
    INVALID_SPEC = "InvalidSpec"
    NAME_CONFLICT = "NameConflict"
    LEFT_OVER = "PredecessorNotGone"
    REFUSED = "Refused"
    NO_IMAGE_VOLUMES = "NoImageVolumes"
    # Scheduled, ModelLoaded
    NO_WORKERS = "NoWorkers"
    PENDING = "Pending"
    SCHEDULED = "Scheduled"
    PREPARING = "Preparing"
    CREATING_CONTAINER = "CreatingContainer"
    INITIALIZING = "Initializing"
    LOADING = "Loading"
    LOADED = "Loaded"
    # QueueLimited
    SPEC = "Spec"
    DEFAULT = "Default"
    CALIBRATION = "Calibration"
    # SLOMet
    MET = "TargetsMet"
    MISSED = "TargetsMissed"
    TOO_FEW_REQUESTS = "TooFewRequests"
    NO_GATEWAY_HEARD = "NoGatewayHeard"
    # Contested
    FIELDS_OVERWRITTEN = "FieldsOverwritten"
    # IdleTimeoutExtended
    FLAPPING = "Flapping"
    # From the scheduler
    UNSCHEDULABLE = "Unschedulable"
    NO_MATCHING_NODE = "NoMatchingNode"
    NO_STATIC_NODE = "NoStaticNode"
    CLAIM_NOT_FOUND = "ClaimNotFound"
    CLAIM_UNBOUND = "ClaimUnbound"
    SCHEDULING_GATED = "SchedulingGated"
    # From whoever refuses pods
    QUOTA_EXCEEDED = "QuotaExceeded"
    LIMIT_RANGE = "LimitRangeViolated"
    POD_SECURITY = "PodSecurityViolated"
    WEBHOOK_DENIED = "WebhookDenied"
    WEBHOOK_UNREACHABLE = "WebhookUnreachable"
    POLICY_DENIED = "PolicyDenied"
    SERVICE_ACCOUNT_NOT_FOUND = "ServiceAccountNotFound"
    FAILED_CREATE = "FailedCreate"
    # From the kubelet
    IMAGE_PULL = "ImagePullBackOff"
    CONTAINER_WAITING = "ContainerWaiting"
    OOM_KILLED = "OOMKilled"
    CRASH_LOOP = "CrashLoopBackOff"
    STARTUP_DEADLINE = "StartupDeadlineExceeded"
    ENGINE_FAILED = "EngineFailed"
    ENGINE_EXITED = "EngineExited"
    ENGINE_KILLED = "EngineKilled"
    INIT_CONTAINER_FAILED = "InitContainerFailed"
    CONTAINER_FAILED = "ContainerFailed"
    EVICTED = "Evicted"
    POD_FAILED = "PodFailed"
    # From the node and from those who take pods away
    NODE_LOST = "NodeLost"
    PREEMPTED = "Preempted"
    DISRUPTED = "Disrupted"
