"""spec of an InferenceService. The descriptions are what ``kubectl explain`` prints."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from tidegate.api import cache_rules, rules, scaling_rules, sleep_rules
from tidegate.api.base import Model, Size, require, with_rules
from tidegate.api.cache import Cache
from tidegate.api.compute import Resources
from tidegate.api.degradation import Degradation
from tidegate.api.engine import Engine
from tidegate.api.model_source import ModelSource
from tidegate.api.placement import Placement
from tidegate.api.pod import Pod
from tidegate.api.pricing import Pricing
from tidegate.api.routing import Routing
from tidegate.api.scaling import Scaling
from tidegate.api.slo import Slo
from tidegate.domain.engine_args import device_groups


class Queue(Model):
    """What the gateway holds for this service, and for how long."""

    max_depth: int | None = Field(
        default=None,
        ge=1,
        le=100000,
        description=(
            "Requests that wait or run at once, the arriving one included; one more is answered with 429. "
            "Absent: what calibration found (annotation tidegate.io/calibrated-max-depth), else the default "
            "of the installation (128 unless set otherwise) is filled in when the object is written, and the "
            "annotation tidegate.io/queue-default records that; status.queue says what holds, and its source."
        ),
    )
    max_bytes: Size = Field(
        default="64Mi",
        description=(
            "Bytes of request bodies that are held at once; a request that would exceed it is answered with "
            "429. Default: 64Mi."
        ),
    )
    wait_timeout_seconds: int = Field(
        default=120,
        ge=1,
        le=86400,
        description=(
            "Seconds that a request waits in the queue while workers are ready but busy; after that it is "
            "answered with 429, code queue_timeout. Default: 120."
        ),
    )
    execution_timeout_seconds: int = Field(
        default=300,
        ge=1,
        le=86400,
        description="Seconds from the dispatch to a worker until the last byte of the answer; after that the "
        "engine's work is aborted. A worker that is stopped gets this long to finish. Default: 300.",
    )
    retry_after_seconds: int | None = Field(
        default=None,
        ge=1,
        le=86400,
        description=(
            "The Retry-After of a refused request, in seconds. Absent or null: computed from the queue's "
            "depth and the rate at which it drains."
        ),
        json_schema_extra={"nullable": True},
    )


class InferenceServiceSpec(Model):
    """What should run. Only model and resources must be given."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            rules.DEVICES_DIVIDE,
            cache_rules.LIMIT_NEEDS_DOWNLOAD,
            cache_rules.NAMES_ARE_OURS,
            sleep_rules.NEEDS_DEVICE,
            sleep_rules.BEFORE_IDLE,
        )
    )

    model: ModelSource = Field(description="Which weights are served, and under which names.")
    engine: Engine = Field(default_factory=Engine, description="How the engine (vLLM) is run.")
    resources: Resources = Field(
        description="What one worker gets: requests equal limits, so that its pod is Guaranteed."
    )
    cpu_isolation: Literal["Required", "Preferred", "None"] = Field(
        default="Preferred",
        description=(
            "Whether a worker's cores are exclusively its own. Required: only on nodes labelled "
            "tidegate.io/cpu-manager-policy=static. Preferred: there if possible. None: anywhere, and with "
            "no CPU limit. Default: Preferred."
        ),
    )
    placement: Placement = Field(default_factory=Placement, description="On which nodes workers may run.")
    pod: Pod = Field(
        default_factory=Pod, description="What a worker's pod has beside the engine's own needs."
    )
    cache: Cache | None = Field(
        default=None,
        description=(
            "Where downloaded models and compiled kernels are kept between workers: hf:// and s3:// models "
            "are then fetched once, checked, and read from there. Absent: nowhere."
        ),
    )
    rollout: Literal["Replace", "Surge"] = Field(
        default="Replace",
        description=(
            "How a changed spec reaches running workers. Replace: the old ones stop, then the new ones "
            "start, and requests are held meanwhile; needs no spare device. Surge: the new ones start first. "
            "Default: Replace."
        ),
    )
    suspend: bool = Field(
        default=False,
        description="True: no worker runs and every request is answered with 503 at once. Default: false.",
    )
    replicas: int | None = Field(
        default=None,
        ge=0,
        le=1000,
        description=(
            "Workers, in scaling.mode External only; at zero a request does not wake the service but is held "
            "until somebody raises it. Where mode is set to External without it, the webhook writes the "
            "workers that there are, at least one. Refused in mode Managed."
        ),
    )
    scaling: Scaling = Field(default_factory=Scaling, description="How many workers there are.")
    queue: Queue = Field(default_factory=Queue, description="What the gateway holds, and for how long.")
    routing: Routing = Field(default_factory=Routing, description="Which worker a request gets.")
    degradation: Degradation | None = Field(
        default=None,
        description=(
            "Shorter answers while the queue is deep; an empty object takes the default steps. A request's "
            "own smaller limit stands, and a client can refuse with the header x-tidegate-degrade: never. "
            "Absent: off."
        ),
    )
    slo: Slo | None = Field(
        default=None,
        description=(
            "Targets for the last ten minutes; the condition SLOMet says which are missed. They change "
            "nothing of what the gateway or the operator does. Absent: no such condition."
        ),
    )
    pricing: Pricing | None = Field(
        default=None, description="What one worker costs, for status.cost. Absent: no cost is told."
    )

    @model_validator(mode="after")
    def _devices_divide(self) -> Self:
        accelerator = self.resources.accelerator
        if accelerator is not None:
            require(accelerator.count % device_groups(self.engine.args) == 0, rules.DEVICES_DIVIDE)
        return self

    @model_validator(mode="after")
    def _sleep_has_an_effect(self) -> Self:
        sleep, scaling = self.engine.sleep, self.scaling
        if sleep is not None:
            require(self.resources.accelerator is not None, sleep_rules.NEEDS_DEVICE)
            kept = scaling.mode != "Managed" or scaling.min_replicas > 0 or bool(scaling.schedules)
            require(kept or sleep.after_seconds < scaling.idle_timeout_seconds, sleep_rules.BEFORE_IDLE)
        return self

    @model_validator(mode="after")
    def _cache_has_its_own(self) -> Self:
        if self.cache is not None:
            fetched = cache_rules.is_fetched(self.model.uri)
            require(fetched or self.cache.size_limit is None, cache_rules.LIMIT_NEEDS_DOWNLOAD)
            names = [volume.name for volume in self.pod.volumes]
            paths = [mount.mount_path for mount in self.pod.volume_mounts]
            require(not cache_rules.takes_names(names, paths), cache_rules.NAMES_ARE_OURS)
        return self

    @model_validator(mode="after")
    def _replicas_fit_the_mode(self) -> Self:
        external = self.scaling.mode == "External"
        require(external or self.replicas is None, rules.REPLICAS_MANAGED)
        require(not external or self.replicas is not None, rules.REPLICAS_EXTERNAL)
        return self

    @model_validator(mode="after")
    def _target_fits_the_engine(self) -> Self:
        given = self.scaling.metric.concurrency if self.scaling.metric else None
        fits = given is None or given.target_per_replica <= self.engine.max_concurrency
        require(fits, scaling_rules.TARGET_FITS)
        return self
