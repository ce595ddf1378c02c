"""The first process of the worker: starts vLLM in a child, passes its output on, and says how it ended.

A failing engine is several processes, of which the one with the cause may be killed at any moment:
only someone who stands outside and has seen the output can name it. This process stays small (it
never imports vLLM).
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, MutableMapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType

from .advice import advised
from .answers import answers_of
from .arguments import GIB, Arguments
from .cores import count_oom_kills, read_share
from .engine_ends import killed_part
from .failure import Failure, find_failure
from .isolation_server import serve_isolation
from .lease import keep_lease
from .log_output import write_out
from .model_files import broken_file, check_model
from .old_builds import clear_away_later
from .own_cgroup import has_own_cgroup
from .places import check_places
from .preparation import prepare
from .reasons import BROKEN_MODEL, MORE_MEMORY, OOM_KILLED
from .report import leave_message, leave_note, line_of, process_age
from .serving import Stopwatch, serve
from .sleeping import check_rhythm
from .start_marks import StartMarks

TERMINATION_MESSAGE = "/dev/termination-log"
TAIL_LINES = 500
LINE_BYTES = 16384  # of each that is remembered; a cause has 500 characters
LAST_WORDS_MILLISECONDS = 500  # for output that the child's own children still hold
STOP_STARTING_SECONDS = 10  # nothing is lost with a start, and a hanging one keeps cores and devices
PR_SET_PDEATHSIG = 1


def supervise(words: list[str], environment: MutableMapping[str, str]) -> int:
    """Run the worker to its end; the exit code: 0 after a drain, otherwise never 0."""
    message = Path(environment.get("TIDEGATE_TERMINATION_MESSAGE") or TERMINATION_MESSAGE)
    arguments = Arguments(tuple(words))
    if failure := check_rhythm(environment) or check_model(arguments):
        leave_message(advised(failure, environment), message)
        return 1
    options = prepare(arguments, environment)
    if failure := check_places(Arguments((*words, *options)), environment):
        leave_message(advised(failure, environment), message)
        return 1
    age, killed, marks = process_age(), count_oom_kills(), StartMarks()
    child = Child(lambda: marks.told()["servesAfterSeconds"] is not None)
    if child.pid == 0:
        serve([*words, *options], Stopwatch(marks, interpreter=age))
        sys.stdout.flush()
        os._exit(0)  # all is answered: taking the interpreter apart would keep the cores for 2 s more
    own_cgroup = has_own_cgroup(environment)
    answers = answers_of(child.pid, marks, own_cgroup=own_cgroup)
    serve_isolation(answers, environment)  # after the fork: no thread crosses one
    keep_lease(arguments.local_model)
    clear_away_later(environment)
    code = child.wait()
    if child.told_to_stop:
        child.say("stopped", code=code)
        if not child.serves():
            leave_note(f"the engine {marks.under_way()} when it was told to stop", message)
        return 0
    out_of_memory = count_oom_kills() > killed and (own_cgroup or _ended_by_sigkill(child.tail, code))
    failure = _killed() if out_of_memory else find_failure(child.tail, code, environment)
    failure = _with_file(failure, arguments.local_model)
    leave_message(advised(failure, environment), message)
    return code if code > 0 else 128 - code


def _ended_by_sigkill(lines: Iterable[str], code: int) -> bool:
    """Whether the engine or a part of it was: a shared cgroup counts what is killed of others, too."""
    part = killed_part(lines)
    return code == -signal.SIGKILL or (part is not None and part[1] == signal.SIGKILL)


def _killed() -> Failure:
    limit = read_share().memory
    if limit is None:
        said = "The kernel killed a part of the engine when the machine's memory had run out"
        return Failure(MORE_MEMORY.reason, said, MORE_MEMORY.advice)
    said = f"The kernel killed a part of the engine at the memory limit of {limit / GIB:.1f} GiB"
    return Failure(OOM_KILLED.reason, said, OOM_KILLED.advice)


def _with_file(failure: Failure, model: Path | None) -> Failure:
    """Which of the model's files is broken, where the engine has said only that one is."""
    if failure.reason != BROKEN_MODEL.reason or model is None or not model.is_dir():
        return failure
    with suppress(OSError):
        if problem := broken_file(model):
            return replace(failure, message=problem)
    return failure


class Child:
    """A fork of this process, in a group of its own, whose output is passed on and remembered.

    ``pid`` is 0 in the child, which goes on by itself. ``serves`` tells whether its start is over.
    """

    def __init__(self, serves: Callable[[], bool]) -> None:
        self.serves = serves
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.told_to_stop = False
        self._rest = b""
        self._output, theirs = os.pipe()
        with suppress(OSError):
            sys.stdout.flush()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._output)
            _become_child(theirs, parent)
        os.close(theirs)
        if self.pid:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._stop)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        """A child that serves drains (drain.py), one that starts stops at once (serving.py)."""
        if not self.told_to_stop:
            self.told_to_stop = True
            with suppress(ProcessLookupError):  # it has just ended by itself, and its cause is being told
                os.kill(self.pid, signal.SIGUSR1)
            if not self.serves():
                signal.signal(signal.SIGALRM, self._kill)
                signal.alarm(STOP_STARTING_SECONDS)
            self.say("draining")  # last: nobody may be reading

    def _kill(self, _signal: int, _frame: FrameType | None) -> None:
        """A start that hangs in a system call or outside Python hears no other signal; one that was over
        after all drains."""
        if not self.serves():
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def say(self, event: str, **facts: object) -> None:
        """As ``report.say``, and it waits no longer for the log than the child's output does."""
        self._write(line_of(event, **facts))

    def _write(self, piece: bytes) -> None:
        """Into the log. One that takes nothing ends no engine, and keeps none from ending."""
        write_out(sys.stdout, piece, may_wait=lambda: not self.told_to_stop)

    def wait(self) -> int:
        """Pass the output on until the child has ended; its code, or minus its signal's number."""
        ended = os.pidfd_open(self.pid)
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        poll.register(self._output, select.POLLIN)
        while ended not in (ready := [number for number, _ in poll.poll()]):
            if self._output in ready and not self._pass_on():
                poll.unregister(self._output)
        poll.unregister(ended)
        while poll.poll(LAST_WORDS_MILLISECONDS) and self._pass_on():
            pass
        self._remember([self._rest])
        os.close(ended)
        return self._reap()

    def _pass_on(self) -> bool:
        """One piece of output; False at its end."""
        piece = os.read(self._output, 65536)
        self._write(piece)
        *lines, rest = (self._rest + piece).split(b"\n")
        self._remember(lines)
        self._rest = rest[:LINE_BYTES]
        return bool(piece)

    def _remember(self, lines: Iterable[bytes]) -> None:
        self.tail.extend(line[:LINE_BYTES].decode(errors="replace") for line in lines)

    def _reap(self) -> int:
        signal.alarm(0)
        _, status = os.waitpid(self.pid, 0)
        with suppress(ProcessLookupError):  # as it should be; otherwise an engine outlived its server
            os.killpg(self.pid, signal.SIGKILL)
        os.close(self._output)
        return os.waitstatus_to_exitcode(status)


def _become_child(output: int, parent: int) -> None:
    """Write into the pipe, and end when the parent does, even if it is killed."""
    os.setpgid(0, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it went before the line above
        sys.exit(1)
