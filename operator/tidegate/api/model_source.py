"""spec.model: which weights are served."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from tidegate.api import rules
from tidegate.api.base import Model, each_once, formed, require, with_rules
from tidegate.api.pod import LocalReference

ServedName = Annotated[
    str,
    Field(min_length=1, max_length=128, json_schema_extra=with_rules(rules.SERVED_NAME)),
    formed(rules.SERVED_NAME_PATTERN, rules.SERVED_NAME),
]


class ModelSource(Model):
    """Which weights are served, and under which names."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(rules.REVISION_NEEDS_HF, rules.SECRET_NEEDS_REMOTE)
    )

    uri: str = Field(
        min_length=6,
        max_length=512,
        description=(
            "Where the weights are. hf://OWNER/NAME is downloaded from Hugging Face by the worker when it "
            "starts; s3://BUCKET/PREFIX is streamed from object storage by the engine; pvc://CLAIM/PATH is "
            "read from a PersistentVolumeClaim of this namespace, mounted read-only at /models/CLAIM; "
            "oci://REGISTRY/REPOSITORY:TAG or @DIGEST is an image that holds the model's files at its "
            "root, mounted read-only at /models/image by clusters that have image volumes; file:///PATH is a "
            "folder inside the worker's image, never on the host."
        ),
        json_schema_extra=with_rules(rules.URI),
    )
    revision: str = Field(
        default="",
        max_length=128,
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._/-]*)?$",
        description=(
            "The branch, tag or commit of an hf:// model. Default: empty, the repository's default branch."
        ),
        json_schema_extra={"default": None},
    )
    served_names: Annotated[tuple[ServedName, ...] | None, each_once()] = Field(
        default=None,
        min_length=1,
        max_length=16,
        description=(
            "The names by which requests ask for this model, in their field model. Absent: the name of the "
            "InferenceService."
        ),
        json_schema_extra=with_rules(list_type="set"),
    )

    secret_ref: LocalReference | None = Field(
        default=None,
        description=(
            "A Secret of this namespace with what the model's source asks for. Of hf:// and s3:// models "
            "each of its keys becomes an environment variable of the engine: HF_TOKEN, AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL. Of an oci:// model it holds the registry's "
            "credentials, type kubernetes.io/dockerconfigjson. Absent: none."
        ),
    )

    @field_validator("uri")
    @classmethod
    def _known_source(cls, uri: str) -> str:
        require(re.fullmatch(rules.URI_PATTERN, uri) is not None and "/.." not in uri, rules.URI)
        return uri

    @model_validator(mode="after")
    def _fits_the_source(self) -> Self:
        require(not self.revision or self.uri.startswith("hf://"), rules.REVISION_NEEDS_HF)
        local = self.uri.startswith(("pvc://", "file://"))
        require(self.secret_ref is None or not local, rules.SECRET_NEEDS_REMOTE)
        return self
