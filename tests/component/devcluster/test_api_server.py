"""The API server of the component tests, by its own interface."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tidegate.devcluster import ApiServer, ClusterError, api_server
from tidegate.devcluster.apiclient import admin_client, apply, get
from tidegate.devcluster.layout import State
from tidegate.devcluster.processes import ProcessTable, marked


def config_map(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}


def client_of(server: ApiServer) -> httpx.Client:
    return admin_client(server.plane.state.pki, server.url)


def test_two_api_servers_run_side_by_side_and_know_nothing_of_each_other(tmp_path: Path) -> None:
    with api_server(tmp_path / "one") as one, api_server(tmp_path / "two") as two:
        with client_of(one) as first, client_of(two) as second:
            apply(first, config_map("here"))
            assert get(first, "/api/v1/namespaces/default/configmaps/here")
            assert get(second, "/api/v1/namespaces/default/configmaps/here") is None
        assert "client-key-data" in one.kubeconfig.read_text()
    assert not list(marked(State(tmp_path / "one")))
    assert not list(marked(State(tmp_path / "two")))


def test_every_request_stands_in_the_audit_log_with_its_verb_and_object(tmp_path: Path) -> None:
    with api_server(tmp_path) as server, client_of(server) as client:
        apply(client, config_map("seen"))
        entries = [json.loads(line) for line in server.audit_log.read_text().splitlines()]
    seen = [entry for entry in entries if entry.get("objectRef", {}).get("name") == "seen"]
    assert [(entry["verb"], entry["user"]["username"]) for entry in seen] == [("patch", "admin")]


def test_a_killed_api_server_comes_back_on_the_same_port_with_its_objects(tmp_path: Path) -> None:
    with api_server(tmp_path) as server, client_of(server) as client:
        apply(client, config_map("kept"))
        server.kill_api_server()
        assert get(client, "/api/v1/namespaces/default/configmaps/kept") is None
        server.start_api_server()
        assert get(client, "/api/v1/namespaces/default/configmaps/kept")


def test_nothing_outlives_a_test_run_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, time\n"
        "from tidegate.devcluster import api_server\n"
        "with api_server(pathlib.Path(sys.argv[1])):\n"
        "    print('up', flush=True); time.sleep(600)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert run.stdout.readline() == "up\n"
    assert len(list(marked(State(tmp_path)))) == 2
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    deadline = time.monotonic() + 60
    while list(marked(State(tmp_path))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not list(marked(State(tmp_path)))


def test_an_api_server_that_cannot_start_says_why_in_its_own_words(tmp_path: Path) -> None:
    with api_server(tmp_path) as server:
        server.kill_api_server()
        (server.plane.state.pki / "sa.key").write_text("broken")
        with pytest.raises(ClusterError, match=r"(?s)kube-apiserver has ended; the last lines of .*sa\.key"):
            server.start_api_server()
        assert ProcessTable(server.plane.state).alive("etcd")
