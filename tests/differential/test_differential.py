"""Where nginx and HAProxy are installed: nothing passes here that one of them refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.component.gateway.corpus.all_cases import CASES
from tests.differential import proxies, report
from tests.differential.compare import compare

_MISSING = proxies.missing()


@pytest.mark.skipif(bool(_MISSING), reason=f"not installed: {_MISSING}")
async def test_nothing_passes_that_nginx_or_haproxy_refuse_and_each_difference_has_its_reason(
    tmp_path: Path,
) -> None:
    found = [await proxies.version(name) for name in ("nginx", "haproxy")]
    if not all(one.startswith(known) for one, known in zip(found, proxies.KNOWN, strict=True)):
        pytest.skip(f"the reasons were written for {' and '.join(proxies.KNOWN)}, here are {found}")
    rows = await compare(list(CASES.values()), tmp_path)
    assert report.problems(rows) == []
