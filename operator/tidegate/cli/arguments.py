"""What several commands take, and how a value of it is read."""

from __future__ import annotations

import argparse

from tidegate.domain.limits import DEFAULT_MAX_DEPTH


def add_default_max_depth(parser: argparse.ArgumentParser) -> None:
    """``--default-max-depth``, of the operator and the gateways alike: they must compute the same limits."""
    text = f"the queue limit of services that set none ({DEFAULT_MAX_DEPTH})"
    parser.add_argument("--default-max-depth", type=positive, default=DEFAULT_MAX_DEPTH, help=text)


def add_watch_namespace(parser: argparse.ArgumentParser) -> None:
    """``--watch-namespace``: the one namespace of an installation without rights beyond it."""
    text = "serve this namespace alone, with no right beyond it (all that are not handed to another)"
    parser.add_argument("--watch-namespace", metavar="NAMESPACE", help=text)


def positive(text: str) -> int:
    """The whole number of 1 or more that ``text`` is, or a sentence for the usage error."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def seconds(text: str) -> float:
    """The seconds, 0 or more, that ``text`` is, or a sentence for the usage error."""
    return _from_zero(text, "number of seconds")


def number(text: str) -> float:
    """The number, 0 or more, that ``text`` is, or a sentence for the usage error."""
    return _from_zero(text, "number")


def _from_zero(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a {what}, 0 or more")
    return value


def address(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``; an IPv6 host stands in brackets, which are taken off."""
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as 0.0.0.0:8080")
    return host.strip("[]"), int(port)
