"""Each way to fail, provoked for real: the line that the user will read is right.

The ends that are cheap to provoke or most frequent here; ``make campaign-causes`` takes all of them.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.vllm.causes import CASES, EAGER, Case
from tests.vllm.causes_results import Results
from tests.vllm.memory_limit import memory_limited
from tests.vllm.small_hub import hub
from tests.vllm.worker_process import POLL_SECONDS, START_SECONDS, Starter, Worker

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800)]
CAMPAIGN = bool(os.environ.get("TIDEGATE_CAUSES_RESULTS"))
campaign_only = pytest.mark.skipif(not CAMPAIGN, reason="see `make campaign-causes`")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and memory limits need root")


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    """What each case came to; printed and written at the end of a campaign."""
    found = Results()
    yield found
    if CAMPAIGN:
        found.write(Path(os.environ["TIDEGATE_CAUSES_RESULTS"]))


Check = Callable[[str, Worker, str, str], None]


@pytest.fixture
def check(results: Results) -> Check:
    """Waits for a worker's end and judges the one line that it leaves."""

    def checker(name: str, worker: Worker, reason: str, said: str) -> None:
        began = time.monotonic()
        code = worker.wait_end(START_SECONDS)
        line = worker.message.read_text()
        results.add(name, reason, line.strip(), time.monotonic() - began)
        assert code != 0
        assert line.count("\n") == 1
        assert line.startswith(f"{reason}: ")
        assert said in line
        assert line.endswith((".\n", "!\n")), "it says what to do"

    return checker


def _begin(case: Case, start: Starter, model: Path, folder: Path, stack: ExitStack) -> Worker:
    environment = dict(case.environment)
    if case.hub:
        environment["HF_ENDPOINT"] = stack.enter_context(hub(case.hub))
    if not case.model:
        model = shutil.copytree(model, folder / "chat")
        case.damage(model)
    mount = f'mount -t tmpfs -o size={case.shared_memory} tmpfs /dev/shm && exec "$@"'
    under = ["unshare", "--mount", "sh", "-c", mount, "sh"] if case.shared_memory else []
    return start(case.model or model, *case.words, under=under, cores=case.cores, **environment)


@pytest.mark.parametrize("name", CASES)
def test_the_line_has_the_reason_what_is_wrong_and_what_to_do(
    name: str, start: Starter, tiny_chat: Path, tmp_path: Path, check: Check
) -> None:
    case = CASES[name]
    if not (case.in_ci or CAMPAIGN):
        pytest.skip("see `make campaign-causes`")
    if case.shared_memory and os.geteuid() != 0:
        pytest.skip("mounts need root")
    with ExitStack() as stack:
        check(name, _begin(case, start, tiny_chat, tmp_path, stack), case.reason, case.said)


def test_a_port_that_another_program_has_is_named(start: Starter, tiny_chat: Path, check: Check) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        worker = start(tiny_chat, "--port", port)
        check("port taken", worker, "PortInUse", f"port {port} is taken")


def test_an_image_for_gpus_on_a_node_without_one_says_so(
    start: Starter, tiny_chat: Path, tmp_path: Path, site_packages: Path, check: Check
) -> None:
    """vLLM tells its kind by its version; one that is not for CPUs finds no device here."""
    information = tmp_path / "vllm-0.32.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0\n")
    worker = start(tiny_chat, EAGER, PYTHONPATH=f"{tmp_path}:{site_packages}")
    check("no GPU", worker, "AcceleratorMissing", "device type")


@root_only
def test_an_engine_that_the_kernel_kills_at_its_memory_limit_says_so(
    start: Starter, tiny_chat: Path, check: Check
) -> None:
    with memory_limited(600 << 20) as under:
        worker = start(tiny_chat, EAGER, under=under)
        check("OOM kill while it starts", worker, "OOMKilled", "memory limit of 0.6 GiB")


@root_only
@campaign_only
def test_an_engine_that_is_killed_at_its_memory_limit_while_it_serves_says_so(
    start: Starter, tiny_chat: Path, tmp_path: Path, check: Check
) -> None:
    with memory_limited(3 << 30) as under:
        worker = start(tiny_chat, EAGER, under=under)
        worker.wait_ready()
        under.fill(2560)
        check("OOM kill while it serves", worker, "OOMKilled", "memory limit of 3.0 GiB")


def test_an_engine_that_is_killed_ends_the_worker_with_the_signal(
    start: Starter, tiny_chat: Path, check: Check
) -> None:
    worker = start(tiny_chat, EAGER)
    worker.wait_ready()
    for engine in processes_named("VLLM::EngineCore", below=worker.process.pid):
        os.kill(engine, signal.SIGKILL)
    check("the engine's process killed", worker, "EngineKilled", "EngineCore was ended by signal 9 (SIGKILL)")


@campaign_only
def test_a_server_that_a_defect_ends_says_the_signal(start: Starter, tiny_chat: Path, check: Check) -> None:
    worker = start(tiny_chat, EAGER)
    os.kill(first_child_of(worker.process.pid), signal.SIGSEGV)
    check("the server's process ended by SIGSEGV", worker, "EngineKilled", "signal 11 (SIGSEGV)")


def first_child_of(parent: int) -> int:
    """The process that a process starts; waits for it a little."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if children := [pid for pid, above, _ in _processes() if above == parent]:
            return children[0]
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"process {parent} has not started another one")


def processes_named(name: str, below: int) -> list[int]:
    """Process numbers of that command line somewhere below a process; not empty."""
    parents = {pid: parent for pid, parent, _ in _processes()}
    found = [pid for pid, _, words in _processes() if name in words and _is_below(pid, below, parents)]
    assert found
    return found


def _is_below(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    while pid in parents and pid != ancestor:
        pid = parents[pid]
    return pid == ancestor


def _processes() -> list[tuple[int, int, str]]:
    """Number, parent's number and command line of each process."""
    rows = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):  # it has ended meanwhile
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                rows.append((int(folder.name), int(parent), words))
    return rows
