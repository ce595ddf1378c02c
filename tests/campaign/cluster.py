"""A real API server with the real controllers that act on what the operator writes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tidegate.devcluster import ApiServer, api_server
from tidegate.devcluster.apiclient import admin_client, apply
from tidegate.devcluster.apiserver import find_programs
from tidegate.devcluster.controlplane import command, flags
from tidegate.devcluster.ports import free_ports
from tidegate.devcluster.processes import ProcessTable
from tidegate.devcluster.progress import Progress

_MANAGER = "kube-controller-manager"
_CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "disruption-controller",
)


@contextmanager
def campaign_cluster() -> Iterator[ApiServer]:
    """An API server with our CRD, and controllers that make pods and collect garbage, for a block."""
    with api_server() as server:
        with admin_client(server.plane.state.pki, server.url) as client:
            for path in Path("crds").glob("*.yaml"):
                apply(client, yaml.safe_load(path.read_text()))
        # The garbage collector learns a kind that is new to it only every 30 s: it starts after the CRD.
        start_controllers(server)
        yield server


def start_controllers(server: ApiServer) -> None:
    """Starts the controllers; they end with the API server's block."""
    program = find_programs(Progress(sys.stderr), (_MANAGER,))[_MANAGER]
    arguments = flags(
        kubeconfig=server.kubeconfig,
        leader_elect=False,
        use_service_account_credentials=False,
        controllers=",".join(_CONTROLLERS),
        bind_address="127.0.0.1",
        secure_port=free_ports(1)[0],
        kube_api_qps=500,
        kube_api_burst=1000,
    )
    ProcessTable(server.plane.state).start(_MANAGER, command(program, arguments), bound=True)
