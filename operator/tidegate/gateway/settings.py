"""What a gateway process is told. Durations are seconds, sizes bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """The settings of one gateway; everything about a single service stands in its InferenceService."""

    listen_host: str = "127.0.0.1"
    """Address of the traffic port."""

    listen_port: int = 8080
    """The traffic port; 0 takes a free one."""

    admin_host: str = "127.0.0.1"
    """Address of the admin port: metrics, status, demand. Never to be reached by clients."""

    admin_port: int = 9090
    """The admin port; 0 takes a free one."""

    peer_host: str = "127.0.0.1"
    """Address of the peer port, for the other gateways alone. Used only where a gateway is told of others."""

    peer_port: int = 0
    """The peer port; 0 takes a free one."""

    header_timeout: float = 15.0
    """From the first byte of a request to the end of its header. A slower client gets 408."""

    body_timeout: float = 30.0
    """The longest silence inside a body. A slower client gets 408 and its place in the queue is free."""

    body_rate: int = 16 * 1024
    """Bytes a second that a body must have come at, on the whole and beyond ``body_timeout``; else 408."""

    idle_timeout: float = 75.0
    """How long a connection may stay open between requests; nginx's default, longer than clients' pools."""

    linger_timeout: float = 5.0
    """After a refusal: the longest silence while the client still sends. 30 s in all."""

    connect_timeout: float = 3.0
    """For a TCP connection to a worker; then the request waits for another one. 0: the kernel's own limit,
    some two minutes on Linux."""

    first_byte_timeout: float = 0.0
    """From dispatch to the head of the answer; then the worker has failed, and the request may go to another.
    0: none of its own, and ``queue.executionTimeoutSeconds`` holds. That is the default, because the head of
    an answer that does not stream comes when the whole answer is done."""

    silence_timeout: float = 120.0
    """Between two pieces of an answer's body; then a stream ends with an error event, as if the worker died.
    It begins with the first piece: a long prompt before it is work, not silence. An engine on CPU may stop
    its streams for the prefill of one more prompt, 4,096 tokens at 50 a second being 82 s. 0: none of its
    own, and ``queue.executionTimeoutSeconds`` holds."""

    upstream_idle_timeout: float = 4.0
    """How long an unused connection to a worker is kept; below the 5 s after which vLLM closes it."""

    max_tries: int = 3
    """How often a request is sent to workers before its failure is the client's; 1 never sends again.
    A worker that turns it away because it is about to stop has not failed."""

    max_unrouted_bytes: int = 256 * 1024 * 1024
    """Bodies in memory of which the service is not known yet, all together."""

    max_held_bytes: int = 1024 * 1024 * 1024
    """Bodies in memory over all services and none; half of the 2 GiB that the chart allows the gateway."""

    probe_interval: float = 0.01
    """Between the first probes of a worker that requests wait for and that does not listen yet; later it is a
    hundredth of what the start has taken, 1 at most. 0.05 at least where something listens."""

    calm_probe_interval: float = 1.0
    """Between two probes of a worker that no request waits for."""

    probe_timeout: float = 1.0
    """For one probe's answer; its connection gets 0.2."""

    probes_at_once: int = 256
    """Probes under way at one time, over all services."""

    wake_interval: float = 1.0
    """After a wake that was accepted: until the next one of the same service, however many requests wait. One
    that was refused is tried again after a twentieth of it, a tenth and so on up to the whole."""

    wake_timeout: float = 10.0
    """For one wake."""

    drain_seconds: float = 330.0
    """From SIGTERM on: how long what waits and runs may take to finish; the rest is ended with an error.

    A pod's grace period has to hold more than this: it begins before SIGTERM, with the preStop hook, and the
    errors have to be written before SIGKILL. With a sleep of 5 s there, 330 s here need 340 s.
    """

    access_log: bool = True
    """One line of JSON a request on standard output."""
