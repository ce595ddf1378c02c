"""spec.engine: how the engine is run."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from tidegate.api import rules, sleep_rules
from tidegate.api.base import Model, each_once, formed, require, with_rules
from tidegate.api.sleep import Sleep
from tidegate.api.texts import DataKey, ObjectName
from tidegate.domain.engine_args import refusal
from tidegate.domain.sleep_args import DEVELOPER_VARIABLE, sleep_refusal


class SecretKey(Model):
    """One key of a Secret in this namespace."""

    name: ObjectName = Field(description="The Secret's name.")
    key: DataKey = Field(description="The key within the Secret.")


class EnvSource(Model):
    """Where an environment variable's value comes from."""

    secret_key_ref: SecretKey = Field(
        description="A key of a Secret in this namespace, for instance HF_TOKEN's."
    )


class EnvVar(Model):
    """One environment variable of the engine."""

    model_config = ConfigDict(json_schema_extra=with_rules(rules.ENV_ONE_SOURCE))

    name: str = Field(
        min_length=1, max_length=128, pattern="^[A-Za-z_][A-Za-z0-9_]*$", description="The variable's name."
    )
    value: str | None = Field(default=None, max_length=4096, description="The value itself.")
    value_from: EnvSource | None = Field(
        default=None, description="Where to read the value, in place of value."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        require((self.value is None) != (self.value_from is None), rules.ENV_ONE_SOURCE)
        return self


class Engine(Model):
    """How the engine (vLLM) is run."""

    model_config = ConfigDict(json_schema_extra=with_rules(*sleep_rules.ARGS, sleep_rules.NO_DEVELOPER))

    image: Annotated[str, formed(rules.IMAGE_PATTERN, rules.IMAGE)] = Field(
        default="",
        max_length=512,
        description=(
            "The worker's image: any whose entrypoint takes vLLM's arguments. Default: empty, the image that "
            "the operator was installed with."
        ),
        json_schema_extra={"default": None, **with_rules(rules.IMAGE)},
    )
    args: tuple[Annotated[str, Field(min_length=1, max_length=1024)], ...] = Field(
        default=(),
        max_length=64,
        description="Arguments for vLLM, appended to those that the operator sets. Those that it sets itself "
        "(--model, --served-model-name, --max-num-seqs, --tensor-parallel-size, --port, ...) are refused, "
        "abbreviated too. Default: none.",
        json_schema_extra=with_rules(*rules.OWNED_ARGS, list_type="atomic"),
    )
    env: Annotated[tuple[EnvVar, ...], each_once("name")] = Field(
        default=(),
        max_length=64,
        description="Environment variables of the engine. Default: none.",
        json_schema_extra=with_rules(list_type="map", list_map_keys=["name"]),
    )
    max_concurrency: int = Field(
        default=32,
        ge=1,
        le=4096,
        description="Requests that run at once in one worker; more wait in the gateway's queue. It is vLLM's "
        "--max-num-seqs. Default: 32.",
    )
    readiness_path: Annotated[str, formed(rules.READINESS_PATH_PATTERN, rules.READINESS_PATH)] = Field(
        default="/v1/models",
        min_length=1,
        max_length=256,
        description=(
            "The path that answers 200 when the engine can take requests; asked by the kubelet and by the "
            "gateway. Default: /v1/models."
        ),
        json_schema_extra=with_rules(rules.READINESS_PATH),
    )
    startup_deadline_seconds: int = Field(
        default=900,
        ge=10,
        le=86400,
        description=(
            "Seconds that a worker may take from the start of its container until it is ready; after that it "
            "is taken for broken and started again. This is not how long a client waits: that is "
            "scaling.coldStartTimeoutSeconds. Default: 900."
        ),
    )

    sleep: Sleep | None = Field(
        default=None,
        description=(
            "When an idle engine frees its device's memory, for neighbours that share the device, while its "
            "worker stays Ready; needs tidegate's worker image. Absent: never."
        ),
    )

    @field_validator("args")
    @classmethod
    def _refuse_owned(cls, args: tuple[str, ...]) -> tuple[str, ...]:
        sentences = [sentence for sentence in map(refusal, args) if sentence]
        if sentences:
            raise ValueError(sentences[0])
        return args

    @model_validator(mode="after")
    def _can_sleep(self) -> Self:
        if self.sleep is None:
            return self
        if sentence := sleep_refusal(self.args, self.sleep.level):
            raise ValueError(sentence)
        developer = any(variable.name == DEVELOPER_VARIABLE for variable in self.env)
        require(not developer, sleep_rules.NO_DEVELOPER)
        return self
