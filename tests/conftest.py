"""What holds for every test."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A busy machine is no defect: no property is held to a time, neither for an example nor for its making.
TIMELESS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples on every machine and at every run: a test that passed here passes there. New examples are
# drawn by `make campaign-properties`.
settings.register_profile("fixed", TIMELESS, derandomize=True, database=None)
settings.register_profile("drawn", TIMELESS, derandomize=False, print_blob=True)
settings.load_profile(os.environ.get("TIDEGATE_EXAMPLES", "fixed"))
