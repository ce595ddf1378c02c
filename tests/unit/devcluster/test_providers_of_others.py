"""kind and the user's own context: the command lines, since neither can run everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.unit.devcluster.recording import Answer, Recorder, printed
from tidegate.devcluster.commands import Finished
from tidegate.devcluster.context import Context
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.kind import BUILDS, SIMULATOR_DOCKERFILE, Kind, engine_answers
from tidegate.devcluster.kindconfig import REPOSITORY, default_file
from tidegate.devcluster.layout import State
from tidegate.devcluster.progress import Progress

NODES = "NAME STATUS\nnode-a Ready\n"


def kind(runner: Recorder, tmp_path: Path) -> Kind:
    return Kind(State(tmp_path), "tidegate", default_file(), runner, Progress(None))


def place(tmp_path: Path) -> str:
    return f"--name tidegate --kubeconfig {tmp_path}/admin.kubeconfig"


def test_kind_creates_a_cluster_of_our_configuration(tmp_path: Path) -> None:
    runner = Recorder()
    kind(runner, tmp_path).up("full")
    assert runner.lines == [
        "kind get clusters",
        f"kind create cluster --config {default_file()} --wait 180s {place(tmp_path)}",
    ]


def test_kind_takes_the_cluster_that_is_there(tmp_path: Path) -> None:
    runner = Recorder({"kind get clusters": printed("other\ntidegate\n")})
    kind(runner, tmp_path).up("full")
    assert runner.lines[-1] == f"kind export kubeconfig {place(tmp_path)}"


def test_kind_gets_a_second_worker_for_two_nodes(tmp_path: Path) -> None:
    runner = Recorder()
    kind(runner, tmp_path).up("two-nodes")
    assert f"--config {tmp_path}/kind-config.yaml" in runner.lines[-1]
    written = yaml.safe_load((tmp_path / "kind-config.yaml").read_text())
    assert [node["role"] for node in written["nodes"]] == ["control-plane", "worker", "worker"]
    assert (
        written["kubeadmConfigPatches"] == yaml.safe_load(default_file().read_text())["kubeadmConfigPatches"]
    )


def test_kind_has_no_cluster_of_two_policies(tmp_path: Path) -> None:
    runner = Recorder()
    with pytest.raises(ClusterError, match="--provider embedded"):
        kind(runner, tmp_path).up("two-policies")
    assert runner.lines == []


def test_kind_deletes_its_cluster_and_only_if_it_is_there(tmp_path: Path) -> None:
    runner = Recorder({"kind get clusters": printed("tidegate\n")})
    kind(runner, tmp_path).down()
    assert runner.lines[-1] == f"kind delete cluster {place(tmp_path)}"
    runner = Recorder()
    kind(runner, tmp_path).down()
    assert runner.lines == ["kind get clusters"]


def test_kind_builds_with_docker_and_loads(tmp_path: Path) -> None:
    runner = Recorder()
    kind(runner, tmp_path).load(["operator", "sim"])
    assert runner.lines == [
        f"docker build --tag tidegate.local/tidegate:dev --file {REPOSITORY}/Dockerfile {REPOSITORY}",
        "kind load docker-image tidegate.local/tidegate:dev --name tidegate",
        f"docker build --tag tidegate.local/engine-sim:dev --file - {REPOSITORY}",
        "kind load docker-image tidegate.local/engine-sim:dev --name tidegate",
    ]
    assert runner.stdins[2] == SIMULATOR_DOCKERFILE


def test_kind_builds_the_worker_on_vllms_own_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VLLM_IMAGE", raising=False)
    runner = Recorder()
    kind(runner, tmp_path).prepare(["worker"])
    assert "--build-arg VLLM_IMAGE=vllm/vllm-openai-cpu:v0.32.0-" in runner.lines[0]


def test_what_kind_builds_lies_in_this_repository() -> None:
    for _, context, dockerfile in BUILDS.values():
        assert (REPOSITORY / context).is_dir()
        assert dockerfile is None or (REPOSITORY / dockerfile).is_file()


@pytest.mark.parametrize(("code", "answers"), [(0, True), (1, False)])
def test_a_docker_engine_counts_only_if_it_answers(
    code: int, answers: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert engine_answers(Recorder({"docker info": Finished(code, "", "")})) is answers


def test_without_docker_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    runner = Recorder()
    assert not engine_answers(runner)
    assert runner.lines == []


def context(answers: dict[str, Answer]) -> tuple[Context, Recorder]:
    runner = Recorder({"kubectl config current-context": printed("prod\n"), **answers})
    return Context(runner, Progress(None)), runner


def test_the_users_context_is_looked_at_and_never_changed() -> None:
    provider, runner = context({"kubectl get nodes": printed(NODES)})
    provider.up("full")
    provider.down()
    assert provider.status() == (True, ["context prod", "NAME STATUS", "node-a Ready"])
    assert {" ".join(line.split()[:2]) for line in runner.lines} == {"kubectl config", "kubectl get"}


def test_a_context_that_does_not_answer_is_told_with_its_own_words() -> None:
    provider, _ = context({"kubectl get nodes": Finished(1, "", "connection refused")})
    with pytest.raises(ClusterError, match=r"(?s)does not answer:.*context prod.*connection refused"):
        provider.up("full")


def test_a_context_with_one_node_does_not_do_for_two() -> None:
    provider, _ = context({"kubectl get nodes": printed(NODES)})
    with pytest.raises(ClusterError, match="has one node"):
        provider.up("two-nodes")


def test_images_for_the_users_cluster_are_the_users_to_push() -> None:
    provider, _ = context({})
    with pytest.raises(ClusterError, match=r"images \(operator, sim\) cannot be brought .*: push them"):
        provider.load(["operator", "sim"])
