"""What the gateway costs, beside nginx and HAProxy: CPU, delay and memory of requests, streams and refusals.

The proxies have one core, load and workers another; a comparison's rounds alternate and medians count. CPU
time is the kernel's account of the proxy's threads, so that a busy machine changes it little. It needs nginx,
HAProxy and wrk: ``apt-get install nginx haproxy wrk`` on Debian (their services need not run).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness import report
from harness.held_scenario import held
from harness.load import Ground, workers
from harness.plan import Plan
from harness.processes import Cores, raise_file_limit
from harness.profiling import PROFILED, profile
from harness.proxies import HAPROXY, NGINX, TIDEGATE
from harness.report import Findings
from harness.request_scenarios import refusals, requests
from harness.stream_scenarios import MANY, many, streams, two_gateways

SCENARIOS: dict[str, Callable[[Ground, Plan], Findings]] = {
    "requests": requests,
    "streams": streams,
    "many": many,
    "held": held,
    "refusals": refusals,
    "two": two_gateways,
}
TOOLS = {"nginx": "nginx", "haproxy": "haproxy", "wrk": "wrk", "taskset": "util-linux"}  # command: package
PAGE = report.ROOT / "docs" / "performance.md"
FILES_NEEDED = 2 * MANY + 500  # of a proxy with that many streams: two sockets each


def main() -> int:
    """Runs the scenarios; a complete run writes benchmarks/results/gateway.json and docs/performance.md."""
    options = _options()
    problem = _cannot_run()
    if problem:
        print(f"bench_gateway: {problem}", file=sys.stderr)
        return 1
    about = report.machine() | _versions()
    with tempfile.TemporaryDirectory() as folder, workers(Path(folder), Cores.of_this_machine()) as ground:
        plan = Plan(options.rounds, options.seconds)
        if options.profile:
            print(profile(ground, plan, options.profile))
            return 0
        findings = Findings()
        for name in options.only or SCENARIOS:
            findings.add(SCENARIOS[name](ground, plan))
    table = report.rows(findings.measures, (NGINX, HAPROXY, TIDEGATE))
    print(f"\n{report.plain(table)}")
    if not options.only:
        _write(about, findings, table)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The gateway's cost beside nginx and HAProxy.")
    text = f"some of {','.join(SCENARIOS)}; nothing is written then"
    parser.add_argument("--only", type=_names, metavar="NAMES", help=text)
    parser.add_argument("--rounds", type=int, default=5, help="of each comparison (5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of load in a round (3)")
    parser.add_argument(
        "--profile", choices=PROFILED, help="what costs what in one of these, and nothing else"
    )
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(SCENARIOS)}")
    return names


def _cannot_run() -> str:
    """Why the benchmark cannot run here, and what to do; empty where it can."""
    missing = [package for command, package in TOOLS.items() if shutil.which(command) is None]
    if missing:
        return f"missing: {', '.join(missing)}; apt-get install {' '.join(missing)}"
    limit = raise_file_limit()
    if limit < FILES_NEEDED:
        return f"{MANY:,} streams need {FILES_NEEDED:,} open files, allowed are {limit:,}: raise ulimit -n"
    try:
        Cores.of_this_machine()
    except ValueError as error:
        return str(error)
    return ""


def _versions() -> dict[str, str]:
    """Of the proxies beside ours."""
    told = {"nginx": ["nginx", "-v"], "haproxy": ["haproxy", "-v"]}
    found = {}
    for name, command in told.items():
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        line = (result.stdout + result.stderr).splitlines()[0]
        found[name] = next(word for word in line.replace("/", " ").split() if word[0].isdigit())
    return found


def _write(about: dict[str, object], findings: Findings, table: list[list[str]]) -> None:
    path = report.write_results("gateway", about, findings)
    where = ", ".join(f"{name} {value}" for name, value in about.items())
    report.write_between_markers(PAGE, "bench-gateway", f"{report.markdown(table)}\n\n{where}")
    print(f"\nwritten: {path.relative_to(report.ROOT)}, {PAGE.relative_to(report.ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
