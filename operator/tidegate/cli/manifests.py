"""``tidegate manifests``: writes what the models generate."""

from __future__ import annotations

import argparse
from pathlib import Path

from tidegate.api.generated import generated_files
from tidegate.cli.gateway import gateway_flags


def add_manifests(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is stale")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the checkout (the current folder)")
    parser.set_defaults(command=_manifests)


def _manifests(options: argparse.Namespace) -> int:
    from tidegate.gateway.reference import gateway_reference  # noqa: PLC0415  the operator needs none of it
    from tidegate.local.manifests.fields import fields_page  # noqa: PLC0415

    pages = {
        "docs/reference/gateway.md": gateway_reference(gateway_flags()),
        "docs/local-fields.md": fields_page(),
    }
    generated = {**generated_files(), **pages}
    files = {options.root / name: text for name, text in generated.items()}
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text("utf-8") != text]
    for path in stale:
        if not options.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], "utf-8")
        print(f"{path}: {'stale; run make manifests' if options.check else 'written'}")
    return 1 if options.check and stale else 0
