"""Another command's options, checked as it checks them, and written down again as they were given."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any


def keep_as_given(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Makes each option so far keep its text, checked, and a path absolute; none is required any more."""
    actions = [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]
    for action in actions:
        action.required = False
        if callable(action.type):
            action.type = _checked(action.type)
    return actions


def words(options: argparse.Namespace, actions: Sequence[argparse.Action]) -> Iterator[str]:
    """The options that differ from their defaults, as words of a command line."""
    for action in actions:
        value = getattr(options, action.dest)
        if value is None or value == action.default:
            continue
        if action.nargs == 0:
            yield _switch(action, on=value is True)
        else:
            for each in value if isinstance(value, list) else [value]:
                yield from _valued(action, str(each))


def _checked(read: Callable[[str], Any]) -> Callable[[str], str]:
    def as_given(text: str) -> str:
        read(text)
        return str(Path(text).absolute()) if read is Path and text != "-" else text

    return as_given


def _switch(action: argparse.Action, *, on: bool) -> str:
    """Of ``--x`` and ``--no-x``, where there are both, the one that was given."""
    wanted = [each for each in action.option_strings if each.startswith("--no-") is not on]
    return (wanted or list(action.option_strings))[-1]


def _valued(action: argparse.Action, text: str) -> tuple[str, ...]:
    name = action.option_strings[0]
    return (f"{name}={text}",) if text.startswith("-") else (name, text)
