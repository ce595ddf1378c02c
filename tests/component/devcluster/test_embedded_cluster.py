"""The embedded cluster, from nothing to nothing: started, used, killed, started again, removed.

It needs root, and the machine to itself: one embedded cluster is all that fits, so these tests step aside
when somebody's is up.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from tidegate.devcluster.layout import State
from tidegate.devcluster.network import Links
from tidegate.devcluster.processes import ProcessTable, marked

BUSYBOX = "tidegate.local/busybox:1"
pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="the embedded cluster needs root"),
]


@dataclass(frozen=True)
class Cluster:
    """The tool and kubectl, for one state folder."""

    state: State

    def tool(self, *words: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "tidegate.devcluster", *words, "--state", str(self.state.root)]
        done = subprocess.run(
            [*command, "--provider", "embedded"], capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def healthy(self) -> bool:
        command = [sys.executable, "-m", "tidegate.devcluster", "status", "--state", str(self.state.root)]
        return subprocess.run(command, capture_output=True, timeout=300, check=False).returncode == 0

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        program = self.state.bin / "kubectl"
        done = subprocess.run(
            [program, "--kubeconfig", self.state.kubeconfig, *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, *manifests: object) -> None:
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(manifests))

    def ready(self, *pods: str) -> None:
        self.kubectl("wait", "--for=condition=Ready", "--timeout=180s", *(f"pod/{pod}" for pod in pods))

    def cores(self, pod: str) -> str:
        status = self.kubectl("exec", pod, "--", "grep", "Cpus_allowed_list", "/proc/self/status")
        return status.split()[-1]


def pod(name: str, *, whole_core: bool = False, node: str | None = None) -> dict[str, object]:
    """A web server that answers with its own name; with a core for itself, or with what is left."""
    amount = {"cpu": "1", "memory": "64Mi"}
    script = f"mkdir -p /tmp/www; echo {name} > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"
    container = {
        "name": "web",
        "image": BUSYBOX,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script],
        "resources": {"requests": amount, "limits": amount} if whole_core else {},
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
    }
    spec: dict[str, object] = {"containers": [container], "terminationGracePeriodSeconds": 0}
    if node:
        spec["nodeName"] = node
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": spec,
    }


def service(name: str) -> dict[str, object]:
    ports = [{"port": 80, "targetPort": 8080}]
    spec = {"selector": {"app": name}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def machine() -> dict[str, str]:
    """All of this machine that a cluster could change."""
    commands = {
        "links": "ip -br link | cut -d' ' -f1 | cut -d@ -f1 | sort",
        "routes": "ip route",
        "mounts": "sort /proc/mounts",
        "rules": "nft --stateless list ruleset",  # others' counters go on counting
        "groups": "find /sys/fs/cgroup -maxdepth 4 -type d | grep -E 'kubepods|tidegate' || true",
        "run": "ls /run /run/netns 2>/dev/null",
        "folders": "ls /var/lib /var/log /opt /tmp/hostpath_pv 2>/dev/null",
        "settings": "sysctl vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops "
        "net.ipv4.ip_forward",
    }
    return {
        name: subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False).stdout
        for name, line in commands.items()
    }


def eventually(holds: Callable[[], bool], what: str, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    owner = Links().owner()
    if owner and list(marked(State(Path(owner)))):
        pytest.skip(f"an embedded cluster is up in {owner}")
    cluster = Cluster(State(tmp_path / "cluster"))
    try:
        yield cluster
    finally:
        cluster.tool("down")


def kill_everything_of(state: State) -> int:
    """As a machine that loses its power; only links and control groups survive. The number of the killed."""
    killed = 0
    while pids := [pid for pid, _ in marked(state)]:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                continue
        time.sleep(0.1)
    return killed


def test_a_cluster_works_survives_its_own_death_and_leaves_nothing(cluster: Cluster) -> None:
    before = machine()
    cluster.tool("up")
    check_isolation_names_and_volumes(cluster)
    running = {record.name: record.pid for record in ProcessTable(cluster.state).records()}
    assert "up and healthy" in cluster.tool("up")
    again = {record.name: record.pid for record in ProcessTable(cluster.state).records()}
    assert again == running, "nothing was started anew"

    assert kill_everything_of(cluster.state) > 10
    assert "not healthy" in cluster.tool("status", code=1)
    cluster.tool("up")
    cluster.apply(pod("again", whole_core=True))
    cluster.ready("again")
    assert cluster.cores("again") == "1"

    assert "nothing is left" in cluster.tool("down")
    assert "nothing is left" in cluster.tool("down")
    assert machine() == before
    assert not cluster.state.root.exists()


def check_isolation_names_and_volumes(cluster: Cluster) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    cluster.apply(pod("alone", whole_core=True), pod("other"), service("other"), claim)
    cluster.ready("alone", "other")
    assert (cluster.cores("alone"), cluster.cores("other")) == ("1", "0")

    address = cluster.kubectl("get", "service", "other", "-o", "jsonpath={.spec.clusterIP}")
    assert address in cluster.kubectl("exec", "alone", "--", "nslookup", "other.default.svc.cluster.local")
    assert cluster.kubectl("exec", "alone", "--", "wget", "-qO-", f"http://{address}/") == "other\n"
    assert httpx.get(f"http://{address}/", timeout=60, trust_env=False).text == "other\n"
    cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Bound", "pvc/data", "--timeout=120s")
    assert list((cluster.state.root / "volumes").iterdir())
    writes = [json.loads(line)["verb"] for line in cluster.state.audit_log.read_text().splitlines()]
    assert "create" in writes


def test_a_start_that_is_killed_half_way_is_cleaned_up_by_the_next(cluster: Cluster) -> None:
    command = [sys.executable, "-m", "tidegate.devcluster", "up", "--state", str(cluster.state.root)]
    for seconds in (1.0, 4.0):
        half = subprocess.Popen([*command, "--provider", "embedded"], stderr=subprocess.DEVNULL)
        time.sleep(seconds)  # the moment itself is the test's subject: before and after the API server is up
        half.kill()
        half.wait()
    cluster.tool("up")
    assert "healthy" in cluster.tool("status")


def test_two_nodes_share_no_core_and_one_can_be_lost(cluster: Cluster) -> None:
    cluster.tool("up", "--mode", "two-nodes")
    cluster.apply(
        pod("one", whole_core=True, node="node-1"), pod("two", whole_core=True, node="node-2"), service("two")
    )
    cluster.ready("one", "two")
    assert not set(cluster.cores("one")) & set(cluster.cores("two"))
    address = cluster.kubectl("get", "pod", "two", "-o", "jsonpath={.status.podIP}")
    assert cluster.kubectl("exec", "one", "--", "wget", "-qO-", f"http://{address}:8080/") == "two\n"

    cluster.tool("stop", "node-2")
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://{address}:8080/", timeout=1, trust_env=False)
    cluster.tool("start", "node-2")
    eventually(cluster.healthy, "node-2 is Ready again")
    cluster.ready("two")
    cluster.tool("stop", "node-1.kube-apiserver")
    assert "not healthy" in cluster.tool("status", code=1)
    cluster.tool("start", "node-1.kube-apiserver")
    eventually(cluster.healthy, "the API server answers again")
