"""What can go wrong between us and an API server, as one small tree.

KubeError                 anything below; carries status, reason and message
├── UnreachableError      no answer: connection refused, reset, cut, or over its time budget (status 0)
├── UnauthorizedError     401: the credentials are not accepted
├── ForbiddenError        403: not allowed by RBAC or by an admission policy
│   └── NamespaceTerminatingError: nothing can be created in it any more
├── NotFoundError         404
├── ConflictError         409: a stale resourceVersion, or a field that another manager owns
│   └── AlreadyExistsError
├── GoneError             410: a watch or a listing is too old to go on; list anew
├── InvalidError          400 or 422: the object is refused by the schema or by a rule
│   └── PatchTestError    a JSON patch's ``test`` did not hold; nothing was changed
├── ThrottledError        429: come back later
├── ServerError           5xx
└── NotLeaderError        a write that was not sent: another replica acts (status 0)

KubeConfigError           there is no usable way to reach a cluster (not a KubeError: nothing was asked)
"""

from __future__ import annotations

from typing import Any

# The whole answer to a failed test; a refusal by schema, policy or webhook says which object and why.
_PATCH_REFUSED = "the server rejected our request"


class KubeConfigError(Exception):
    """Neither a pod's service account nor a kubeconfig could be read; the message says which and why."""


class KubeError(Exception):
    """An API server's refusal, or its silence.

    ``status`` is the HTTP status, 0 where no answer came; ``reason`` is the machine's word for it
    (``NotFound``, ``Conflict``, …); ``message`` is the sentence for people, without credentials.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return f"{self.message} ({self.status} {self.reason})" if self.status else self.message


class UnreachableError(KubeError):
    """No answer came; whether a write was carried out is unknown."""

    def __init__(self, message: str) -> None:
        super().__init__(0, "Unreachable", message)


class UnauthorizedError(KubeError):
    """401."""


class ForbiddenError(KubeError):
    """403."""


class NamespaceTerminatingError(ForbiddenError):
    """403 on a create: the namespace is being deleted."""


class NotFoundError(KubeError):
    """404."""


class ConflictError(KubeError):
    """409."""


class AlreadyExistsError(ConflictError):
    """409 on a create: the name is taken."""


class GoneError(KubeError):
    """410."""


class InvalidError(KubeError):
    """400 or 422."""


class PatchTestError(InvalidError):
    """422 of a JSON patch whose ``test`` did not hold."""


class ThrottledError(KubeError):
    """429; ``retry_after_seconds`` is what the server asked for, None where it did not say."""

    retry_after_seconds: float | None = None


class ServerError(KubeError):
    """5xx."""


class NotLeaderError(KubeError):
    """The write was not sent, because this replica does not lead."""

    def __init__(self, message: str) -> None:
        super().__init__(0, "NotLeader", message)


def error_from_status(status: int, body: dict[str, Any], retry_after: str | None = None) -> KubeError:
    """The error for an HTTP status and the Status object that came with it (or an empty dict)."""
    reason = str(body.get("reason") or "")
    message = str(body.get("message") or f"the API server answered {status} without a message")
    error = _class_of(status, body)(status, reason or "Unknown", message)
    if isinstance(error, ThrottledError) and retry_after and retry_after.isdigit():
        error.retry_after_seconds = float(retry_after)
    return error


def _class_of(status: int, body: dict[str, Any]) -> type[KubeError]:
    if status == 409 and body.get("reason") == "AlreadyExists":
        return AlreadyExistsError
    if status == 403 and _has_cause(body, "NamespaceTerminating"):
        return NamespaceTerminatingError
    if status == 422 and not body.get("details") and str(body.get("message")).startswith(_PATCH_REFUSED):
        return PatchTestError
    if status >= 500:
        return ServerError
    by_status: dict[int, type[KubeError]] = {
        400: InvalidError,
        401: UnauthorizedError,
        403: ForbiddenError,
        404: NotFoundError,
        409: ConflictError,
        410: GoneError,
        422: InvalidError,
        429: ThrottledError,
    }
    return by_status.get(status, KubeError)


def _has_cause(body: dict[str, Any], reason: str) -> bool:
    causes = (body.get("details") or {}).get("causes") or []
    return any(cause.get("reason") == reason for cause in causes)
