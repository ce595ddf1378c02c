"""The corpus: requests that are malformed, ambiguous, or odd and right."""

from __future__ import annotations

from tests.component.gateway.corpus.bodies import BODIES
from tests.component.gateway.corpus.case import Case, named
from tests.component.gateway.corpus.fields import FIELDS
from tests.component.gateway.corpus.request_lines import LINES, TARGETS

CASES: dict[str, Case] = named([*LINES, *TARGETS, *FIELDS, *BODIES])
