"""How a request can end: one vocabulary for the metric, the access log and the HTTP status."""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """Each request ends in exactly one of these.

    *rejected* is before the queue, *evicted* is after it and before any worker's answer;
    the rest were dispatched.
    """

    COMPLETED = "completed"  # the worker's whole answer was passed on, whatever its status

    REJECTED_INVALID = "rejected_invalid"  # not HTTP, not JSON, or a body over the limit
    REJECTED_UNKNOWN = "rejected_unknown"  # no such service
    REJECTED_SUSPENDED = "rejected_suspended"
    REJECTED_OVERLOAD = "rejected_overload"  # depth or bytes
    REJECTED_UNAVAILABLE = "rejected_unavailable"  # this gateway is not ready, or is leaving

    EVICTED_QUEUE_TIMEOUT = "evicted_queue_timeout"
    EVICTED_COLD_START_TIMEOUT = "evicted_cold_start_timeout"
    EVICTED_REMOVED = "evicted_removed"  # the service was deleted or suspended while it waited
    EVICTED_DRAINING = "evicted_draining"  # this gateway had to stop before its turn came
    EVICTED_BODY = "evicted_body"  # the client's body did not arrive, or outgrew the limit

    CLIENT_GONE = "client_gone"  # the client left, waiting or being answered
    EXECUTION_TIMEOUT = "execution_timeout"
    WORKER_FAILED = "worker_failed"  # no byte was passed on, and every retry was used
    WORKER_DIED = "worker_died"  # in the middle of an answer

    def __init__(self, value: str) -> None:
        self.rejected = value.startswith("rejected_")  # it never entered the queue
