"""``tidegate explain``: why a service is as it is, and what comes next, as sentences."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from typing import TYPE_CHECKING

from tidegate.cli.here import add_state, client, folder, one_of
from tidegate.local.state.state_folder import holder

if TYPE_CHECKING:
    from tidegate.views.seen import Seen

_EPILOG = (
    "Exit codes: 0 explained, whatever state the service is in; 1 it could not be (no such service, no right "
    "to read it, no cluster), with a sentence on stderr; 2 wrong usage."
)


def add_explain(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.epilog = _EPILOG
    parser.add_argument("name", metavar="NAME", help="the InferenceService")
    text = "where it is (that of the kubeconfig's context, or the pod's own; on this machine: all)"
    parser.add_argument("-n", "--namespace", metavar="NAMESPACE", help=text)
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="sentences, or JSON (text)"
    )
    text = "ask them too, through the API server (needs get on pods/proxy): exact counts, and when it sleeps"
    parser.add_argument("--ask-gateways", action="store_true", help=text)
    where = parser.add_mutually_exclusive_group()
    text = "one that tidegate up serves on this machine (where one runs)"
    where.add_argument("--local", action="store_true", help=text)
    where.add_argument(
        "--cluster", action="store_true", help="one of the cluster, also where a tidegate up runs"
    )
    add_state(parser)
    parser.set_defaults(command=_explain)


def _explain(options: argparse.Namespace) -> int:
    sys.stdout.write(
        _explanation(_looked_here(options) if _here(options) else asyncio.run(_looked(options)), options)
    )
    return 0


def _here(options: argparse.Namespace) -> bool:
    """Whether the question is about this machine: said so, or a ``tidegate up`` runs here."""
    if options.cluster:
        return False
    if options.local or options.state is not None:
        return True
    return not options.ask_gateways and _runs(options)


def _runs(options: argparse.Namespace) -> bool:
    try:
        return holder(folder(options)) is not None
    except (OSError, ValueError):  # no home, or not to be read: then none of this user's runs
        return False


def _looked_here(options: argparse.Namespace) -> Seen:
    from tidegate.cli.looked import seen_of  # noqa: PLC0415

    telling = client(options).services()
    try:
        return seen_of(one_of(telling.services, options.name, options.namespace), telling.now)
    except ValueError as error:
        if options.local or options.state is not None:
            raise
        raise ValueError(f"{error}; --cluster looks in the cluster") from None


async def _looked(options: argparse.Namespace) -> Seen:
    from tidegate.kube.client import KubeClient  # noqa: PLC0415
    from tidegate.kube.connection import default_namespace  # noqa: PLC0415
    from tidegate.kube.look import look  # noqa: PLC0415

    async with await KubeClient.connect() as cluster:
        namespace = options.namespace or default_namespace()
        return await look(cluster, namespace, options.name, time.time, ask_gateways=options.ask_gateways)


def _explanation(seen: Seen, options: argparse.Namespace) -> str:
    from tidegate.views.explanation import explain  # noqa: PLC0415
    from tidegate.views.layout import as_json, as_text  # noqa: PLC0415

    explanation = explain(seen)
    return as_json(explanation) if options.output == "json" else as_text(explanation)
