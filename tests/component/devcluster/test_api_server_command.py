"""`up --mode apiserver`: started once, found healthy, recovered, removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.devcluster.layout import State
from tidegate.devcluster.processes import ProcessTable, marked


class Tool:
    """The command line, for one folder."""

    def __init__(self, state: State) -> None:
        self.state = state

    def __call__(self, command: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "tidegate.devcluster", command, "--mode", "apiserver"]
        return subprocess.run(
            [*words, "--state", str(self.state.root)],
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )


@pytest.fixture
def tool(tmp_path: Path) -> Iterator[Tool]:
    tool = Tool(State(tmp_path / "state"))
    yield tool
    tool("down")


def test_it_comes_up_once_and_goes_without_a_trace(tool: Tool) -> None:
    assert tool("status").returncode == 1
    up = tool("up")
    assert up.returncode == 0, up.stderr
    running = sorted(marked(tool.state))
    assert "up and healthy" in tool("up").stderr
    assert sorted(marked(tool.state)) == running, "nothing was started anew"
    assert len(running) == 2
    assert "healthy" in tool("status").stdout
    assert str(tool.state.kubeconfig) in tool("env").stdout

    down = tool("down")
    assert (down.returncode, "nothing is left" in down.stderr) == (0, True)
    assert not list(marked(tool.state))
    assert not tool.state.root.exists()
    assert tool("down").returncode == 0


def test_it_outlives_the_command_and_recovers_from_the_death_of_a_part(tool: Tool) -> None:
    tool("up")
    (etcd,) = [record for record in ProcessTable(tool.state).records() if record.name == "etcd"]
    os.kill(etcd.pid, signal.SIGKILL)
    assert tool("status").returncode == 1
    assert tool("up").returncode == 0
    assert tool("status").returncode == 0
    assert len(list(marked(tool.state))) == 2


def test_the_users_context_is_used_and_survives_down(tool: Tool) -> None:
    tool("up")
    environment = {**os.environ, "KUBECONFIG": str(tool.state.kubeconfig), "TIDEGATE_CLUSTER": "context"}

    def of_context(command: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "tidegate.devcluster", command, "--name", "of-the-context"]
        return subprocess.run(
            words, capture_output=True, text=True, env=environment, timeout=400, check=False
        )

    assert of_context("up").returncode == 0
    assert "context tidegate" in of_context("status").stdout
    assert of_context("down").returncode == 0
    assert tool("status").returncode == 0
