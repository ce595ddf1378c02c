"""``make corpus``: the corpus through all three proxies; prints a table, writes docs/strictness.md."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.component.gateway.corpus.all_cases import CASES
from tests.differential import proxies, report
from tests.differential.compare import compare

_PAGE = Path(__file__).parents[2] / "docs" / "strictness.md"


async def _run() -> int:
    if missing := proxies.missing():
        sys.stderr.write(f"not installed: {missing} (Debian: apt-get install nginx haproxy)\n")
        return 2
    versions = [await proxies.version("nginx"), await proxies.version("haproxy")]
    with tempfile.TemporaryDirectory() as folder:
        rows = await compare(list(CASES.values()), Path(folder))
    _PAGE.write_text(report.page(rows, versions))
    found = report.problems(rows)
    sys.stdout.write(
        "\n".join([report.table(rows), f"{len(rows)} cases, {len(found)} problems", *found]) + "\n"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_run()))
