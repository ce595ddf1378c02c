"""The refusals and failures that a client can meet, in OpenAI's shape, each with what to do.

::

    ApiError
    ├─ 400 invalid_request      not HTTP/1.1, or not JSON
    ├─ 404 model_not_found      no such service or model
    ├─ 404 not_found            no such path, or one that wakes nobody
    ├─ 408 request_timeout      head or body did not arrive
    ├─ 413 request_too_large    one body over the service's limit
    ├─ 414, 431, 501, 505       lines, fields, codings and versions of HTTP
    ├─ 429 overload             the queue is full (depth or bytes)
    ├─ 429 queue_timeout        waited too long while workers were ready
    ├─ 500 gateway_failed       a defect of the gateway
    ├─ 502 worker_failed        the worker failed before it answered, on every try
    ├─ 502 worker_died          … and after it began to answer (event in a stream)
    ├─ … worker_answered        the worker's refusal, as an event in a stream that began with comments
    ├─ 503 cold_start_timeout   waited too long for a first worker
    ├─ 503 suspended, service_removed, gateway_not_ready, gateway_draining
    └─ 504 execution_timeout    the worker ran longer than the service allows
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property

from tidegate.domain.outcome import Outcome
from tidegate.domain.service import ServiceKey

# Anthropic's words for a status; 529 and overloaded_error are for an API that is full for everybody.
_MESSAGES_TYPES = {
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
INVALID, RATE, SERVER = "invalid_request_error", "rate_limit_error", "server_error"


@dataclass(frozen=True)
class ApiError:
    """One refusal: HTTP status, OpenAI's fields, seconds of Retry-After, and the request's outcome.

    A full queue says the same to hundreds a second: its text is made once.
    """

    status: int
    type: str
    code: str
    message: str
    outcome: Outcome
    param: str | None = None
    reason: str | None = None
    retry_after: int | None = None

    def body(self) -> bytes:
        """``{"error": {…}}`` as JSON."""
        return self._json

    @cached_property
    def _json(self) -> bytes:
        error = {
            "message": self.message,
            "type": self.type,
            "code": self.code,
            "param": self.param,
            "reason": self.reason,
        }
        return json.dumps({"error": error}).encode()

    def messages_body(self) -> bytes:
        """The same in Anthropic's shape, ``{"type": "error", "error": {…}}``, for /v1/messages."""
        kind = _MESSAGES_TYPES.get(
            self.status, "api_error" if self.status >= 500 else "invalid_request_error"
        )
        error = {"type": kind, "message": self.message, "code": self.code, "reason": self.reason}
        return json.dumps({"type": "error", "error": error}).encode()

    def messages_event(self) -> bytes:
        """The same as the error event of a stream of /v1/messages."""
        return b"event: error\ndata: " + self.messages_body() + b"\n\n"

    def event(self) -> bytes:
        """The same as one server-sent event, for a stream that has begun."""
        return b"data: " + self.body() + b"\n\n"


def invalid(
    message: str, *, status: int = 400, code: str = "invalid_request", reason: str | None = None
) -> ApiError:
    """A request that cannot be understood; ``message`` names the header or field and what is wrong."""
    return ApiError(status, INVALID, code, message, Outcome.REJECTED_INVALID, reason=reason)


def bad_body(message: str, param: str | None = None) -> ApiError:
    """A body that is not what the API takes; ``param`` is the field."""
    return ApiError(400, INVALID, "invalid_request", message, Outcome.REJECTED_INVALID, param=param)


def too_large(size: int, limit: int, outcome: Outcome = Outcome.REJECTED_INVALID) -> ApiError:
    """One body of ``size`` bytes (or at least that many) over ``limit``."""
    message = f"the body has {size} bytes or more, the limit is {limit}: send less, or raise queue.maxBytes"
    return ApiError(413, INVALID, "request_too_large", message, outcome)


def body_timeout(seconds: float) -> ApiError:
    """The client stopped sending its body, or sends it too slowly."""
    message = f"the rest of the body did not arrive: nothing for {seconds:g} s, or far too slowly"
    return ApiError(408, INVALID, "request_timeout", message, Outcome.EVICTED_BODY)


def model_not_found(model: str) -> ApiError:
    """No service has that name; ``model`` is what the client asked for."""
    message = (
        f"no service serves the model {model!r}: ask GET /v1/models for the names, "
        "or use namespace/name of an InferenceService"
    )
    return ApiError(404, INVALID, "model_not_found", message, Outcome.REJECTED_UNKNOWN, param="model")


def no_service_named() -> ApiError:
    """Neither Host, path nor body says which service is meant."""
    message = (
        "the request names no service: put its model into the body, or use the path "
        "/<namespace>/<name>/v1/..., or the Host <name>.<namespace>"
    )
    return ApiError(404, INVALID, "model_not_found", message, Outcome.REJECTED_UNKNOWN, param="model")


def websocket_without_service() -> ApiError:
    """A websocket without a model in its query, on a path and a Host that name no service either."""
    message = (
        "the websocket names no service: put ?model=<name> behind its path, or use the path "
        "/<namespace>/<name>/v1/..., or the Host <name>.<namespace>"
    )
    return ApiError(404, INVALID, "model_not_found", message, Outcome.REJECTED_UNKNOWN, param="model")


def no_such_path(method: str, path: str) -> ApiError:
    """Nothing of a service, and nothing of the gateway."""
    message = f"{method} {path}: no such path; ask for /v1/... or /<namespace>/<name>/v1/..."
    return ApiError(404, INVALID, "not_found", message, Outcome.REJECTED_UNKNOWN)


def nobody_answers(method: str, path: str, key: ServiceKey) -> ApiError:
    """The service has no worker ready, and the request is none that wakes one."""
    message = f"{method} {path}: {key} has no worker ready, and only a POST wakes one"
    return ApiError(404, INVALID, "not_found", message, Outcome.REJECTED_UNKNOWN)


def suspended(key: ServiceKey) -> ApiError:
    """``spec.suspend`` is true."""
    message = f"{key} is suspended: it answers again when spec.suspend is false"
    return ApiError(503, SERVER, "suspended", message, Outcome.REJECTED_SUSPENDED)


def removed(key: ServiceKey) -> ApiError:
    """The service went away while the request waited."""
    message = f"{key} was deleted or suspended while the request waited"
    return ApiError(503, SERVER, "service_removed", message, Outcome.EVICTED_REMOVED)


def gateway_not_ready() -> ApiError:
    """The first listing of services is not there yet."""
    message = "this gateway has just started and does not know the services yet: try again"
    return ApiError(503, SERVER, "gateway_not_ready", message, Outcome.REJECTED_UNAVAILABLE, retry_after=1)


def gateway_draining() -> ApiError:
    """The gateway is about to stop, and has used up its time."""
    message = "this gateway is stopping: try again, another one answers"
    return ApiError(503, SERVER, "gateway_draining", message, Outcome.EVICTED_DRAINING, retry_after=1)


def overload(key: ServiceKey, depth: int, limit: int, retry_after: int) -> ApiError:
    """The queue is full; ``depth`` counts the arriving request too."""
    message = (
        f"{key} is overloaded: {depth - 1} requests wait or run and the limit is {limit}; "
        f"try again in {retry_after} s"
    )
    return ApiError(
        429, RATE, "overload", message, Outcome.REJECTED_OVERLOAD, reason="depth", retry_after=retry_after
    )


def bytes_overload(key: ServiceKey, limit: int, retry_after: int) -> ApiError:
    """The bodies held for the service are at their limit in bytes."""
    message = (
        f"{key} is overloaded: the bodies that it holds reach its limit of {limit} bytes; "
        f"try again in {retry_after} s"
    )
    return ApiError(
        429, RATE, "overload", message, Outcome.REJECTED_OVERLOAD, reason="bytes", retry_after=retry_after
    )


def gateway_full(limit: int) -> ApiError:
    """Too many bodies of which the service is not known yet."""
    message = (
        f"this gateway reads {limit} bytes of bodies already: try again, or name the service by Host or path"
    )
    return ApiError(429, RATE, "overload", message, Outcome.REJECTED_OVERLOAD, reason="bytes", retry_after=1)


def gateway_holds(limit: int) -> ApiError:
    """The bodies of all services together are as many bytes as this gateway may hold."""
    message = (
        f"this gateway is overloaded: the bodies that it holds reach its limit, {limit} bytes: try again"
    )
    return ApiError(429, RATE, "overload", message, Outcome.REJECTED_OVERLOAD, reason="bytes", retry_after=1)


def queue_timeout(key: ServiceKey, seconds: float, retry_after: int) -> ApiError:
    """``queue.waitTimeoutSeconds`` passed while workers were ready, but busy."""
    message = f"Job timeout in queue of {key}: {seconds:g} s passed and every worker is busy"
    return ApiError(
        429, RATE, "queue_timeout", message, Outcome.EVICTED_QUEUE_TIMEOUT, retry_after=retry_after
    )


def cold_start_timeout(key: ServiceKey, seconds: float, retry_after: int, reason: str | None) -> ApiError:
    """``scaling.coldStartTimeoutSeconds`` passed and no worker became ready; ``reason``: why, if known."""
    message = f"no worker of {key} became ready within {seconds:g} s; try again in {retry_after} s"
    return ApiError(
        503,
        SERVER,
        "cold_start_timeout",
        message,
        Outcome.EVICTED_COLD_START_TIMEOUT,
        reason=reason,
        retry_after=retry_after,
    )


def worker_failed(key: ServiceKey, tries: int, reason: str) -> ApiError:
    """No worker gave an answer in ``tries`` tries; ``reason`` is the last try's."""
    message = f"no worker of {key} answered in {tries} tries"
    return ApiError(502, SERVER, "worker_failed", message, Outcome.WORKER_FAILED, reason=reason)


def worker_died(key: ServiceKey, reason: str) -> ApiError:
    """The answer broke off in the middle."""
    message = f"the worker of {key} stopped in the middle of the answer: send the request again"
    return ApiError(502, SERVER, "worker_died", message, Outcome.WORKER_DIED, reason=reason)


def gateway_failed() -> ApiError:
    """Something happened that nobody thought of; the log has it."""
    message = "this gateway failed on the request by a defect of its own: its log says where"
    return ApiError(500, SERVER, "gateway_failed", message, Outcome.GATEWAY_FAILED)


def worker_answered(status: int, message: str) -> ApiError:
    """A worker's answer that is no stream, for a client whose stream has begun with comments."""
    kind = RATE if status == 429 else INVALID if status < 500 else SERVER
    return ApiError(status, kind, "worker_answered", message, Outcome.WORKER_FAILED)


def execution_timeout(key: ServiceKey, seconds: float) -> ApiError:
    """``queue.executionTimeoutSeconds`` passed between dispatch and the last byte."""
    message = f"{key} did not finish within {seconds:g} s: ask for fewer tokens"
    return ApiError(504, SERVER, "execution_timeout", message, Outcome.EXECUTION_TIMEOUT)
