"""CEL rules of spec.pod: what belongs to the operator, and what no worker gets."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.api.base import rule

OWN_VOLUMES = ("tmp", "shm", "model")
_OWN_PATHS = ("/tmp", "/models", "/dev", "/proc", "/sys")  # noqa: S108  in the container
_OWN_DOMAIN = "tidegate.io/"
_OWN_LABELS = (
    "app.kubernetes.io/component",
    "app.kubernetes.io/managed-by",
    "pod-template-hash",
    "sidecar.istio.io/inject",
)
_OWN_ANNOTATIONS = ("sidecar.istio.io/inject", "linkerd.io/inject")
_CONFINEMENT = "container.apparmor.security.beta.kubernetes.io/"


def _listed(words: Iterable[str]) -> str:
    return "[" + ", ".join(f"'{word}'" for word in words) + "]"


LABELS_NOT_OURS = rule(
    f"!self.exists(key, key.startsWith('{_OWN_DOMAIN}') || key in {_listed(_OWN_LABELS)})",
    f"{_OWN_DOMAIN}*, {', '.join(_OWN_LABELS)} are set by the operator; remove them here",
)

ANNOTATIONS_NOT_OURS = rule(
    f"!self.exists(key, key.startsWith('{_OWN_DOMAIN}') || key.startsWith('{_CONFINEMENT}') || "
    f"key in {_listed(_OWN_ANNOTATIONS)})",
    f"{_OWN_DOMAIN}*, {', '.join(_OWN_ANNOTATIONS)} and {_CONFINEMENT}* are set by the operator or keep the "
    "pod confined; remove them here",
)

VOLUME_NAME = rule(
    f"!(self.name in {_listed(OWN_VOLUMES)})",
    f"the volumes {', '.join(OWN_VOLUMES)} are the operator's own; choose another name",
    ".name",
)

NO_HOST_PATH = rule(
    "!has(self.hostPath)",
    "hostPath is refused: whoever may write an InferenceService could then read and change the node's own "
    "files; use a persistentVolumeClaim, if need be one of a local volume",
    ".hostPath",
)

ONE_SOURCE = rule(
    (
        "[has(self.persistentVolumeClaim), has(self.configMap), has(self.secret), has(self.emptyDir), "
        "has(self.hostPath)].filter(given, given).size() == 1"
    ),
    "exactly one of persistentVolumeClaim, configMap, secret and emptyDir must be set",
)

MOUNT_PATH = rule(
    (
        "!self.matches('/[.][.]?(/|$)') && "
        f"!{_listed(_OWN_PATHS[1:])}.exists(own, self == own || self.startsWith(own + '/')) && "
        f"self != '{_OWN_PATHS[0]}'"
    ),
    f"{_OWN_PATHS[0]} itself, and /models, /dev, /proc and /sys with all that is below them, are the "
    "operator's or the kernel's, and a path has no . or .. in it; mount it elsewhere, "
    "for instance below /data",
)

SUB_PATH = rule("!('/' + self).matches('/[.][.]?(/|$)')", "a path within a volume has no . or .. in it")

MOUNTS_HAVE_VOLUMES = rule(
    (
        "!has(self.volumeMounts) || self.volumeMounts.all(mount, "
        "has(self.volumes) && self.volumes.exists(volume, volume.name == mount.name))"
    ),
    "every volumeMount must name one of spec.pod.volumes",
    ".volumeMounts",
)


def is_own_label(key: str) -> bool:
    """Whether LABELS_NOT_OURS refuses it."""
    return key.startswith(_OWN_DOMAIN) or key in _OWN_LABELS


def is_own_annotation(key: str) -> bool:
    """Whether ANNOTATIONS_NOT_OURS refuses it."""
    return key.startswith((_OWN_DOMAIN, _CONFINEMENT)) or key in _OWN_ANNOTATIONS


def leads_out(path: str) -> bool:
    """Whether a part of a path is . or .., so that it says another place than it shows."""
    return bool({".", ".."} & set(path.split("/")))


def is_mountable(path: str) -> bool:
    """Whether MOUNT_PATH allows it."""
    below = any(path == own or path.startswith(f"{own}/") for own in _OWN_PATHS[1:])
    return not below and path != _OWN_PATHS[0] and not leads_out(path)
