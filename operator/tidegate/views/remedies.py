"""What to do about a reason, in one sentence; docs/status.md has the same and more."""

from __future__ import annotations

from typing import Final

_RAISE_OR_WAIT: Final = "Wait for nodes, ask for less in spec.resources, or set placement.tolerations."
_KUBELET: Final = "See the node's CPU manager policy and its free cores: kubectl describe node."
_LOGS: Final = "Read the worker's log: kubectl logs --previous on its pod, or tidegate logs --previous."

REMEDIES: Final = {
    "InvalidSpec": "Correct the field that is named.",
    "NameConflict": "Delete or rename the foreign object; it is looked at again every minute.",
    "PredecessorNotGone": "Wait; if it stays so, look at the finalizers of the object that is named.",
    "Refused": "Change the policy that refuses it, or the spec.",
    "NoImageVolumes": "Turn on the feature gate ImageVolume, or use hf://, s3:// or pvc:// in model.uri.",
    "FieldsOverwritten": "Have whoever is named leave the field alone.",
    "Unschedulable": _RAISE_OR_WAIT,
    "NoMatchingNode": "Compare placement and accelerator.types with kubectl get nodes --show-labels.",
    "NoStaticNode": "Give a node the CPU manager policy static, or set cpuIsolation: Preferred.",
    "ClaimNotFound": "Make the PersistentVolumeClaim, or change model.uri.",
    "ClaimUnbound": "Look at the claim's storage class: kubectl describe pvc.",
    "SchedulingGated": "Ask whoever put the scheduling gate on the pod.",
    "QuotaExceeded": "Raise the quota, ask for less, or put other services to sleep.",
    "LimitRangeViolated": "Change spec.resources, or the namespace's LimitRange.",
    "PodSecurityViolated": "Workers keep restricted, with cache.node privileged: look at what was added.",
    "WebhookDenied": "Do what the webhook says.",
    "WebhookUnreachable": "Repair the webhook: nothing in the namespace can start without it.",
    "PolicyDenied": "Do what the policy says.",
    "ServiceAccountNotFound": "Make the ServiceAccount.",
    "ImagePullBackOff": "Check the image's name, its registry, and imagePullSecrets.",
    "InvalidImageName": "Correct engine.image.",
    "ErrImageNeverPull": "Correct engine.image, or bring the image to the node.",
    "CreateContainerConfigError": "Make the Secret or ConfigMap that is named, or change what refers to it.",
    "CreateContainerError": "Look at the image's entrypoint, if it is one of your own.",
    "RunContainerError": "Look at the image's entrypoint, if it is one of your own.",
    "StartError": "Look at the image's entrypoint, if it is one of your own.",
    "ModelNotFound": "Check model.uri, and whether model.secretRef has the right to the model.",
    "ModelForbidden": "Check model.secretRef, and whether the model's terms were accepted.",
    "ModelUnreachable": "Look at the network, the proxy, and the mirror that engine.env names.",
    "ChecksumMismatch": "Look at the mirror or the proxy between: it changes what it carries.",
    "CacheFull": "Enlarge the cache, or raise or set cache.sizeLimit.",
    "CacheNotWritable": "Give the cache's folder to user 1000, or set pod.securityContext.",
    "OutOfMemory": "Give it more memory, or a smaller --max-model-len in engine.args.",
    "InvalidModel": "Copy or download the model's files anew, all of one version.",
    "Unsupported": "Take another model or another type, or an engine.image that knows it.",
    "NotWritable": "Give the worker's user the right to write there, or name another folder.",
    "NoSpaceLeft": "Raise resources.ephemeralStorage or resources.sharedMemory, or make room in the volume.",
    "PortInUse": "Give the other program another port.",
    "AcceleratorMissing": (
        "Check resources.accelerator, placement.runtimeClassName, and the driver of the pod's node."
    ),
    "BadArgument": "Correct engine.args.",
    "OOMKilled": "Raise resources.memory.",
    "StartupDeadlineExceeded": "Raise engine.startupDeadlineSeconds, or see in its log what takes so long.",
    "EngineKilled": _LOGS,
    "EngineFailed": _LOGS,
    "EngineExited": "Check engine.args: a server must not end by itself.",
    "CrashLoopBackOff": _LOGS,
    "InitContainerFailed": "Read the log of the container that is named.",
    "ContainerFailed": "Read the log of the container that is named.",
    "ContainerWaiting": "See the pod's Events: kubectl describe pod.",
    "Evicted": "Ask for what it needs in resources.memory and resources.ephemeralStorage.",
    "PodFailed": "See the pod's Events: kubectl describe pod.",
    "NodeLost": "Look at the node; its pods are replaced when their tolerations end.",
    "Preempted": "Set placement.priorityClassName.",
    "UnexpectedAdmissionError": _KUBELET,
    "SMTAlignmentError": _KUBELET,
    "TopologyAffinityError": _KUBELET,
    "OutOfcpu": _KUBELET,
    "NoGatewayHeard": "Look at the gateways' pods, and at NetworkPolicies between operator and gateways.",
}

_LOGS_HERE: Final = "Read the worker's log: tidegate logs NAME (--previous: of the process before)."
_HERE: Final = {
    "InvalidSpec": "Correct what is named; it is looked at again every 5 s.",
    "Unschedulable": "",  # its own sentence names what is missing, and what to do
    "CommandNotFound": "Correct the annotation tidegate.io/command, or install the program that it names.",
    "Pending": "Let another service sleep, or ask for less in spec.resources.",
    "OutOfMemory": "Give it more memory, or a smaller --max-model-len in engine.args.",
    "Unsupported": "Take another model or another type, or a vLLM that knows it.",
    "NoSpaceLeft": "Make room on the disk that is named.",
    "PortInUse": "End the process that listens on that port of every address of this machine.",
    "AcceleratorMissing": "Check the driver (nvidia-smi) and resources.accelerator.",
    "EngineKilled": _LOGS_HERE,
    "EngineFailed": _LOGS_HERE,
    "CrashLoopBackOff": _LOGS_HERE,
    "NotWritable": "Give this user the right to write there, or name another folder.",
    "PodFailed": _LOGS_HERE,
    "ContainerWaiting": "See tidegate describe.",
}
"""Where the service runs on one machine without a cluster; NAME stands for the service's."""


def remedy(reason: str, *, here: bool) -> str:
    """What to do; empty where nothing more can be said than the reason does."""
    usual = REMEDIES.get(reason, "")
    return _HERE.get(reason, usual) if here else usual
