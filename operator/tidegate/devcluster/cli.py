"""The development cluster: kind, the user's own, or a real Kubernetes started on this machine."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import httpx

from tidegate.devcluster.commands import SystemRunner
from tidegate.devcluster.embedded import MODES
from tidegate.devcluster.errors import ClusterError, LeftoverError
from tidegate.devcluster.layout import DEFAULT_NAME
from tidegate.devcluster.progress import Progress
from tidegate.devcluster.tool import BENCHMARK_IMAGES, IMAGES, MODELS, PROVIDERS, VARIABLE, Tool

COMMANDS = {
    "up": "start the cluster; nothing is done when it is healthy",
    "down": "remove it, and verify that nothing is left",
    "status": "say what runs; exit code 1 when it is not healthy",
    "env": 'print KUBECONFIG and PATH for a shell: eval "$(python -m tidegate.devcluster env)"',
    "tools": "get kubectl, helm, etcd and kube-apiserver, and print PATH for a shell",
    "prepare": "get programs, packages and images, without starting anything",
    "images": "build images, and bring those that are new into the cluster",
    "model": "get a model's files, and print their folder",
    "stop": "kill a process of the embedded cluster, or a node, as a power cut would",
    "start": "start again what `stop` has stopped",
}
NEED_LOCK = frozenset({"up", "down", "prepare", "images", "stop", "start"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code: 0, 1 (something is left, or unhealthy), 2 (it cannot be done)."""
    options = parser().parse_args(arguments)
    progress = Progress(sys.stderr)
    try:
        with httpx.Client() as client:
            return _run(Tool(options, os.environ, progress, SystemRunner(), client))
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except LeftoverError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `status | head`: whoever read has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _run(tool: Tool) -> int:
    code = tool.run()
    sys.stdout.flush()
    return code


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    whole = argparse.ArgumentParser(prog="python -m tidegate.devcluster", description=__doc__)
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    common = _common_options()
    parsers = {
        name: commands.add_parser(name, parents=[common], help=text) for name, text in COMMANDS.items()
    }
    for name in ("prepare", "images"):
        choices = (*IMAGES, *BENCHMARK_IMAGES, "all", "none")
        about = f"{', '.join(IMAGES)}, all of these (the default), none; {', '.join(BENCHMARK_IMAGES)}"
        parsers[name].add_argument(
            "images", nargs="*", metavar="IMAGE", choices=choices, default="all", help=about
        )
    parsers["model"].add_argument("model", choices=tuple(MODELS))
    for name in ("stop", "start"):
        parsers[name].add_argument("process", help="a name that `status` shows, or a node's: node-2")
    return whole


def _common_options() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    modes = (*MODES, "apiserver")
    common.add_argument("--mode", choices=modes, help="what is started (default: full)")
    where = f"where it runs (default: ${VARIABLE}, else auto)"
    common.add_argument("--provider", choices=PROVIDERS, help=where)
    common.add_argument("--state", metavar="DIR", help="the cluster's folder (default: by --name)")
    common.add_argument("--name", default=DEFAULT_NAME, help=f"the cluster's name (default: {DEFAULT_NAME})")
    return common
