"""Workers that end under load, in each way in which they do: what becomes of what runs, and of what comes.

The most different ways here; ``make campaign-drain`` takes all of them, on two nodes and writes the figures.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx
import pytest

from tests.e2e import small_workers
from tests.e2e.conftest import Gateway, gateway_pods, reachable
from tests.e2e.drain_results import write_results
from tests.e2e.held_load import Load, arrivals, failures
from tests.e2e.kubectl import CommandError, Kubectl, Object, eventually
from tests.e2e.processes import engines_of, kill_engine
from tests.e2e.services import Services, simulated
from tidegate.domain.deletion_order import COST_ANNOTATION

CAMPAIGN = bool(os.environ.get("TIDEGATE_DRAIN_RESULTS"))
STREAMS, UNARY, DIRECT = 100, 20, 10
PACE = 5  # tokens a second
LONG = 75  # tokens: 15 s, so that the first has not ended before the last has begun
SHORT = 2
EVERY = 0.03  # seconds between two new requests
NEW_SECONDS = 10.0 if CAMPAIGN else 4.0  # for how long after the event they come

campaign_only = pytest.mark.skipif(not CAMPAIGN, reason="see `make campaign-drain`")


@dataclass
class Counts:
    """What one case came to. ``in_flight``: streams and others that ran when it began. A new stream that had
    begun when it was cut counts among the cut ones."""

    case: str
    in_flight: int = 0
    new: int = 0
    new_failed: list[str] = field(default_factory=list)
    unary_failed: list[str] = field(default_factory=list)
    streams_cut: int = 0
    cut_with_event: int = 0
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """All that did not end as it should."""
        return len(self.new_failed) + len(self.unary_failed) + self.streams_cut


@pytest.fixture(scope="module")
def cases() -> Iterator[list[Counts]]:
    """What each case came to, printed and written at the end."""
    found: list[Counts] = []
    yield found
    for each in found:
        print(json.dumps(asdict(each)))
    if CAMPAIGN:
        write_results([asdict(each) for each in found])


class Stage:
    """A service whose count the test sets, the gateway before it, and the load on both."""

    def __init__(self, kubectl: Kubectl, services: Services, gateway: Gateway) -> None:
        self.kubectl, self.services, self.gateway = kubectl, services, gateway
        self.manifest: Object = {}
        self.name = ""

    def create(self, name: str, replicas: int, **spec: Any) -> None:
        """Returns when so many workers take requests."""
        self.name = name
        self.manifest = simulated(name, self.services.namespace, ENGINE_TOKENS_PER_SECOND=str(PACE))
        parts = self.manifest["spec"]
        parts["engine"]["maxConcurrency"] = 256
        parts["queue"] = {"maxDepth": 4000, "executionTimeoutSeconds": 120}
        parts["scaling"] = {"mode": "External", "maxReplicas": 8, "coldStartTimeoutSeconds": 60}
        parts |= {"replicas": replicas, **spec}
        self.services.apply(self.manifest)
        self.wait_ready(replicas)

    def wait_ready(self, replicas: int) -> None:
        """Gateways find a worker ready before its kubelet does; a ReplicaSet goes by the kubelet's word."""
        eventually(lambda: len(self.state()["endpoints"]) == replicas, "workers take requests", seconds=120)
        eventually(
            lambda: self.services.get(self.name)["status"].get("readyReplicas") == replicas,
            "kubelets find the workers ready",
            seconds=120,
        )

    def state(self) -> Any:
        """What the gateway says of the service."""
        services = httpx.get(f"{self.gateway.admin}/status", timeout=60).json()["services"]
        name = f"{self.services.namespace}/{self.name}"
        return next((each for each in services if each["service"] == name), {"endpoints": [], "inFlight": 0})

    def workers(self) -> list[Object]:
        """The pods that are not on their way out."""
        return [pod for pod in self.services.pods(self.name) if "deletionTimestamp" not in pod["metadata"]]

    def load(self) -> Load:
        """Requests through the gateway."""
        path = f"/{self.services.namespace}/{self.name}/v1/chat/completions"
        return Load(self.gateway.url, path, self.name)

    def scale(self, replicas: int) -> None:
        """What `kubectl scale` does in mode External."""
        place = ("inferenceservices.tidegate.io", self.name, "-n", self.services.namespace)
        self.kubectl.run("scale", *place, f"--replicas={replicas}")

    def change(self) -> None:
        """A change of the spec that makes every worker a new one."""
        self.manifest["spec"]["engine"]["env"].append({"name": "CHANGED", "value": "yes"})
        self.services.apply(self.manifest)


Event = Callable[[], Awaitable[None]]


async def under_load(stage: Stage, counts: Counts, event: Event, *, unary: int = UNARY) -> None:
    """Streams and requests run, then ``event`` comes while new ones arrive; counts what became of all."""
    load, over = stage.load(), asyncio.Event()
    streams = load.many(STREAMS, LONG, stream=True)
    others = load.many(unary, LONG, stream=False)
    counts.in_flight = STREAMS + unary
    await _until(lambda: load.begun == STREAMS and stage.state()["inFlight"] >= counts.in_flight)
    new = asyncio.create_task(arrivals(load, over, EVERY, SHORT))
    await event()
    await asyncio.sleep(NEW_SECONDS)
    over.set()
    ended = await asyncio.gather(*streams)
    counts.unary_failed += failures(await asyncio.gather(*others))
    came = await new
    begun = [end for end in came if end.begun and end.event]
    counts.new, counts.new_failed = len(came), failures(end for end in came if end not in begun)
    cut = [end for end in (*ended, *begun) if not end.whole]
    counts.streams_cut, counts.cut_with_event = len(cut), sum(end.event for end in cut)


async def _until(holds: Callable[[], bool]) -> None:
    await asyncio.to_thread(eventually, holds, "what the case waits for", seconds=120)


@pytest.fixture
def stage(kubectl: Kubectl, services: Services, gateway: Gateway) -> Iterator[Stage]:
    """Workers are small where the cluster can make them so: several must fit on a node."""
    small = small_workers.make_small(kubectl, services.namespace)
    if not small:
        pytest.skip("this cluster cannot make workers small, and has no room for several")
    try:
        yield Stage(kubectl, services, gateway)
    finally:
        place = ("inferenceservices.tidegate.io", "--all", "-n", services.namespace, "--wait=false")
        kubectl.run("delete", *place)
        small_workers.forget(kubectl, services.namespace)


def run(stage: Stage, counts: Counts, event: Callable[[], Any], **more: Any) -> None:
    """One case, whose event is a call that takes a moment."""

    async def in_a_thread() -> None:
        await asyncio.to_thread(event)

    asyncio.run(under_load(stage, counts, in_a_thread, **more))


def test_three_workers_become_one_the_busiest_stays_and_no_stream_is_cut(
    stage: Stage, cases: list[Counts]
) -> None:
    stage.create("shrinks", 1)
    stage.scale(3)
    stage.wait_ready(3)
    newest = max(stage.workers(), key=lambda pod: str(pod["status"]["startTime"]) + pod["metadata"]["name"])
    address = newest["status"]["podIP"]
    if not reachable(address, 8000):
        pytest.skip("pods cannot be reached from here, so no worker can be made the busiest")
    counts = Counts("scale-down 3 to 1")
    left: list[Object] = []
    marks: list[str] = []

    async def shrink() -> None:
        direct = Load(f"http://{address}:8000", "/v1/chat/completions", "shrinks")
        round_the_gateway = direct.many(DIRECT, LONG, stream=True)
        await _until(lambda: direct.begun == DIRECT)
        await asyncio.to_thread(stage.scale, 1)
        await _until(lambda: len(stage.workers()) == 1)
        left.extend(stage.workers())
        pods = stage.services.pods("shrinks")
        marks.extend(pod["metadata"].get("annotations", {}).get(COST_ANNOTATION, "") for pod in pods)
        assert failures(await asyncio.gather(*round_the_gateway)) == []

    asyncio.run(under_load(stage, counts, shrink))
    stayed = [pod["metadata"]["name"] for pod in left] == [newest["metadata"]["name"]]
    counts.more = {"busiest_stayed": stayed}
    cases.append(counts)
    assert counts.lost == 0, counts
    assert (sorted(marks), stayed) == (["", "-1", "-1"], True)


def test_the_only_worker_deleted_under_load_fails_nothing(stage: Stage, cases: list[Counts]) -> None:
    stage.create("alone", 1)
    [pod] = stage.workers()
    place = ("pod", pod["metadata"]["name"], "-n", stage.services.namespace, "--wait=false")
    counts = Counts("the only worker deleted")
    cases.append(counts)
    run(stage, counts, lambda: stage.kubectl.run("delete", *place))
    assert counts.lost == 0, counts


@campaign_only
def test_the_only_worker_evicted_under_load_fails_nothing(stage: Stage, cases: list[Counts]) -> None:
    stage.create("evicted", 1)
    [pod] = stage.workers()
    metadata = {"name": pod["metadata"]["name"], "namespace": stage.services.namespace}
    eviction = json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata})
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/eviction"

    def evict() -> bool:
        try:
            stage.kubectl.run("create", "--raw", path, "-f", "-", stdin=eviction)
        except CommandError as error:
            if "disruption budget" in str(error):  # whose controller has not looked yet
                return False
            raise
        return True

    counts = Counts("the only worker evicted")
    cases.append(counts)
    run(stage, counts, lambda: eventually(evict, "it is evicted", seconds=120))
    assert counts.lost == 0, counts


def test_the_only_worker_killed_ends_the_streams_that_had_begun_and_nothing_else(
    stage: Stage, cases: list[Counts]
) -> None:
    stage.create("killed", 1)
    [pod] = stage.workers()
    if not engines_of(pod):
        pytest.skip("the nodes' processes are not this machine's")
    counts = Counts("the only worker killed")
    cases.append(counts)
    run(stage, counts, lambda: kill_engine(pod))
    counts.more = {"sent_again": UNARY - len(counts.unary_failed)}
    assert (counts.new_failed, counts.unary_failed) == ([], []), counts
    assert counts.streams_cut >= STREAMS
    assert counts.cut_with_event == counts.streams_cut, counts


@campaign_only
@pytest.mark.parametrize("rollout", ["Replace", "Surge"])
def test_a_rollout_under_streams_cuts_none(stage: Stage, cases: list[Counts], rollout: str) -> None:
    stage.create(f"rolls-{rollout.lower()}", 1, rollout=rollout)
    [old] = stage.workers()
    counts = Counts(f"rollout {rollout}")
    cases.append(counts)
    run(stage, counts, stage.change)
    assert counts.lost == 0, counts
    assert old["metadata"]["uid"] not in {pod["metadata"]["uid"] for pod in stage.workers()}


@contextlib.contextmanager
def cordoned(kubectl: Kubectl, node: str) -> Iterator[None]:
    """Nothing new goes to the node within the block."""
    kubectl.run("cordon", node)
    try:
        yield
    finally:
        kubectl.run("uncordon", node)


@campaign_only
def test_a_node_drained_under_streams_cuts_none(stage: Stage, cases: list[Counts]) -> None:
    nodes = {each["metadata"]["name"] for each in stage.kubectl.get("nodes")["items"]}
    if len(nodes) < 2:
        pytest.skip("this cluster has one node")
    [gateway] = gateway_pods(stage.kubectl)
    with cordoned(stage.kubectl, gateway["spec"]["nodeName"]):
        stage.create("moves", 1)
    [pod] = stage.workers()
    node = pod["spec"]["nodeName"]
    counts = Counts("node drained")
    cases.append(counts)
    options = ("--ignore-daemonsets", "--delete-emptydir-data", "--timeout=180s")
    try:
        run(stage, counts, lambda: stage.kubectl.run("drain", node, *options, timeout=200))
        assert [each["spec"]["nodeName"] for each in stage.workers()] == [gateway["spec"]["nodeName"]]
    finally:
        stage.kubectl.run("uncordon", node)
    assert counts.lost == 0, counts
