"""Long-lived processes: started apart from us, recorded with pid and start time, ended by pidfd.

A pid alone may long belong to somebody else; pid, start time and boot together never do. Every process also
carries MARK in its environment, so that one whose record was never written is found as well.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.layout import MARK, State

PROC = Path("/proc")
WRAPPERS = frozenset({"nsenter", "unshare"})
DEAD_STATES = "ZX"  # zombie, dead: only the entry is left


@dataclass(frozen=True)
class ProcessRecord:
    """One process of a cluster. `started` is in clock ticks after the boot `boot`."""

    name: str
    pid: int
    started: int
    boot: str
    words: Sequence[str] = ()  # its command line


@dataclass(frozen=True)
class ProcessTable:
    """The processes of one cluster."""

    state: State

    def start(self, name: str, argv: Sequence[str | Path], *, bound: bool = False) -> ProcessRecord:
        """Starts a process in a session of its own, its output in log/<name>.log.

        `bound` processes are killed by the kernel when the thread that started them ends.
        """
        words = [str(word) for word in argv]
        if bound:
            words = ["setpriv", "--pdeathsig", "KILL", "--", *words]
        environment = {**os.environ, MARK: str(self.state.root)}
        pid = _spawn(words, environment, self.state.logs / f"{name}.log")
        record = ProcessRecord(name, pid, start_ticks(pid) or 0, boot_id(), words)
        (self.state.pids / f"{name}.json").write_text(json.dumps(asdict(record)))
        return record

    def records(self) -> list[ProcessRecord]:
        """Every process that was recorded, alive or not. Half-written records are left out."""
        return [record for file in sorted(self.state.pids.glob("*.json")) if (record := _read(file))]

    def alive(self, name: str) -> bool:
        """Whether the process `name` runs."""
        return any(is_alive(record) for record in self.records() if record.name == name)

    def stop(self, name: str, budget: float = 10.0) -> None:
        """Ends the process `name`: SIGTERM, and SIGKILL after `budget` seconds. Its record stays."""
        processes = {}
        for record in self.records():
            if record.name == name and is_alive(record):
                pid = program_of(record)
                processes[pid] = start_ticks(pid) or 0
        end(processes, budget)

    def everything(self) -> dict[int, int]:
        """Pid and start of all that belongs to the cluster: recorded, or carrying its mark."""
        recorded = {record.pid: record.started for record in self.records() if is_alive(record)}
        return recorded | dict(marked(self.state))

    def kill_everything(self, budget: float = 60.0) -> None:
        """Kills all that belongs to the cluster. What forks meanwhile is found in a next round."""
        deadline = time.monotonic() + budget
        while (processes := self.everything()) and time.monotonic() < deadline:
            end(processes, 0)
        for file in self.state.pids.glob("*.json"):
            file.unlink(missing_ok=True)


def _spawn(words: list[str], environment: Mapping[str, str], log: Path) -> int:
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.fspath(log), append, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    try:
        return os.posix_spawnp(words[0], words, environment, file_actions=actions, setsid=True, setsigmask=[])
    except OSError as error:
        raise ClusterError(f"cannot start {words[0]}: {error.strerror}") from error


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks after boot. None: it is gone, or a zombie."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold spaces and parentheses
    return None if fields[0] in DEAD_STATES else int(fields[19])


def program_of(record: ProcessRecord) -> int:
    """The pid of the program itself, where the record is of a wrapper that waits for it."""
    try:
        wrapper = (PROC / str(record.pid) / "comm").read_text().strip() in WRAPPERS
        children = (PROC / str(record.pid) / "task" / str(record.pid) / "children").read_text().split()
    except OSError:  # it has ended
        return record.pid
    return int(children[0]) if wrapper and children else record.pid


def boot_id() -> str:
    """The id of this boot of the machine."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def is_alive(record: ProcessRecord) -> bool:
    """Whether exactly this process still runs."""
    return record.boot == boot_id() and start_ticks(record.pid) == record.started


def marked(state: State) -> Iterator[tuple[int, int]]:
    """Pid and start of all processes, but ours, that carry the mark of this cluster."""
    mark = f"{MARK}={state.root}".encode()
    for entry in PROC.iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            carries = mark in (entry / "environ").read_bytes().split(b"\0")
        except OSError:  # ended meanwhile, or another user's
            continue
        if carries and (started := start_ticks(int(entry.name))) is not None:
            yield int(entry.name), started


def end(processes: Mapping[int, int], budget: float) -> None:
    """Ends processes, given as pid and start: SIGTERM, after `budget` seconds SIGKILL (0: SIGKILL at once).

    Returns when they are gone, at the latest thirty seconds after the SIGKILL.
    """
    watched = {pid: fd for pid, started in processes.items() if (fd := _open(pid, started)) is not None}
    try:
        if budget > 0:
            _signal(watched.values(), signal.SIGTERM)
            _await_exit(watched, budget)
        _signal(watched.values(), signal.SIGKILL)
        _await_exit(watched, 30.0)
    finally:
        for fd in watched.values():
            os.close(fd)


def _open(pid: int, started: int) -> int | None:
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if start_ticks(pid) == started:  # asked after the open: from here on the descriptor means this process
        return fd
    os.close(fd)
    return None


def _signal(fds: Iterable[int], number: signal.Signals) -> None:
    for fd in fds:
        try:
            signal.pidfd_send_signal(fd, number)
        except ProcessLookupError:
            continue


def _await_exit(watched: Mapping[int, int], budget: float) -> None:
    poller = select.poll()
    for fd in watched.values():
        poller.register(fd, select.POLLIN)
    left, deadline = len(watched), time.monotonic() + budget
    while left and (rest := deadline - time.monotonic()) > 0:
        for fd, _ in poller.poll(rest * 1000):
            poller.unregister(fd)
            left -= 1
    for pid in watched:
        _reap(pid)


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:  # not our child: init reaps it
        return


def _read(file: Path) -> ProcessRecord | None:
    try:
        return ProcessRecord(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None
