"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# A busy machine is no defect: no property is held to a time.
settings.register_profile("tidegate", deadline=None)
settings.load_profile("tidegate")
