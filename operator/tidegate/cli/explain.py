"""``tidegate explain``: why a service is as it is, and what comes next, as sentences."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

_EPILOG = (
    "Exit codes: 0 explained, whatever state the service is in; 1 it could not be (no such service, no right "
    "to read it, no cluster), with a sentence on stderr; 2 wrong usage."
)


def add_explain(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.epilog = _EPILOG
    parser.add_argument("name", metavar="NAME", help="the InferenceService")
    text = "where it is (that of the kubeconfig's context, or the pod's own)"
    parser.add_argument("-n", "--namespace", metavar="NAMESPACE", help=text)
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="sentences, or JSON (text)"
    )
    text = "ask them too, through the API server (needs get on pods/proxy): exact counts, and when it sleeps"
    parser.add_argument("--ask-gateways", action="store_true", help=text)
    parser.set_defaults(command=_explain)


def _explain(options: argparse.Namespace) -> int:
    sys.stdout.write(asyncio.run(_explanation(options)))
    return 0


async def _explanation(options: argparse.Namespace) -> str:
    from tidegate.kube.client import KubeClient  # noqa: PLC0415
    from tidegate.kube.connection import default_namespace  # noqa: PLC0415
    from tidegate.kube.look import look  # noqa: PLC0415
    from tidegate.views.explanation import explain  # noqa: PLC0415
    from tidegate.views.layout import as_json, as_text  # noqa: PLC0415

    async with await KubeClient.connect() as client:
        namespace = options.namespace or default_namespace()
        seen = await look(client, namespace, options.name, time.time, ask_gateways=options.ask_gateways)
    explanation = explain(seen)
    return as_json(explanation) if options.output == "json" else as_text(explanation)
