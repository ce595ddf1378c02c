"""Every metric of the gateway: its name, type, labels and help; the reference page is written from these."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """One metric as Prometheus knows it. ``labels`` are those beside namespace and service."""

    name: str
    type: str
    help: str
    unit: str
    labels: tuple[str, ...] = ()


_START = ("start",)
DEPTH = Family("gateway_queue_depth", "gauge", "Requests waiting and in flight.", "requests")
IN_FLIGHT = Family("gateway_in_flight", "gauge", "Requests running on workers.", "requests")
PENDING = Family("gateway_pending_batch", "gauge", "Requests waiting for a worker.", "requests")
STATE = Family(
    "gateway_worker_state",
    "gauge",
    "1 for the state that the service's workers are in.",
    "0 or 1",
    ("state",),
)
REQUESTS = Family(
    "gateway_requests_total",
    "counter",
    "Requests by outcome and HTTP status.",
    "requests",
    ("outcome", "code"),
)
DELAY = Family("gateway_delay_seconds", "histogram", "From arrival to dispatch.", "seconds", _START)
EXECUTION = Family(
    "gateway_execution_seconds", "histogram", "From dispatch to the last byte.", "seconds", _START
)
TOTAL = Family("gateway_request_seconds", "histogram", "From arrival to the last byte.", "seconds", _START)
FIRST_TOKEN = Family(
    "gateway_time_to_first_token_seconds",
    "histogram",
    "From arrival to a stream's first byte.",
    "seconds",
    _START,
)
RATE = Family(
    "gateway_generation_tokens_per_second",
    "histogram",
    "Tokens after the first over the time after the first, of each stream whose engine told its tokens.",
    "tokens per second",
    _START,
)
TOKENS = Family(
    "gateway_tokens_total",
    "counter",
    "Tokens that engines told of; cached are among prompt.",
    "tokens",
    ("kind",),
)
WAKES = Family("gateway_wakes_total", "counter", "Wakes that were accepted and changed something.", "wakes")
COLD_START = Family(
    "gateway_cold_start_seconds",
    "histogram",
    "Each part of a cold start; they add up to the whole.",
    "seconds",
    ("part",),
)
COLD_START_WHOLE = Family(
    "gateway_cold_start_whole_seconds",
    "histogram",
    "From the wake until the first byte was passed to a client.",
    "seconds",
)
REJECTED = Family(
    "gateway_rejected_total", "counter", "Requests refused before the queue.", "requests", ("reason",)
)
DEGRADED = Family(
    "gateway_degraded_total",
    "counter",
    "Requests whose limit of tokens was lowered; tier 0 is spec.degradation.maxTokens.",
    "requests",
    ("tier",),
)
FAMILIES = (
    DEPTH,
    IN_FLIGHT,
    PENDING,
    STATE,
    REQUESTS,
    DELAY,
    EXECUTION,
    TOTAL,
    FIRST_TOKEN,
    RATE,
    TOKENS,
    DEGRADED,
    WAKES,
    COLD_START,
    COLD_START_WHOLE,
    REJECTED,
)

# Upper edges, included in their bucket.
SECONDS = (0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0)
COLD_SECONDS = (
    0.02,
    0.1,
    0.5,
    1.0,
    2.0,
    3.0,
    5.0,
    8.0,
    10.0,
    15.0,
    20.0,
    30.0,
    60.0,
    90.0,
    180.0,
    300.0,
    600.0,
    900.0,
)
PER_SECOND = (
    1.0,
    2.0,
    5.0,
    10.0,
    15.0,
    20.0,
    30.0,
    40.0,
    50.0,
    75.0,
    100.0,
    150.0,
    200.0,
    300.0,
    500.0,
    1000.0,
)
EDGES = {
    DELAY: SECONDS,
    EXECUTION: SECONDS,
    TOTAL: SECONDS,
    FIRST_TOKEN: SECONDS,
    RATE: PER_SECOND,
    COLD_START: COLD_SECONDS,
    COLD_START_WHOLE: COLD_SECONDS,
}
