"""Mode `apiserver`: etcd and an API server on free ports of the loopback. No root, any number side by side.

    with api_server() as server:
        kubectl("--kubeconfig", server.kubeconfig, "get", "namespaces")

There is no controller manager, unless one for HorizontalPodAutoscalers is started: nothing makes pods of
Deployments, and a deleted namespace stays Terminating.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

import httpx

from tidegate.devcluster.apiclient import admin_client, get, is_ready
from tidegate.devcluster.binaries import Finder
from tidegate.devcluster.commands import SystemRunner
from tidegate.devcluster.controlplane import ControlPlane, command, flags
from tidegate.devcluster.download import Downloader
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.gobuild import GoBuilder
from tidegate.devcluster.layout import State, cache_of
from tidegate.devcluster.ports import LOOPBACK, free_ports
from tidegate.devcluster.processes import ProcessTable
from tidegate.devcluster.progress import Progress
from tidegate.devcluster.tools import CONTROL_PLANE
from tidegate.devcluster.waiting import require_alive, wait_for

SERVICE_RANGE = IPv4Network("10.96.0.0/16")
POD_RANGE = IPv4Network("10.244.0.0/16")
READY_BUDGET = 180.0  # seconds; 3 to 4 on an idle machine, and a machine may stand still
ATTEMPTS = 3  # somebody may bind a port of this range that was reserved for the server


@dataclass(frozen=True)
class ApiServer:
    """A running API server with its etcd."""

    plane: ControlPlane
    programs: dict[str, Path]
    bound: bool  # the processes die with the thread that started them

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.plane.state.kubeconfig

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.plane.url

    @property
    def audit_log(self) -> Path:
        """Every request that it answered, one JSON object a line."""
        return self.plane.state.audit_log

    def kill_api_server(self) -> None:
        """Kills the API server; etcd keeps its data."""
        self._table.stop("kube-apiserver", budget=0)

    def start_api_server(self) -> None:
        """Starts the API server, again on the same port, and returns when it is ready."""
        arguments = [
            *self.plane.api_server(),
            *self.plane.aggregation(),
            *flags(
                endpoint_reconciler_type="none",  # refuses loopback addresses
                disable_admission_plugins="ServiceAccount",  # nobody here makes the default accounts
            ),
        ]
        self._start("kube-apiserver", arguments)
        with admin_client(self.plane.state.pki, self.url) as client:
            wait_for("the API server", lambda: _serves(client), READY_BUDGET, self._require_alive)

    @contextmanager
    def autoscaler(self, program: Path, period: float) -> Iterator[None]:
        """The controller of HorizontalPodAutoscalers runs, from `program`, a kube-controller-manager; it
        looks every `period` seconds."""
        name = "kube-controller-manager"
        self._table.start(name, command(program, self.plane.autoscaler(period)), bound=self.bound)
        try:
            yield
        finally:
            self._table.stop(name)

    def start(self) -> None:
        """Starts etcd and the API server."""
        self._start("etcd", self.plane.etcd())
        self.start_api_server()

    def _start(self, name: str, arguments: list[str]) -> None:
        self._table.start(name, command(self.programs[name], arguments), bound=self.bound)

    def _require_alive(self) -> None:
        require_alive(self._table, "etcd", "kube-apiserver")

    @property
    def _table(self) -> ProcessTable:
        return ProcessTable(self.plane.state)


@contextmanager
def api_server(folder: Path | None = None, progress: Progress | None = None) -> Iterator[ApiServer]:
    """A fresh API server for the time of a `with` block, in a temporary folder unless one is given.

    It ends with the block, and with this process however that ends. The programs are looked for, and made if
    they are nowhere, as `prepare` does. ClusterError if it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="tidegate-apiserver-") as temporary:
        state = State((folder or Path(temporary)).absolute())
        server = launch(state, find_programs(progress or Progress(sys.stderr)), bound=True)
        try:
            yield server
        finally:
            ProcessTable(state).kill_everything()


def find_programs(progress: Progress, names: Sequence[str] = CONTROL_PLANE) -> dict[str, Path]:
    """These programs, for this user: etcd and kube-apiserver where none are named."""
    with httpx.Client() as client:
        runner = SystemRunner()
        builder = GoBuilder(runner, os.environ, progress)
        finder = Finder(
            cache_of(os.environ), os.environ, runner, progress, Downloader(client, progress), builder
        )
        return finder.find(names)


def launch(state: State, programs: dict[str, Path], *, bound: bool) -> ApiServer:
    """Starts an API server in an empty state folder, on ports that are free now."""
    for attempt in range(1, ATTEMPTS + 1):
        state.make()
        port, etcd_port, peer_port = free_ports(3)
        plane = ControlPlane(state, LOOPBACK, SERVICE_RANGE, POD_RANGE, port, etcd_port, peer_port)
        plane.write_files()
        server = ApiServer(plane, programs, bound)
        try:
            server.start()
        except ClusterError as error:
            ProcessTable(state).kill_everything()
            if "address already in use" not in str(error) or attempt == ATTEMPTS:
                raise
        else:
            return server
    raise AssertionError("unreachable: the last attempt returns or raises")


def _serves(client: httpx.Client) -> bool:
    # readyz is 200 a moment before the namespace `default` is there, and that before its own Service:
    # who lists what a fresh server holds must not find more of its own a moment later.
    return is_ready(client) and get(client, "/api/v1/namespaces/default/services/kubernetes") is not None
