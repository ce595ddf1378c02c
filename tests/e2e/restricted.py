"""What a test's own container needs in a namespace that enforces the level ``restricted``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

RESTRICTED: Final[Mapping[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
