"""One measurement: some requests to a worker, and what the kernel counted meanwhile."""

from __future__ import annotations

import datetime as dt
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from isolation.asking import Plan
from isolation.cases import Placement, Workload
from isolation.figures import percentile
from isolation.kernel import (
    Counters,
    allowed_cores,
    pod_groups,
    processes,
    read_counters,
    shares,
    stopped,
    used_by_others,
)
from isolation.manifests import PORT
from isolation.stage import Worker
from tidegate.devcluster.cpus import parse_cpus

Round = dict[str, Any]
ASKING = Path(__file__).with_name("asking.py")
LONGEST = 600.0  # seconds for one measurement
SENTENCE = "The tide comes in and goes out again, and the gate lets through what the harbour can hold. "
READY_PATHS: Mapping[Workload, str] = {"unary": "/", "chat": "/v1/models", "embeddings": "/v1/models"}
MOST: Mapping[Workload, int] = {"unary": 6, "chat": 4, "embeddings": 6}
SECONDS = 5.0  # no request of a measurement begins later
TOKENS = 600  # of a chat


def plan(workload: Workload, threads: int, hosts: Sequence[str], most: int = 0) -> Plan:
    """What is asked; the unary worker is told its threads, 0: its own choice."""
    bodies: dict[Workload, tuple[str, Mapping[str, Any]]] = {
        "unary": (f"/predict?threads={threads}", {}),
        "chat": (
            "/v1/chat/completions",
            {
                "model": "chat",
                "messages": [{"role": "user", "content": "Tell me of the tide."}],
                "max_tokens": TOKENS,
                "min_tokens": TOKENS,
                "ignore_eos": True,
                "temperature": 0,
                "stream": True,
            },
        ),
        "embeddings": ("/v1/embeddings", {"model": "minilm", "input": [SENTENCE * 4] * 32}),
    }
    path, body = bodies[workload]
    return Plan(hosts, PORT, path, json.dumps(body), most or MOST[workload], SECONDS)


def warm_up(workload: Workload, worker: Worker) -> None:
    """The first request of a worker, which allocates what the others use; on one thread: that is quick."""
    _asked(plan(workload, 1, [worker.address], most=1))


def measure(workload: Workload, placement: Placement, workers: Sequence[Worker]) -> Round:
    """Asks the workers in turn; what came of it and what the kernel counted. SystemExit where one refuses."""
    groups = [group for worker in workers for group in pod_groups(worker.uid)]
    cores, load, before = allowed_cores(processes(groups)), os.getloadavg()[0], read_counters(groups)
    found = _asked(plan(workload, placement.threads or 0, [worker.address for worker in workers]))
    after = read_counters(groups)
    return {
        "when": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "load": round(load, 2),
        "worker_cores": cores,
        "client": found["client"],
        **told(found["requests"]),
        **counted(before, after),
        **others(before, after, cores),
    }


def others(before: Counters, after: Counters, cores: str) -> Round:
    """Seconds that the pod's cores worked for somebody else, where they are not all of the machine's."""
    own = parse_cpus(cores)
    if not own or own == after.busy_seconds.keys():
        return {}
    return {"others_seconds": round(used_by_others(before, after, own), 3)}


def told(requests: Sequence[Mapping[str, Any]]) -> Round:
    """The client's figures, in seconds."""
    if any(request["status"] != 200 for request in requests):
        raise SystemExit(f"bench-isolation: a worker answered {[each['status'] for each in requests]}")
    totals = [request["total"] for request in requests]
    firsts = [request["first"] for request in requests if request["first"] is not None]
    gaps = [gap for request in requests for gap in request["gaps"]]
    found: Round = {
        "totals": [round(total, 4) for total in totals],
        "total": round(statistics.median(totals), 4),
        "connect": round(max(request["connect"] for request in requests), 5),
        "starttransfer": round(statistics.median(request["starttransfer"] for request in requests), 4),
    }
    if firsts:
        found["ttft"] = round(statistics.median(firsts), 4)
    if gaps:
        found |= {f"gap_p{at}": round(percentile(gaps, at), 6) for at in (50, 95, 99)}
        found["gaps"] = len(gaps)
    return found


def counted(before: Counters, after: Counters) -> Round:
    """The kernel's figures over the measurement."""
    throttling = stopped(before, after)
    return {
        "periods": throttling.periods,
        "throttled_periods": throttling.throttled,
        "throttled_seconds": round(throttling.seconds, 3),
        "run_queue_seconds": round(max(0.0, after.run_queue_seconds - before.run_queue_seconds), 3),
        "cores": shares(before.cores, after.cores),
    }


def _asked(what: Plan) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(ASKING)],
        input=json.dumps(asdict(what)),
        stdout=subprocess.PIPE,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    if done.returncode:
        raise SystemExit("bench-isolation: the client ended early; its words stand above")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
