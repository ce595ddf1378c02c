"""``tidegate simulate``: what a service's scaling makes of a trace, and what other settings would."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from tidegate.cli.arguments import number, seconds

SHAPES = ("steady", "bursts", "daily", "on-off")
MONDAY = "2026-01-05"


def add_simulate(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("file", type=Path, metavar="SERVICE.YAML", help="an InferenceService")
    _add_load(parser)
    _add_engine(parser)
    _add_output(parser)
    parser.set_defaults(command=_simulate)


def _add_load(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()
    text = "a CSV file: TIMESTAMP,ContextTokens,GeneratedTokens or arrival,seconds; may be gzip"
    source.add_argument("--trace", type=Path, metavar="CSV", help=text)
    source.add_argument("--shape", choices=SHAPES, default="daily", help="requests that are made up (daily)")
    _add_number(parser, "--rate", 1.0, "of a shape: requests a second at its peak", "N")
    _add_number(parser, "--hours", 24.0, "of a shape: how long it lasts", "N")
    _add_number(parser, "--request-seconds", 10.0, "of a shape: how long a request runs alone, on average")
    text = f"when the first second is, for scaling.schedules; UTC where no zone stands ({MONDAY}, a Monday)"
    parser.add_argument("--begin", type=_moment, default=_moment(MONDAY), metavar="TIME", help=text)


def _add_engine(parser: argparse.ArgumentParser) -> None:
    _add_number(parser, "--start-seconds", 60.0, "from the decision to a worker that answers")
    _add_number(parser, "--seconds-per-token", 0.05, "of a trace with tokens: for each generated one")
    _add_number(parser, "--seconds-per-prompt-token", 0.0003, "and for each one of the prompt")
    text = "share by which each further request in a worker slows all that run there"
    _add_number(parser, "--slowdown", 0.0, text, "SHARE")


def _add_output(parser: argparse.ArgumentParser) -> None:
    _add_number(parser, "--target-seconds", 2.0, "that a request may wait and count as served well")
    text = "another setting to compare, such as scaling.idleTimeoutSeconds=60; may be repeated"
    parser.add_argument("--try", dest="tries", action="append", default=[], metavar="FIELD=VALUE", help=text)
    text = "carry out the plan of one who knows every arrival, too; it takes longer"
    parser.add_argument("--plan", action="store_true", help=text)
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="of all chance: the same seed, the same table (1)"
    )
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="a table, or JSON (text)"
    )


def _add_number(
    parser: argparse.ArgumentParser, name: str, default: float, text: str, unit: str = "SECONDS"
) -> None:
    kind = seconds if unit == "SECONDS" else number
    parser.add_argument(name, type=kind, default=default, metavar=unit, help=f"{text} ({default:g})")


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-01-05T08:00+07:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _simulate(options: argparse.Namespace) -> int:
    from tidegate.cli.simulated_service import simulated  # noqa: PLC0415  no other command needs it

    sys.stdout.write(simulated(options) + "\n")
    return 0
