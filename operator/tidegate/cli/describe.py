"""``tidegate describe``: one service that runs here, with its workers and what happened."""

from __future__ import annotations

import argparse
import sys

from tidegate.cli.here import EXIT_CODES, add_namespace, add_state, client, one_of


def add_describe(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.epilog = EXIT_CODES
    parser.add_argument("name", metavar="NAME", help="the InferenceService")
    add_namespace(parser)
    add_state(parser)
    parser.set_defaults(command=_describe)


def _describe(options: argparse.Namespace) -> int:
    from tidegate.cli.looked import seen_of  # noqa: PLC0415  it loads the models of the API
    from tidegate.views.description import describe  # noqa: PLC0415

    telling = client(options).services()
    told = one_of(telling.services, options.name, options.namespace)
    described = describe(seen_of(told, telling.now), told.logs, told.events, told.warnings, told.manifest)
    sys.stdout.write(described)
    return 0
