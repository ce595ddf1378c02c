"""How long a service at zero keeps its first requests waiting, beside the same pods without tidegate.

On the development cluster, which is brought up and taken down again where none is up; the engine is simulated
and answers as soon as it runs, so that nothing is left but what Kubernetes and tidegate take.

The bare pod is made of the worker Deployment's own pod template, without tidegate's labels. It is started by
a write of its Deployment's scale over a connection that is open already: with `kubectl scale` the start of a
process, some tenths of a second, would count against it, and flatter us. Its address is learned by a watch on
pods, as anybody would learn it, and from then on it is asked every 10 ms. Before every start all pods are
gone. Both ways are gone once before the pairs that count, since a node's first pod takes longer than others.

    python benchmarks/bench_wake.py [--pairs 30] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource

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
from tests.e2e.kubectl import Kubectl
from tidegate.kube.client import KubeClient
from wake.activation import activation
from wake.at_once import at_once
from wake.burst import burst
from wake.cluster import audit_log, gateway_address, installed
from wake.field import field
from wake.patches import patches
from wake.pods import BUDGET
from wake.small_requests import small_requests

ALONE, TOGETHER = "bench-wake-alone", "bench-wake-together"
PAGE = ROOT / "docs" / "waking.md"
PAIRS, ROUNDS = 30, 3
FILES = 8192  # a thousand clients have a connection each


def main() -> None:
    """Measure everything and print the table; a whole run is written to its JSON file and docs/waking.md."""
    options = _options()
    _open_files()
    about = machine()
    with installed() as kubectl:
        try:
            findings = asyncio.run(_measured(kubectl, options.pairs, options.rounds))
        except TimeoutError:
            raise SystemExit(
                f"something did not come within {BUDGET:g} s; the last line says after what"
            ) from None
    table = rows(findings.measures, ["tidegate", "bare"])
    print(plain(table))
    if (options.pairs, options.rounds) == (PAIRS, ROUNDS):
        print(f"\n{write_results('wake', about | {'load_after': load()}, findings)}")
        where = ", ".join(f"{name} {value}" for name, value in about.items())
        write_between_markers(PAGE, "bench-wake", f"{markdown(table)}\n\n{where}")


def load() -> float:
    """The machine's load of the last minute."""
    return round(os.getloadavg()[0], 2)


def _options() -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    other = "another number is tried out, and nothing is written"
    parser.add_argument("--pairs", type=int, default=PAIRS, help=f"{PAIRS}; {other}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of twenty at once; {ROUNDS}; {other}")
    return parser.parse_args()


def _open_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))


async def _measured(kubectl: Kubectl, pairs: int, rounds: int) -> Findings:
    findings, gateway, log = Findings(), gateway_address(kubectl), audit_log()
    async with await KubeClient.connect() as kube:
        async with field(kube, ALONE, gateway) as alone:
            findings.add(await activation(alone, pairs))
        async with small_requests(kube, TOGETHER), field(kube, TOGETHER, gateway) as together:
            findings.add(await patches(together, log))
            findings.add(await burst(together))
            findings.add(await at_once(together, rounds))
    return findings


if __name__ == "__main__":
    main()
