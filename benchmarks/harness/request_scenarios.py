"""What a request costs: one that is answered, and one that is refused."""

from __future__ import annotations

import contextlib
import urllib.error
import urllib.request
from functools import partial

from harness.load import CONNECTIONS, Ground, ask, chat_body, held_requests
from harness.plan import Plan, cost, timed_then_counted
from harness.processes import Meter, wait_for
from harness.proxies import NGINX, Proxy, Refusal, gateway_status, haproxy, nginx, tidegate
from harness.report import Findings, Goal, Measure, Round, medians

_OWN_FIELDS = {"content-type", "content-length", "connection", "date", "server"}  # every proxy writes its own


def requests(ground: Ground, plan: Plan) -> Findings:
    """CPU of the proxy for a chat request of 2.5 KB and its answer of 0.4 KB."""
    with nginx(ground) as one, haproxy(ground) as two, tidegate(ground) as three:
        rounds = [{"round": 0} | direct(ground, plan)]
        rounds += timed_then_counted(plan, (one, two, three), partial(request_round, ground, plan.seconds))
    text = f"CPU a chat request of 2.5 KB, {CONNECTIONS} connections"
    measures = [
        Measure("cpu_per_request", text, "µs", medians(rounds, "request", "cpu_us"), Goal(1.5, NGINX)),
        *instructions("request", "a chat request", rounds),
        Measure(
            "requests_per_second",
            f"chat requests a second; the load alone {rounds[0]['per_second']:,.0f}",
            "1/s",
            medians(rounds, "request", "per_second"),
            direction="max",
        ),
    ]
    return Findings([measure for measure in measures if measure.values], rounds)


def direct(ground: Ground, plan: Plan) -> Round:
    """What the load alone can do: a proxy that is slower is itself the limit."""
    found = ask(ground, ground.worker, "requests", plan.seconds)
    return {"what": "request_direct", "proxy": "none", "per_second": found.per_second}


def request_round(ground: Ground, seconds: float, proxy: Proxy, meter: Meter) -> Round:
    """One proxy, as many requests as it takes."""
    with meter(proxy.pid) as used:
        found = ask(ground, proxy.requests, "requests", seconds)
    if found.refused:
        raise SystemExit(f"bench: {proxy.name} refused {found.refused} of {found.count} requests")
    return {"proxy": proxy.name, "per_second": found.per_second} | cost("request", used, found.count)


def refusals(ground: Ground, plan: Plan) -> Findings:
    """CPU for a 429: ours with the queue full, theirs as a fixed answer of the same bytes."""
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(tidegate(ground))
        stack.enter_context(held_requests(ours.refusals, "full", 1))
        wait_for("the queue is full", lambda: gateway_status(ours.admin)["full"]["depth"] == 1)
        refusal = the_429(ours)
        proxies = [stack.enter_context(start(ground, refusal)) for start in (nginx, haproxy)]
        rounds = timed_then_counted(plan, (*proxies, ours), partial(refusal_round, ground, plan.seconds))
    text = "CPU a 429, chat request of 2.5 KB refused"
    values = medians(rounds, "refusal", "cpu_us")
    measures = [
        Measure("cpu_per_429", text, "µs", values, Goal(1.0, NGINX)),
        *instructions("refusal", "a 429", rounds),
    ]
    return Findings([measure for measure in measures if measure.values], rounds)


def refusal_round(ground: Ground, seconds: float, proxy: Proxy, meter: Meter) -> Round:
    """One proxy, as many refusals as it gives; on connections that are kept."""
    with meter(proxy.pid) as used:
        found = ask(ground, proxy.refusals, "full", seconds)
    if found.refused != found.count:
        raise SystemExit(f"bench: {proxy.name} let {found.count - found.refused} of {found.count} through")
    return {"proxy": proxy.name, "per_second": found.per_second} | cost("refusal", used, found.count)


def the_429(ours: Proxy) -> Refusal:
    """Our refusal, for the others to give: the same body and as many fields."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{ours.refusals}/v1/chat/completions",
        data=chat_body("full").encode(),
        headers={"content-type": "application/json"},
    )
    try:
        urllib.request.urlopen(request).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        with error:
            fields = {name.lower(): value for name, value in error.headers.items()}
            kept = {name: value for name, value in fields.items() if name not in _OWN_FIELDS}
            return Refusal(error.read(), tuple((kept | {"x-request-id": "{id}"}).items()))
    raise SystemExit("bench: a request to a full queue was not refused")


def instructions(what: str, name: str, rounds: list[Round]) -> list[Measure]:
    """The steadier figure beside CPU time: all, and those outside the kernel; empty where not counted."""
    keys = ("kiloinstructions", "kiloinstructions_user")
    all_, user = (medians(rounds, f"{what}_counted", key) for key in keys)
    return [
        Measure(f"instructions_per_{what}", f"instructions {name}", "1,000", all_),
        Measure(f"user_instructions_per_{what}", "of these outside the kernel", "1,000", user),
    ]
