"""The command line as a whole: its commands, its log, and how a failure ends."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, NoReturn

from tidegate import __version__
from tidegate.kube.errors import KubeConfigError, KubeError

LOG_FORMAT = "%(levelname)s %(name)s: %(message)s"  # the container's runtime adds the time
LOG_LEVEL: Final = "INFO"

COMMANDS: Final = {
    "up": "serve the InferenceServices of files on this machine, without a cluster",
    "get": "the services that run here, with the columns of kubectl get",
    "describe": "one service that runs here, with its workers and what happened",
    "logs": "what a worker that runs here has written",
    "explain": "why a service has its workers, and what comes next",
    "down": "end what tidegate up runs here",
    "install-service": "let systemd run tidegate up, as a service of yours or of the whole machine",
    "operator": "reconcile InferenceServices in a cluster",
    "gateway": "route, hold, wake and stream",
    "retire": "take back what is on the nodes, before uninstalling",
    "manifests": "write what the models generate",
    "simulate": "what a service's scaling makes of a trace",
}
"""Each is ``add_NAME`` of ``tidegate.cli.NAME``, which is imported when it is called: others must not wait
for what it loads."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code of one command: 0, 1 where it failed (with a sentence on stderr), 2 for wrong usage."""
    _open_closed_streams()
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser(arguments).parse_args(arguments)
    level = options.log_level or getattr(options, "usual_log_level", LOG_LEVEL)
    logging.basicConfig(level=level, format=LOG_FORMAT, stream=sys.stderr)
    for library in ("httpx", "kopf"):  # each has a line for every request, or every event
        logging.getLogger(library).setLevel(logging.WARNING)
    # At each start it warns that it takes no signals, in the thread that is its own: the operator takes them.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read it has enough; what is left in the buffer goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (KubeConfigError, KubeError, OSError, ValueError) as error:
        print(f"tidegate: {_sentence(error)}", file=sys.stderr)
        return 1


def _open_closed_streams() -> None:
    """Whoever starts a command may have closed one (``<&-``, some supervisors): what is written there goes
    nowhere, and no file that is opened for something else takes its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115  as long as the process
            setattr(sys, name, stream)


def _sentence(error: Exception) -> str:
    named = isinstance(error, OSError) and error.filename is not None
    return f"{error.filename}: {error.strerror}" if named and isinstance(error, OSError) else str(error)


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong; the usage is what --help is for."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Knows every command by name, and the options of the one that is called."""
    text = "vLLM on your own Kubernetes, or on this machine."
    parser = _Parser(prog="tidegate", description=text)
    parser.add_argument("--version", action="version", version=f"tidegate {__version__}")
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")
    text = f"of messages on stderr ({LOG_LEVEL}; up: WARNING, beside what it tells by itself)"
    parser.add_argument("--log-level", choices=levels, help=text)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    called = next((each for each in arguments if each in COMMANDS), None)
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        if name == called:
            module, function = name.replace("-", "_"), f"add_{name.replace('-', '_')}"
            getattr(import_module(f"tidegate.cli.{module}"), function)(command)
    return parser
