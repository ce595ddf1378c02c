"""vLLM's processes forked from one that has imported vLLM already, instead of each importing it again.

vLLM starts its processes on CPU with Python's ``spawn``: a new interpreter that imports everything
anew. Python itself has the cure, its fork server (``multiprocessing.forkserver``): one process
without threads that forks a child at each request and has it run what ``spawn`` would have sent to
a new interpreter. Python starts that server as a new interpreter too; here it is forked from this
process, when vLLM is imported and no thread and no device exists yet. What is replaced for that:
the process class of the ``spawn`` context, and how Python's fork server is started. Nothing of vLLM.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Mapping
from inspect import signature
from multiprocessing import connection, context, forkserver, get_context, popen_forkserver, resource_tracker
from multiprocessing import popen_spawn_posix as popen_spawn
from pathlib import Path
from typing import Any

SERVER_PARAMETERS = ("listener_fd", "alive_r", "preload", "main_path", "sys_path")  # Python 3.11 to 3.13
SERVER_FIELDS = {"_forkserver_address", "_forkserver_alive_fd", "_forkserver_pid", "ensure_running"}
# OpenMP reads these when it is loaded, so a fork cannot take over new values of them.
AT_LOAD = ("OMP_NUM_THREADS", "OMP_PLACES", "OMP_PROC_BIND", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
TASKS = Path("/proc/self/task")


class ForkedProcess(context.SpawnProcess):
    """A process of the ``spawn`` context that is forked by the server where that is as good.

    ``loaded`` is the environment in which the server's libraries were loaded.
    """

    loaded: Mapping[str, str] = {}

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 - multiprocessing's name
        environment = dict(os.environ)
        if all(environment.get(name) == process_obj.loaded.get(name) for name in AT_LOAD):
            process_obj.environment = environment
            try:
                return popen_forkserver.Popen(process_obj)
            except (OSError, EOFError):
                pass  # the server is gone: the stock way needs none
        return popen_spawn.Popen(process_obj)

    def _bootstrap(self, *args: Any, **options: Any) -> int:
        """In the child: with the environment of who started it, as in a new interpreter."""
        if environment := self.__dict__.get("environment"):
            change_environment(environment)
            gc.enable()
        return int(super()._bootstrap(*args, **options))  # type: ignore[misc]


def change_environment(wanted: Mapping[str, str]) -> None:
    """Make this process's environment the wanted one, by what differs alone: the process's title, which
    vLLM sets, is written over the variables that it was started with and has to find them in their place.
    """
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def unfit() -> str | None:
    """Why this Python or this moment does not allow it; None where all is as expected."""
    server: Any = getattr(forkserver, "_forkserver", None)
    if tuple(signature(forkserver.main).parameters) != SERVER_PARAMETERS:
        return "Python's fork server is another one than those of 3.11 to 3.13"
    if not all(hasattr(server, field) for field in SERVER_FIELDS) or server._forkserver_pid is not None:
        return "Python's fork server has other fields, or runs already"
    if get_context("spawn").Process is not context.SpawnProcess:
        return "something else has replaced how processes are spawned"
    if (threads := len(list(TASKS.iterdir()))) > 1:
        return f"this process has {threads} threads already, and a fork takes over one"
    return None


def start_fork_server() -> str | None:
    """Fork the server from this process and have it used; why not, where it is not.

    The server ends when the last process that may ask it has ended.
    """
    why = unfit()
    if why is not None:
        return why
    try:
        resource_tracker.ensure_running()
        address = connection.arbitrary_address("AF_UNIX")  # type: ignore[attr-defined]
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            Path(address).chmod(0o600)
            listener.listen()
            _fork(listener, address)
    except OSError as error:
        return f"no socket or process for it: {error.strerror}"
    return None


def _fork(listener: socket.socket, address: str) -> None:
    """The server as a child. It ends when the pipe between us is closed by all who may ask it."""
    theirs, ours = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    gc.freeze()  # what is shared from here on, the collector never touches and so never copies
    _use(address, ours)  # its children may ask it, too
    if os.fork() == 0:
        try:
            os.close(ours)
            for number in (signal.SIGTERM, signal.SIGUSR1):
                signal.signal(number, signal.SIG_DFL)
            forkserver.main(listener.fileno(), theirs, [])
        finally:
            os._exit(0)
    os.close(theirs)


def _use(address: str, alive: int) -> None:
    server: Any = forkserver._forkserver
    server._forkserver_address, server._forkserver_alive_fd = address, alive
    server.ensure_running = resource_tracker.ensure_running
    ForkedProcess.loaded = dict(os.environ)
    get_context("spawn").Process = ForkedProcess  # type: ignore[misc]
