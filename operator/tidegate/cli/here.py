"""What the commands that ask a ``tidegate up`` share: where it is, and which of its services is meant."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from tidegate.local.asking.client import ControlClient
from tidegate.local.asking.wire import Told
from tidegate.local.state.state_folder import state_folder

EXIT_CODES: Final = (
    "Exit codes: 0 done; 1 not done (no `tidegate up` runs here, no such service), with a sentence on "
    "stderr; 2 wrong usage."
)
_NAMED: Final = 5  # services that a sentence names


def add_state(parser: argparse.ArgumentParser) -> None:
    """``--state``, of every command that has to do with a ``tidegate up``."""
    text = "where a tidegate up keeps its state"
    default = "$STATE_DIRECTORY, $XDG_STATE_HOME/tidegate/local or ~/.local/state/tidegate/local"
    parser.add_argument("--state", type=Path, metavar="FOLDER", help=f"{text} ({default})")


def add_namespace(parser: argparse.ArgumentParser) -> None:
    """``-n``."""
    parser.add_argument("-n", "--namespace", metavar="NAMESPACE", help="where it is (all that run here)")


def folder(options: argparse.Namespace) -> Path:
    """The state folder that the options and the environment name."""
    return state_folder(options.state, os.environ)


def client(options: argparse.Namespace) -> ControlClient:
    """Of the ``tidegate up`` that the options name."""
    return ControlClient(folder(options))


def one_of(services: Sequence[Told], name: str, namespace: str | None) -> Told:
    """The service of that name; ``infsvc/NAME`` and ``namespace/NAME`` are understood. ValueError: which are
    there instead."""
    before, slash, alone = name.rpartition("/")
    kinds = ("infsvc", "inferenceservice", "inferenceservices", "inferenceservices.tidegate.io")
    if slash and before.lower() not in kinds:
        namespace = namespace or before
    found = [each for each in services if each.name == alone and namespace in (None, each.namespace)]
    if len(found) == 1:
        return found[0]
    if found:
        places = " or ".join(f"-n {each.namespace}" for each in found)
        raise ValueError(
            f"there is an InferenceService {alone} in several namespaces: say which with {places}"
        )
    raise ValueError(_who_is_there(services, alone, namespace))


def _who_is_there(services: Sequence[Told], name: str, namespace: str | None) -> str:
    where = f" in namespace {namespace}" if namespace else ""
    missing = f"no InferenceService {name} runs here{where}"
    elsewhere = [each.namespace for each in services if each.name == name]
    if elsewhere:
        return f"{missing}; there is one in {' and in '.join(elsewhere)}: name it with -n"
    names = sorted({each.name for each in services})
    if near := get_close_matches(name, names, _NAMED):
        return f"{missing}; did you mean {' or '.join(near)}?"
    others = ", ".join(names[:_NAMED]) + (" and others" if len(names) > _NAMED else "")
    return f"{missing}; there {'are' if len(names) > 1 else 'is'} {others or 'none'}"
