"""How a worker ends: what is sent to it, and how long it has for what it runs. All times are seconds.

::

    deletion ── PRE_STOP ──▶ SIGTERM ── what runs, executionTimeoutSeconds at most ──▶ end
       │ gateways see it,                                   │ after LATENESS more the engine is
       └ nothing new is sent                                └ stopped, at _GRACE_MARGIN killed
"""

from __future__ import annotations

from typing import Any

from tidegate.api.spec import InferenceServiceSpec

# A kubelet and a gateway learn of a deletion by a watch each, so SIGTERM may come first. An engine that stops
# listening then resets what waits to be accepted, and the idle connection on which a request is on its way.
# Watches are some ten milliseconds late; a whole second is the least that can be asked for.
PRE_STOP = 1
LATENESS = 5  # a gateway ends an overdue request a quarter of a second late, and may be busy
_GRACE_MARGIN = 30  # beyond executionTimeoutSeconds, until the kubelet kills whatever is left


def lifecycle() -> dict[str, Any]:
    """The engine's container goes on serving until every gateway has seen that its pod is deleted."""
    return {"preStop": {"sleep": {"seconds": PRE_STOP}}}


def drain_seconds(spec: InferenceServiceSpec) -> int:
    """From SIGTERM on; requests that gateways have sent end before, by their own limit."""
    return spec.queue.execution_timeout_seconds + LATENESS


def grace_seconds(spec: InferenceServiceSpec) -> int:
    """From the deletion to SIGKILL, preStop included."""
    return spec.queue.execution_timeout_seconds + _GRACE_MARGIN
