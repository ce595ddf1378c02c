"""Strings whose form Kubernetes prescribes, each with its bounds."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

_WORD = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
SUBDOMAIN = rf"{_WORD}(\.{_WORD})*"
LABEL_KEY_PATTERN = rf"^({SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?$"

# At most 253 characters in all: what stands before the slash may have no more, and so has none here.
LabelKey = Annotated[str, Field(min_length=1, max_length=253, pattern=LABEL_KEY_PATTERN)]
LabelValue = Annotated[str, Field(max_length=63, pattern="^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")]
WordName = Annotated[
    str, Field(min_length=1, max_length=63, pattern=f"^{_WORD}$")
]  # of a volume, a namespace
ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=f"^{SUBDOMAIN}$")]
OptionalName = Annotated[str, Field(max_length=253, pattern=f"^({SUBDOMAIN})?$")]  # empty: none
DataKey = Annotated[
    str, Field(min_length=1, max_length=253, pattern="^[-._A-Za-z0-9]*[-_A-Za-z0-9][-._A-Za-z0-9]*$")
]  # of a Secret or ConfigMap; neither . nor ..
