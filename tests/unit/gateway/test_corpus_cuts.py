"""The corpus, however it is cut, and with the heads that the reader knows already."""

from __future__ import annotations

import pytest

from tests.component.gateway.corpus.all_cases import CASES
from tests.component.gateway.corpus.case import LAST, Case
from tests.fuzz.reading import check


def test_a_connect_without_a_version_is_refused_however_it_is_cut() -> None:
    """llhttp takes it for HTTP/0.9 and leaves HTTP; in one piece, what followed was judged no more."""
    assert check(b"CONNECT g\n\r\nCTHowt:g :\xc4\r\n\r\x0e").refused


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_case_is_read_the_same_however_it_is_cut(case: Case) -> None:
    whole = check(case.data)
    assert [(method, body) for method, _, _, body in whole.requests] == [
        (r.method, r.body) for r in case.reached
    ]
    assert whole.refused == (case.status > 0)
    check(case.data + case.data + LAST)
