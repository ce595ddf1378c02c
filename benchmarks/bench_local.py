"""What `tidegate up` adds on one machine: to the start of a worker, and to a request.

A wake is measured from the moment before the request is sent until the first byte of its answer. The bare
process is started by the benchmark itself with what the kernel says that `up` started: the same command,
environment, folder and cores; it is asked as soon as it listens. Pairs are interleaved, nothing of a start is
left when the next one begins, and one pair before those that count brings everything into the page cache.
With the simulated engine, which takes a second to start; and with real vLLM and the tiny model, where
`worker-image/install_cpu.py` has installed vLLM.

Requests go through `up` and through `tidegate gateway --file` in turns, both on one core and before the same
worker. That needs nginx and wrk: ``apt-get install nginx wrk`` on Debian.

    python benchmarks/bench_local.py [--pairs 20] [--vllm-pairs 3] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from harness.plan import Plan
from harness.processes import raise_file_limit
from harness.report import (
    ROOT,
    Findings,
    machine,
    markdown,
    plain,
    rows,
    write_between_markers,
    write_results,
)
from local.activation import BARE, UP, Subject, activation
from local.proxied import GATEWAY, answering, idle, proxied
from local.vllm import cache, tiny_chat
from tests.component.local.manifests import service
from tests.component.local.place import place

PAGE = ROOT / "docs" / "local.md"
PAIRS, VLLM_PAIRS, ROUNDS, SECONDS = 20, 3, 5, 3.0
TOOLS = {"nginx": "nginx", "wrk": "wrk", "taskset": "util-linux"}  # command: package
SIMULATED = Subject("sim", "simulated engine", 0.002)
VLLM = Subject("tiny-chat", "vLLM, tiny model", 0.01)


def main() -> int:
    """Measure everything and print the table; a whole run is written to its JSON file and docs/local.md."""
    options = _options()
    missing = [package for command, package in TOOLS.items() if shutil.which(command) is None]
    if missing:
        print(f"bench_local: missing: apt-get install {' '.join(missing)}", file=sys.stderr)
        return 1
    raise_file_limit()
    about = machine()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        findings = asyncio.run(_measured(Path(folder), options))
    table = rows(findings.measures, [UP, BARE, GATEWAY])
    print(plain(table))
    if options.pairs >= PAIRS and options.vllm_pairs >= VLLM_PAIRS and options.rounds >= ROUNDS:
        about |= {"load_after": round(os.getloadavg()[0], 2)}
        print(f"\n{write_results('local', about, findings)}")
        where = ", ".join(f"{name} {value}" for name, value in about.items())
        write_between_markers(PAGE, "bench-local", f"{markdown(table)}\n\n{where}")
    return 0


def _options() -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    for option, usual, what in (
        ("--pairs", PAIRS, "with the simulated engine"),
        ("--vllm-pairs", VLLM_PAIRS, "with vLLM"),
        ("--rounds", ROUNDS, "of requests"),
    ):
        text = f"{what}; {usual}; fewer: a trial, and nothing is written"
        parser.add_argument(option, type=int, default=usual, help=text)
    return parser.parse_args()


async def _measured(folder: Path, options: argparse.Namespace) -> Findings:
    findings = Findings()
    async with place(_made(folder / "wakes")) as here:
        here.put(service(SIMULATED.name, {"ENGINE_START_DELAY_SECONDS": "1"}))
        up = await here.start()
        findings.add(await activation(here, up, SIMULATED, options.pairs))
    if options.vllm_pairs and (chat := tiny_chat(VLLM.name)):
        async with place(_made(folder / "vllm"), XDG_CACHE_HOME=cache()) as here:
            here.put(chat)
            findings.add(await activation(here, await here.start(), VLLM, options.vllm_pairs))
    async with place(_made(folder / "requests")) as here:
        here.put(answering(here.folder))
        up = await here.start()
        findings.add(await proxied(here, up, Plan(options.rounds, SECONDS)))
        findings.add(await idle(up))
    return findings


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    sys.exit(main())
