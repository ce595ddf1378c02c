"""spec.model: which weights are served."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from tidegate.api import rules
from tidegate.api.base import Model, require, with_rules

ServedName = Annotated[
    str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._:/+-]*[A-Za-z0-9])?$")
]


class ModelSource(Model):
    """Which weights are served, and under which names."""

    model_config = ConfigDict(json_schema_extra=with_rules(rules.REVISION_NEEDS_HF))

    uri: str = Field(
        min_length=6,
        max_length=512,
        description=(
            "Where the weights are. hf://OWNER/NAME is downloaded from Hugging Face by the worker when it "
            "starts; pvc://CLAIM/PATH is read from a PersistentVolumeClaim of this namespace, mounted "
            "read-only at /models/CLAIM; file:///PATH is a folder inside the worker's image, never on the "
            "host."
        ),
        json_schema_extra=with_rules(rules.URI),
    )
    revision: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$",
        description="The branch, tag or commit of an hf:// model. Absent: the repository's default branch.",
    )
    served_names: tuple[ServedName, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=16,
        description=(
            "The names by which requests ask for this model, in their field model. Absent: the name of the "
            "InferenceService."
        ),
        json_schema_extra=with_rules(list_type="set"),
    )

    @field_validator("uri")
    @classmethod
    def _known_source(cls, uri: str) -> str:
        require(re.fullmatch(rules.URI_PATTERN, uri) is not None and "/.." not in uri, rules.URI)
        return uri

    @model_validator(mode="after")
    def _revision_of_a_repository(self) -> Self:
        require(self.revision is None or self.uri.startswith("hf://"), rules.REVISION_NEEDS_HF)
        return self
