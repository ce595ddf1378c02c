"""How a request can end: one vocabulary for the metric, the access log and the HTTP status."""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """Each request ends in exactly one of these: its word, and when it is given.

    *rejected* is before the queue, *evicted* is after it and before any worker's answer;
    the rest were dispatched. A client can leave at any stage.
    """

    COMPLETED = "completed", "the worker's whole answer was passed on, whatever its status"

    REJECTED_INVALID = "rejected_invalid", "not HTTP/1.1, not JSON, or a body over the limit"
    REJECTED_UNKNOWN = (
        "rejected_unknown",
        "no such service, model or path; or a GET of a service that sleeps",
    )
    REJECTED_SUSPENDED = "rejected_suspended", "spec.suspend is true"
    REJECTED_OVERLOAD = "rejected_overload", "the queue is full, in requests or in bytes"
    REJECTED_UNAVAILABLE = "rejected_unavailable", "this gateway does not know the services yet"

    EVICTED_QUEUE_TIMEOUT = "evicted_queue_timeout", "waited too long while workers were ready, but busy"
    EVICTED_COLD_START_TIMEOUT = "evicted_cold_start_timeout", "waited too long for a first worker"
    EVICTED_REMOVED = "evicted_removed", "the service was deleted or suspended while it waited"
    EVICTED_DRAINING = "evicted_draining", "this gateway had to stop, and its time to drain was over"
    EVICTED_BODY = "evicted_body", "the client's body did not arrive, or outgrew the limit"

    CLIENT_GONE = "client_gone", "the client left, waiting or being answered"
    EXECUTION_TIMEOUT = "execution_timeout", "the worker ran longer than the service allows"
    WORKER_FAILED = "worker_failed", "no byte of an answer was passed on, and every retry was used"
    WORKER_DIED = "worker_died", "the worker failed in the middle of its answer"
    GATEWAY_FAILED = "gateway_failed", "a defect of the gateway: its log has the traceback"

    when: str  # one clause for people
    text: str  # the word; an Enum's own ``value`` costs more to read
    rejected: bool  # it never entered the queue

    def __new__(cls, word: str, when: str) -> Outcome:
        """A member whose value is its word."""
        one = object.__new__(cls)
        one._value_ = word
        one.text = word
        one.when = when
        one.rejected = word.startswith("rejected_")
        return one
