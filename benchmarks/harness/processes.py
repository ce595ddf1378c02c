"""Processes of a benchmark: each on its core, and their CPU time and memory as the kernel has them."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

START_SECONDS = 20.0
STOP_SECONDS = 10.0
_MODES = {"u": "user", "k": "kernel"}  # perf's letters


@dataclass(frozen=True)
class Cores:
    """Which core does what. A machine with three has one for the second gateway too."""

    proxy: int
    load: int
    second: int  # the second gateway's; the proxy's own where there are only two

    @classmethod
    def of_this_machine(cls) -> Cores:
        """The first cores that this process may use; ValueError where there is only one."""
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise ValueError("it needs two cores: one for the proxies, one for load and upstream")
        return cls(cores[0], cores[1], cores[2] if len(cores) > 2 else cores[0])


@contextlib.contextmanager
def running(core: int, *command: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process on one core; it ends with the block."""
    process = subprocess.Popen(["taskset", "-c", str(core), *command], **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def wait_for(what: str, ready: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Returns when ``ready`` holds; ends the benchmark with a sentence where it does not in time."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise SystemExit(f"bench: {what}: not within {seconds:g} s")
        time.sleep(0.05)


def listening(port: int) -> bool:
    """Somebody accepts connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in found]


def raise_file_limit() -> int:
    """As many open files as this user may have, for this process and those it starts; how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def only_child(pid: int) -> int:
    """The process that ``pid`` started: nginx's worker."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    wait_for(f"a child of process {pid}", lambda: bool(children.read_text().split()))
    return int(children.read_text().split()[0])


def cpu_seconds(pid: int) -> float:
    """CPU time so far, of all threads that live; user's and kernel's."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def tree_cpu_seconds(pid: int) -> float:
    """CPU that a process and all below it have used, those that have ended and were waited for included."""
    used: dict[int, float] = {}
    children: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            fields = file.read_text().rpartition(")")[2].split()
            number = int(file.parent.name)
            children.setdefault(int(fields[1]), []).append(number)
            used[number] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    found, below = 0.0, [pid]
    while below:
        one = below.pop()
        found += used.get(one, 0.0)
        below += children.get(one, [])
    return found


def resident_bytes(pid: int) -> int:
    """Memory in use, exact; ``status`` may be off by some pages for each thread."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Rss:"))


@dataclass
class Used:
    """What a process used during a measurement; one of the two."""

    cpu: float | None = None  # seconds
    instructions: dict[str, float] = field(default_factory=dict)  # user, kernel; empty: not counted here


Meter: TypeAlias = Callable[[int], contextlib.AbstractContextManager[Used]]


@contextlib.contextmanager
def timed(pid: int) -> Iterator[Used]:
    """The CPU time that process ``pid`` uses inside the block."""
    used, before = Used(), cpu_seconds(pid)
    yield used
    used.cpu = cpu_seconds(pid) - before


@contextlib.contextmanager
def counted(pid: int) -> Iterator[Used]:
    """The instructions that it executes. Never together with the time: on a virtual machine a
    switch to or from a counted process is a trap, which makes one that sleeps often twice as dear."""
    used, counter, before = Used(), _instruction_counter(pid), cpu_seconds(pid)
    try:
        yield used
    finally:
        spent = cpu_seconds(pid) - before
        if counter is not None:
            used.instructions = {name: rate * spent for name, rate in _instruction_rates(counter).items()}


def _instruction_counter(pid: int) -> subprocess.Popen[str] | None:
    if shutil.which("perf") is None:
        return None
    events = ",".join(f"instructions:{letter}" for letter in _MODES)
    command = ["perf", "stat", "-x,", "-e", events, "-p", str(pid)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _instruction_rates(counter: subprocess.Popen[str]) -> dict[str, float]:
    """A second of the process's CPU time, which perf counts too: it begins a little later than we do."""
    counter.send_signal(signal.SIGINT)
    _, text = counter.communicate(timeout=STOP_SECONDS)
    rates = {}
    for line in text.splitlines():
        fields = line.split(",")  # count, unit, event, nanoseconds of CPU, share of them that was counted
        if len(fields) > 4 and fields[0].isdigit() and int(fields[3]):
            mode = _MODES[fields[2].rpartition(":")[2]]
            rates[mode] = int(fields[0]) / int(fields[3]) * 1e9
    return rates
