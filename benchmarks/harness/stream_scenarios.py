"""What streams cost: CPU and delay of a chunk, memory of a stream, and what a second gateway adds."""

from __future__ import annotations

import contextlib
import math
import statistics
from functools import partial
from typing import Any

from harness.load import Ground, begin, reading, told
from harness.plan import Plan, cost, interleaved, timed_then_counted
from harness.processes import Meter, Used, free_ports, resident_bytes, timed, wait_for
from harness.proxies import HAPROXY, NGINX, TIDEGATE, Proxy, haproxy, nginx, shares, tidegate
from harness.report import Findings, Goal, Measure, Round, medians
from harness.request_scenarios import instructions

STREAMS, INTERVAL_MS = 400, 25
MANY, MANY_INTERVAL_MS, MANY_SECONDS = 5000, 1000, 5.0
EACH = 200


def streams(ground: Ground, plan: Plan) -> Findings:
    """CPU of the proxy for a chunk, and how much later a chunk comes than without a proxy."""
    with nginx(ground) as one, haproxy(ground) as two, tidegate(ground) as three:
        none = Proxy("none", 0, 0, ground.source, 0)
        subjects = (none, one, two, three)
        rounds = timed_then_counted(plan, subjects, partial(stream_round, ground, plan.seconds))
    cpu, rate = (medians(rounds, "chunk", key) for key in ("cpu_us", "per_second"))
    del cpu["none"]
    due = STREAMS * 1000 // INTERVAL_MS
    per = f"{STREAMS} streams, {1000 // INTERVAL_MS} a second each"
    measures = [
        Measure("cpu_per_chunk", f"CPU a chunk, {per}", "µs", cpu, Goal(1.3, NGINX)),
        *instructions("chunk", "a chunk", rounds),
        Measure("chunks_per_second", f"chunks that came, of {due:,} due", "1/s", rate, direction="max"),
        Measure("delay_added_p50", "delay added to a chunk, median", "µs", added(rounds, "p50")),
        Measure(
            "delay_added_p99", "delay added to a chunk, p99", "µs", added(rounds, "p99"), Goal(2.0, NGINX)
        ),
    ]
    return Findings([measure for measure in measures if measure.values], rounds)


def stream_round(ground: Ground, seconds: float, proxy: Proxy, meter: Meter) -> Round:
    """One proxy, or none: its streams for some seconds. Ends the benchmark where one of them fails."""
    with reading(ground, proxy.streams, STREAMS, INTERVAL_MS, seconds) as clients:
        with meter(proxy.pid) if proxy.pid else nobody(meter) as used:
            begin(clients)
            found = told(clients)
        if found["failed"]:
            raise SystemExit(f"bench: {found['failed']} of {STREAMS} streams failed through {proxy.name}")
    return {"proxy": proxy.name} | per_second(found) | cost("chunk", used, found["chunks"])


def nobody(meter: Meter) -> contextlib.nullcontext[Used]:
    """What no proxy uses: no time, and no instructions."""
    return contextlib.nullcontext(Used(cpu=0.0 if meter is timed else None))


def per_second(found: dict[str, Any]) -> Round:
    """What the clients told, less its counts."""
    return {"per_second": found["chunks"] / found["seconds"], "p50": found["p50"], "p99": found["p99"]}


def added(rounds: list[Round], percentile: str) -> dict[str, float]:
    """The median over the rounds of what each proxy adds to that round's direct delay, in µs."""
    chunks = [one for one in rounds if one["what"] == "chunk"]
    bare = {one["round"]: one[percentile] for one in chunks if one["proxy"] == "none"}
    return {
        proxy: statistics.median(
            one[percentile] - bare[one["round"]] for one in chunks if one["proxy"] == proxy
        )
        for proxy in (NGINX, HAPROXY, TIDEGATE)
    }


def many(ground: Ground, _plan: Plan) -> Findings:
    """Thousands of streams at once on one process: which fail, and what memory one takes."""
    rounds = []
    for start in (nginx, haproxy, tidegate):
        with start(ground) as proxy:
            rounds.append({"round": 0} | many_round(ground, proxy))
            print(rounds[-1], flush=True)
    failed, memory = medians(rounds, "many", "failed"), medians(rounds, "many", "kb_per_stream")
    measures = [
        Measure("streams_failed", f"of {MANY:,} streams at once, failed", "streams", failed, Goal(0)),
        Measure("memory_per_stream", "memory a stream", "KB", memory),
    ]
    return Findings(measures, rounds)


def many_round(ground: Ground, proxy: Proxy) -> Round:
    """One proxy that has done nothing before."""
    before = resident_bytes(proxy.pid)
    with reading(ground, proxy.streams, MANY, MANY_INTERVAL_MS, MANY_SECONDS) as clients:
        begin(clients)
        found = told(clients)
        grown = resident_bytes(proxy.pid) - before
    return {
        "what": "many",
        "proxy": proxy.name,
        "failed": found["failed"],
        "kb_per_stream": grown / MANY / 1024,
        "megabytes": (before + grown) / 1e6,
    } | per_second(found)


def two_gateways(ground: Ground, plan: Plan) -> Findings:
    """Chunks for a CPU second by one gateway, and by two that share the service's queue, each with as many
    streams as the one: half of the two gateways' streams hold tickets of the other one's.

    CPU time, not wall clock: with two cores both gateways share one, so the figure is what two cores could
    carry, each gateway's chunks for a second of its own CPU, added up.
    """
    first, second = (f"127.0.0.1:{port}" for port in free_ports(2))
    with (
        tidegate(ground, flags=("--peer-listen", first, "--peer", second)) as one,
        tidegate(ground, core=ground.cores.second, flags=("--peer-listen", second, "--peer", first)) as two,
    ):
        for gateway in (one, two):
            wait_for("the gateways share their queues", partial(shares, gateway.admin))
        rounds = interleaved(
            plan, ((one,), (one, two)), lambda pair: capacity_round(ground, pair, plan.seconds)
        )
    capacity = medians(rounds, "capacity", "chunks_per_cpu_second")
    text = "chunks a CPU second, {}, {} streams each"
    alone = {TIDEGATE: capacity["one_gateway"]}
    both = {TIDEGATE: capacity["two_gateways"]}
    ratio = {TIDEGATE: capacity["two_gateways"] / capacity["one_gateway"]}
    measures = [
        Measure("chunks_one_gateway", text.format("one gateway", EACH), "1/s", alone, direction="max"),
        Measure("chunks_two_gateways", text.format("two gateways", EACH), "1/s", both, direction="max"),
        Measure("two_gateways", "two gateways over one", "ratio", ratio, Goal(1.8), "max"),
    ]
    return Findings(measures, rounds)


def capacity_round(ground: Ground, gateways: tuple[Proxy, ...], seconds: float) -> Round:
    """One gateway or two under streams at the same time: the sum of what each carries for a CPU second."""
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(reading(ground, one.streams, EACH, INTERVAL_MS, seconds)) for one in gateways
        ]
        with contextlib.ExitStack() as meters:
            used = [meters.enter_context(timed(one.pid)) for one in gateways]
            for client in clients:
                begin(client)
            found = [told(client) for client in clients]
    if sum(one["failed"] for one in found):
        raise SystemExit("bench: streams failed through two gateways")
    each = [one["chunks"] / (spent.cpu or math.inf) for one, spent in zip(found, used, strict=True)]
    name = "one_gateway" if len(gateways) == 1 else "two_gateways"
    return {"what": "capacity", "proxy": name, "chunks_per_cpu_second": sum(each), "each": each}
