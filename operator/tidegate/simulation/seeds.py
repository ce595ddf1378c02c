"""Chance from a seed."""

from __future__ import annotations

import random


def seeded(seed: int | str) -> random.Random:
    """A source of chance that gives the same for the same seed, on every machine."""
    return random.Random(seed)  # noqa: S311  nothing that is simulated is a secret
