"""Where programs come from: PATH, KUBEBUILDER_ASSETS, the cache, a download, the Go build, in this order."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.unit.devcluster.recording import Recorder, printed
from tidegate.devcluster.binaries import Finder, cached, link_programs, locked, path_without
from tidegate.devcluster.commands import Finished
from tidegate.devcluster.download import Downloader
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.gobuild import GoBuilder
from tidegate.devcluster.layout import Cache
from tidegate.devcluster.progress import Progress
from tidegate.devcluster.tools import ETCD, KUBERNETES, all_tools

QUIET = Progress(None)


def program(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def nothing_reachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectTimeout("no route", request=request)


@pytest.fixture
def go(tmp_path: Path) -> Path:
    return program(tmp_path / "go", "go").parent


@pytest.fixture
def finder(tmp_path: Path, go: Path) -> Callable[..., Finder]:
    def make(runner: Recorder, path: Path | None = None, **env: str) -> Finder:
        environment = {"PATH": f"{path or tmp_path / 'empty'}:{go}", **env}
        client = httpx.Client(transport=httpx.MockTransport(nothing_reachable))
        builder = GoBuilder(runner, environment, QUIET)
        return Finder(
            Cache(tmp_path / "cache"), environment, runner, QUIET, Downloader(client, QUIET), builder
        )

    return make


def go_that_builds() -> Recorder:
    def build(words: list[str]) -> Finished:
        target = Path(words[words.index("-o") + 1])
        program(target.parent, target.name)
        return Finished(0, "", "")

    return Recorder({"go build": build})


def test_takes_a_program_on_path_of_the_right_minor_version(
    finder: Callable[..., Finder], tmp_path: Path
) -> None:
    file = program(tmp_path / "bin", "etcd")
    runner = Recorder({str(file): printed("etcd Version: 3.6.9\nGit SHA: abc")})
    assert finder(runner, tmp_path / "bin").find(["etcd"]) == {"etcd": file}


def test_passes_over_a_program_on_path_of_another_minor_version(
    finder: Callable[..., Finder], tmp_path: Path
) -> None:
    old = program(tmp_path / "bin", "kube-apiserver")
    runner = Recorder({str(old): printed("Kubernetes v1.33.2")})
    found = finder(runner, tmp_path / "bin")
    kept = program(cached(found.cache, all_tools()["kube-apiserver"]).parent, "kube-apiserver")
    assert found.find(["kube-apiserver"]) == {"kube-apiserver": kept}


def test_any_kubectl_of_the_last_years_will_do(finder: Callable[..., Finder], tmp_path: Path) -> None:
    file = program(tmp_path / "bin", "kubectl")
    runner = Recorder({str(file): printed("Client Version: v1.32.4-dispatcher")})
    assert finder(runner, tmp_path / "bin").find(["kubectl"]) == {"kubectl": file}


def test_looks_into_kubebuilder_assets_before_the_cache(
    finder: Callable[..., Finder], tmp_path: Path
) -> None:
    file = program(tmp_path / "assets", "etcd")
    runner = Recorder({str(file): printed(f"etcd Version: {ETCD.removeprefix('v')}")})
    found = finder(runner, KUBEBUILDER_ASSETS=str(tmp_path / "assets"))
    program(cached(found.cache, all_tools()["etcd"]).parent, "etcd")
    assert found.find(["etcd"]) == {"etcd": file}


def test_builds_what_is_nowhere_and_only_once(finder: Callable[..., Finder]) -> None:
    runner = go_that_builds()
    found = finder(runner)
    first = found.find(["etcd", "kube-apiserver"])
    assert first == found.find(["etcd", "kube-apiserver"])
    assert [line.split()[-1] for line in runner.lines if line.startswith("go build")] == [
        "go.etcd.io/etcd/server/v3",
        "k8s.io/kubernetes/cmd/kube-apiserver",
    ]


def test_builds_the_pinned_version_without_cgo(finder: Callable[..., Finder]) -> None:
    runner = go_that_builds()
    finder(runner).find(["kubelet"])
    assert f"gitVersion={KUBERNETES}" in runner.lines[-1]
    assert (runner.envs[-1] or {})["CGO_ENABLED"] == "0"


def test_a_failed_build_shows_the_compilers_words_and_leaves_nothing(finder: Callable[..., Finder]) -> None:
    runner = Recorder({"go build": Finished(1, "", "main.go:7: undefined: x")})
    found = finder(runner)
    with pytest.raises(ClusterError, match=r"main\.go:7: undefined: x"):
        found.find(["etcd"])
    target = cached(found.cache, all_tools()["etcd"])
    assert list(target.parent.iterdir()) == []


def test_without_go_one_sentence_says_what_to_install(finder: Callable[..., Finder], go: Path) -> None:
    (go / "go").unlink()
    with pytest.raises(ClusterError, match=r"Go is not installed to build it: install Go"):
        finder(Recorder()).find(["etcd"])


def test_a_second_run_waits_and_takes_what_the_first_has_built(finder: Callable[..., Finder]) -> None:
    runner = go_that_builds()
    found = finder(runner)
    with locked(found.cache.binaries / ".lock", QUIET):
        second = threading.Thread(target=found.find, args=(["etcd"],))
        second.start()
        second.join(0.2)
        assert second.is_alive()
        program(cached(found.cache, all_tools()["etcd"]).parent, "etcd")
    second.join(60)
    assert not second.is_alive()
    assert not [line for line in runner.lines if line.startswith("go build")]


def test_waiting_for_another_run_is_said(tmp_path: Path) -> None:
    out = io.StringIO()
    with locked(tmp_path / "lock", QUIET):
        waiter = threading.Thread(target=lambda: locked(tmp_path / "lock", Progress(out)).__enter__())
        waiter.start()
        deadline = time.monotonic() + 60
        while "waiting for it" not in out.getvalue():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    waiter.join(60)


def test_links_replace_older_links_in_one_step(tmp_path: Path) -> None:
    one, two = program(tmp_path / "one", "helm"), program(tmp_path / "two", "helm")
    link_programs({"helm": one}, tmp_path / "links")
    link_programs({"helm": two}, tmp_path / "links")
    assert (tmp_path / "links" / "helm").resolve() == two
    assert os.listdir(tmp_path / "links") == ["helm"]  # noqa: PTH208


def test_our_own_links_on_path_are_not_taken_for_programs(tmp_path: Path) -> None:
    assert path_without("/a:/b:/c", Path("/b")) == "/a:/c"
