"""What a watch makes of a line that no API server should send."""

from __future__ import annotations

import pytest

from tidegate.kube.client import _event
from tidegate.kube.errors import KubeError


@pytest.mark.parametrize("line", [b'{"kind": "Status"}', b'{"type": "ADDED", "object": {}}', b"[]", b"{"])
def test_a_line_without_an_object_is_a_named_error_and_no_crash(line: bytes) -> None:
    with pytest.raises(KubeError):
        _event(line)
