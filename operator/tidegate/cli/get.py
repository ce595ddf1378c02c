"""``tidegate get``: the services that run here, as kubectl shows those of a cluster."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from tidegate.cli.here import EXIT_CODES, add_state, client, one_of
from tidegate.local.asking.wire import Telling, Told
from tidegate.views.table import Table

_FORMS: Final = ("wide", "json", "yaml", "name")


def add_get(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.epilog = EXIT_CODES
    parser.add_argument("names", metavar="NAME", nargs="*", help="of InferenceServices (all)")
    parser.add_argument("-n", "--namespace", metavar="NAMESPACE", help="those of one namespace (of all)")
    text = "show the namespaces, also where there is one only"
    parser.add_argument("-A", "--all-namespaces", action="store_true", help=text)
    text = "more columns; the whole object, or a List of them; inferenceservice.tidegate.io/NAME"
    parser.add_argument("-o", "--output", choices=_FORMS, default="", help=text)
    parser.add_argument("-w", "--watch", action="store_true", help="go on, with a line for each change")
    parser.add_argument("--no-headers", action="store_true", help="rows alone")
    add_state(parser)
    parser.set_defaults(command=_get)


def _get(options: argparse.Namespace) -> int:
    if options.watch:
        return _watch(options)
    telling = client(options).services()
    chosen, missing = _chosen(telling, options)
    if options.output in ("json", "yaml", "name"):
        if chosen or not missing:
            one = len(options.names) == 1
            _print(_document([each.service for each in chosen], one=one), options.output)
    elif chosen:
        table = _table(chosen, options)
        rows = [table.row(each.service, telling.now) for each in chosen]
        _write(table.lines(rows if options.no_headers else [table.head, *rows]))
    elif not missing:
        where = f" in namespace {options.namespace}" if options.namespace else ""
        print(f"No InferenceServices run here{where}.", file=sys.stderr)
    for complaint in missing:
        print(f"tidegate: {complaint}", file=sys.stderr)
    return 1 if missing else 0


def _watch(options: argparse.Namespace) -> int:
    """As kubectl does: what is, then each object again whenever something of it changes that is shown."""
    table: Table | None = None
    before: dict[tuple[str, str], object] = {}
    for chosen, now in _watched(options):
        first = table is None
        table = table or _table(chosen, options)
        changed = [each for each in chosen if before.get(_id(each)) != _shown(each, table, options)]
        before = {_id(each): _shown(each, table, options) for each in chosen}
        if options.output in ("json", "yaml", "name"):
            for each in changed:
                if options.output == "yaml":
                    _write(["---"])
                _print(each.service, options.output)
            continue
        rows = [table.row(each.service, now) for each in changed]
        head = [table.head] if first and not options.no_headers else []
        _write(table.lines([*head, *rows]))
    print("tidegate: the tidegate up that was watched has ended", file=sys.stderr)
    return 0


def _chosen(telling: Telling, options: argparse.Namespace) -> tuple[list[Told], list[str]]:
    """The services, and a complaint about each name that is none's."""
    if not options.names:
        return _known(telling, options), []
    found, missing = [], []
    for name in options.names:
        try:
            found.append(one_of(telling.services, name, options.namespace))
        except ValueError as error:
            missing.append(str(error))
    return found, missing


def _watched(options: argparse.Namespace) -> Iterator[tuple[list[Told], float]]:
    """The services again and again, with the time. ValueError where a name is none's at the beginning; what
    it means then it goes on meaning, also while there is no such service."""
    wanted: set[tuple[str, str]] | None = None
    for telling in client(options).watch():
        if wanted is None:
            wanted = {_id(one_of(telling.services, name, options.namespace)) for name in options.names}
        known = _known(telling, options)
        yield [each for each in known if not wanted or _id(each) in wanted], telling.now


def _known(telling: Telling, options: argparse.Namespace) -> list[Told]:
    """Those of the namespace, in the order in which they are shown."""
    found = sorted(telling.services, key=_id)
    return [each for each in found if options.namespace in (None, each.namespace)]


def _table(services: Sequence[Told], options: argparse.Namespace) -> Table:
    several = len({each.namespace for each in services}) > 1
    return Table(wide=options.output == "wide", namespaces=several or options.all_namespaces)


def _id(told: Told) -> tuple[str, str]:
    return told.namespace, told.name


def _shown(told: Told, table: Table, options: argparse.Namespace) -> object:
    """What a change must change to be a line of its own: not the age."""
    return told.service if options.output in ("json", "yaml") else table.row(told.service, 0.0)


def _document(services: Sequence[Any], *, one: bool) -> Any:
    if one:
        return services[0]
    return {"apiVersion": "v1", "items": list(services), "kind": "List", "metadata": {"resourceVersion": ""}}


def _print(document: Any, form: str) -> None:
    if form == "json":
        _write([json.dumps(document, indent=4, ensure_ascii=False)])
    elif form == "name":
        items = document["items"] if document.get("kind") == "List" else [document]
        _write([f"inferenceservice.tidegate.io/{each['metadata']['name']}" for each in items])
    else:
        import yaml  # noqa: PLC0415  most calls want a table, and soon

        _write([yaml.safe_dump(document, allow_unicode=True).rstrip("\n")])


def _write(lines: Sequence[str]) -> None:
    """At once, also where the reader is a program."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
