"""What it costs to hold requests: the memory of those that wait for a worker."""

from __future__ import annotations

from harness.load import Ground, chat_body, chat_request, held_requests
from harness.plan import Plan
from harness.processes import resident_bytes, wait_for
from harness.proxies import TIDEGATE, gateway_status, tidegate
from harness.report import Findings, Goal, Measure

HELD = 1000
ALLOWANCE = 4096  # bytes a request, beside twice its body


def held(ground: Ground, _plan: Plan) -> Findings:
    """Requests of 2.5 KB for a service without a worker, on a gateway that has done nothing before."""
    with tidegate(ground) as proxy:
        before = resident_bytes(proxy.pid)
        with held_requests(proxy.requests, "held", HELD):
            wait_for(
                "every request waits", lambda: int(gateway_status(proxy.admin)["held"]["waiting"]) == HELD
            )
            grown = resident_bytes(proxy.pid) - before
    body = len(chat_body("held"))
    goal = Goal((2 * body + ALLOWANCE) / 1024)
    text = f"memory a held request, {HELD:,} of {len(chat_request('held')):,} bytes (body {body:,})"
    value = grown / HELD / 1024
    return Findings(
        [Measure("memory_per_held_request", text, "KB", {TIDEGATE: value}, goal)],
        [{"round": 0, "what": "held", "proxy": TIDEGATE, "kb_per_request": value, "megabytes": grown / 1e6}],
    )
