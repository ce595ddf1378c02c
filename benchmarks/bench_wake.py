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
import resource

from harness.report import Findings, machine, plain, rows, write_results
from tests.e2e.kubectl import Kubectl
from tidegate.kube.client import KubeClient
from wake.activation import activation
from wake.at_once import at_once
from wake.cluster import audit_log, gateway_address, installed
from wake.crowds import burst, patches
from wake.field import field
from wake.small_requests import small_requests

ALONE, TOGETHER = "bench-wake-alone", "bench-wake-together"
FILES = 8192  # a thousand clients have a connection each


def main() -> None:
    """Measure everything, print the table and write benchmarks/results/wake.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))
    about = machine()
    with installed() as kubectl:
        findings = asyncio.run(_measured(kubectl, options.pairs, options.rounds))
    print(plain(rows(findings.measures, ["tidegate", "bare"])))
    print(f"\n{write_results('wake', about, findings)}")


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
