"""The command line as a whole: its commands, its log, and how a failure ends."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from tidegate import __version__
from tidegate.cli.explain import add_explain
from tidegate.cli.gateway import add_gateway
from tidegate.cli.manifests import add_manifests
from tidegate.cli.operator import add_operator
from tidegate.cli.retire import add_retire
from tidegate.cli.simulate import add_simulate
from tidegate.kube.errors import KubeConfigError, KubeError

LOG_FORMAT = "%(levelname)s %(name)s: %(message)s"  # the container's runtime adds the time


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code of one command: 0, 1 where it failed (with a sentence on stderr), 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=options.log_level, format=LOG_FORMAT, stream=sys.stderr)
    for library in ("httpx", "kopf"):  # each has a line for every request, or every event
        logging.getLogger(library).setLevel(logging.WARNING)
    # At each start it warns that it takes no signals, in the thread that is its own: the operator takes them.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except KeyboardInterrupt:
        return 130
    except (KubeConfigError, KubeError, OSError, ValueError) as error:
        print(f"tidegate: {_sentence(error)}", file=sys.stderr)
        return 1


def _sentence(error: Exception) -> str:
    named = isinstance(error, OSError) and error.filename is not None
    return f"{error.filename}: {error.strerror}" if named and isinstance(error, OSError) else str(error)


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong; the usage is what --help is for."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="tidegate", description="vLLM on your own Kubernetes.")
    parser.add_argument("--version", action="version", version=f"tidegate {__version__}")
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")
    parser.add_argument("--log-level", choices=levels, default="INFO", help="of messages on stderr (INFO)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_operator(commands.add_parser("operator", help="reconcile InferenceServices in a cluster"))
    add_gateway(commands.add_parser("gateway", help="route, hold, wake and stream"))
    add_explain(commands.add_parser("explain", help="why a service has its workers, and what comes next"))
    add_retire(commands.add_parser("retire", help="take back what is on the nodes, before uninstalling"))
    add_manifests(commands.add_parser("manifests", help="write what the models generate"))
    add_simulate(commands.add_parser("simulate", help="what a service's scaling makes of a trace"))
    return parser
