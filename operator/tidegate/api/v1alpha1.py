"""tidegate.io/v1alpha1 InferenceService: the whole resource."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from tidegate.api import rules, scaling_rules
from tidegate.api.base import Model, error_sentences, with_rules
from tidegate.api.spec import InferenceServiceSpec
from tidegate.api.status import InferenceServiceStatus


class Metadata(Model):
    """The part of an object's metadata that tidegate reads."""

    name: str = Field(min_length=1, max_length=50, pattern=rules.NAME_PATTERN)
    namespace: str = Field(default="default", min_length=1, max_length=63)
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    annotations: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)


class InferenceService(Model):
    """A model served by vLLM: asleep at zero workers, awake for the first request."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            rules.NAME, rules.REPLICAS_MANAGED, rules.REPLICAS_EXTERNAL, scaling_rules.TARGET_FITS
        )
    )

    api_version: Literal["tidegate.io/v1alpha1"] = "tidegate.io/v1alpha1"
    kind: Literal["InferenceService"] = "InferenceService"
    metadata: Metadata
    spec: InferenceServiceSpec = Field(description="What should run.")
    status: InferenceServiceStatus | None = Field(default=None, description="What was observed.")


def parse(raw: Mapping[str, Any], *, strict: bool = False) -> InferenceService:
    """The typed form of an object from the API server or from a file.

    ``strict`` refuses fields that the schema does not have (a misspelt field in a file);
    the API server prunes them by itself. ValueError names each wrong field.
    """
    text = json.dumps(raw, default=str)
    try:
        return InferenceService.model_validate_json(text, extra="forbid" if strict else "ignore")
    except ValidationError as error:
        raise ValueError(error_sentences(error.errors(include_url=False))) from None
