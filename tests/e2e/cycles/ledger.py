"""Which requests the engines have begun and ended, told by themselves to a pod that outlives them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.e2e.kubectl import Kubectl, Object
from tests.e2e.restricted import RESTRICTED
from tests.e2e.services import ENGINE_SIM

PORT = 9999
NAME = "ledger"
# Prints every line that comes on any connection, and nothing else.
_SCRIPT = f"""
import asyncio
async def take(reader, writer):
    while line := await reader.readline():
        print(line.decode().strip(), flush=True)
    writer.close()
async def main():
    server = await asyncio.start_server(take, "0.0.0.0", {PORT})
    async with server:
        await server.serve_forever()
asyncio.run(main())
"""


def pod(namespace: str) -> Object:
    """The pod that listens."""
    container = {
        "name": "ledger",
        "image": ENGINE_SIM,  # any image with Python
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", _SCRIPT],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "securityContext": RESTRICTED,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
    }


def open_ledger(kubectl: Kubectl, namespace: str) -> str:
    """Starts the pod; where engines tell it, as ``host:port``."""
    kubectl.apply(pod(namespace))
    where = (f"pod/{NAME}", "-n", namespace)
    kubectl.run("wait", *where, "--for=condition=Ready", "--timeout=180s", timeout=200)
    return f"{kubectl.get(*where)['status']['podIP']}:{PORT}"


@dataclass(frozen=True)
class Ledger:
    """How often each request was begun and ended, and the pods that ended any."""

    begun: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    workers: frozenset[str] = frozenset()


def read(lines: str) -> Ledger:
    """From what the pod has printed."""
    entries = [line.split() for line in lines.splitlines()]
    return Ledger(
        Counter(entry[1] for entry in entries if entry[0] == "begun"),
        Counter(entry[1] for entry in entries if entry[0] == "ended"),
        frozenset(entry[2] for entry in entries if entry[0] == "ended"),
    )


def read_ledger(kubectl: Kubectl, namespace: str) -> Ledger:
    """What has been told so far."""
    return read(kubectl.run("logs", NAME, "-n", namespace))
