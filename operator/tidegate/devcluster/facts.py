"""What `up` has started, written when it stands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tidegate.devcluster.layout import State


@dataclass(frozen=True)
class Facts:
    """Mode, API server and nodes of a cluster that came up."""

    mode: str
    url: str
    nodes: Sequence[str]
    processes: Sequence[str]

    def write(self, state: State) -> None:
        """Writes them into the state folder."""
        state.facts.write_text(json.dumps(asdict(self)))


def read_facts(state: State) -> Facts | None:
    """What came up here; None: nothing has, or not to its end."""
    try:
        return Facts(**json.loads(state.facts.read_text()))
    except (OSError, ValueError, TypeError):
        return None
