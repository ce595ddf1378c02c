"""Every header field that has a meaning of its own here; the reference page is written from these."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One field: its name, the values it takes with their unit, and what it does."""

    name: str
    values: str
    meaning: str


# Those that begin with x-tidegate- are for the gateway alone and are not passed on to the worker.
REQUEST_FIELDS = (
    HeaderField(
        "host",
        "name.namespace…",
        "Names the service where the path does not. The worker gets its own address.",
    ),
    HeaderField(
        "x-request-id",
        "1 to 128 of A-Z a-z 0-9 . _ : / + = @ -",
        "Kept, passed on, and written to the access log; one is made where there is none.",
    ),
    HeaderField("traceparent", "W3C Trace Context", "Passed on untouched, as is tracestate."),
    HeaderField("expect", "100-continue", "Answered once the request is admitted, and not before."),
    HeaderField(
        "x-tidegate-priority",
        "whole number, -100 to 100",
        "The smaller runs first; 0 where it is absent. First come, first served among equals.",
    ),
    HeaderField(
        "x-tidegate-degrade", "never", "Its limit of tokens is not lowered; it waits or gets 429 instead."
    ),
    HeaderField(
        "x-tidegate-comments",
        "seconds, 1 to 60",
        "A stream that waits gets a comment of server-sent events each so many seconds.",
    ),
)
ANSWER_FIELDS = (
    HeaderField("x-request-id", "as above", "The request's id, in every answer of a service."),
    HeaderField(
        "server-timing",
        "queue;dur=…, coldstart;dur=… in milliseconds",
        "What the request waited for: a busy worker, and a first worker.",
    ),
    HeaderField("retry-after", "seconds, 1 to 300", "With 429 and 503 where coming again can help."),
    HeaderField(
        "x-tidegate-degraded", "1; max_tokens=128", "The tier that was active, and the limit that it set."
    ),
)
WORKER_FIELDS = (
    HeaderField(
        "x-tidegate-draining",
        "any",
        "With 503: the worker took nothing because it is about to stop. The request goes to another one.",
    ),
)
