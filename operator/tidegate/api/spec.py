"""spec of an InferenceService. The descriptions are what ``kubectl explain`` prints."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from tidegate.api import rules
from tidegate.api.base import LabelValue, Model, Size, WholeCores, with_rules
from tidegate.api.placement import Placement
from tidegate.domain.engine_args import refusal

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


class SecretKey(Model):
    """One key of a Secret in this namespace."""

    name: str = Field(min_length=1, max_length=253, description="The Secret's name.")
    key: str = Field(min_length=1, max_length=253, description="The key within the Secret.")


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


class Engine(Model):
    """How the engine (vLLM) is run."""

    image: str = Field(
        default="",
        max_length=512,
        description=(
            "The worker's image: any whose entrypoint takes vLLM's arguments. Default: empty, the image that "
            "the operator was installed with."
        ),
        json_schema_extra={"default": None},
    )
    args: tuple[Annotated[str, Field(min_length=1, max_length=1024)], ...] = Field(
        default=(),
        max_length=64,
        description="Arguments for vLLM, appended to those that the operator sets. Those that it sets itself "
        "(--model, --served-model-name, --max-num-seqs, --port, ...) are refused. Default: none.",
        json_schema_extra=with_rules(*rules.OWNED_ARGS, list_type="atomic"),
    )
    env: tuple[EnvVar, ...] = Field(
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
    readiness_path: str = Field(
        default="/v1/models",
        min_length=1,
        max_length=256,
        pattern=r"^/[A-Za-z0-9._~/-]*$",
        description=(
            "The path that answers 200 when the engine can take requests; asked by the kubelet and by the "
            "gateway. Default: /v1/models."
        ),
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

    @field_validator("args")
    @classmethod
    def _refuse_owned(cls, args: tuple[str, ...]) -> tuple[str, ...]:
        sentences = [sentence for sentence in map(refusal, args) if sentence]
        if sentences:
            raise ValueError(sentences[0])
        return args


class Accelerator(Model):
    """The devices of one worker."""

    model_config = ConfigDict(json_schema_extra=with_rules(rules.ACCELERATOR_TYPES))

    resource: str = Field(
        min_length=3,
        max_length=128,
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        description="The extended resource that the device plugin offers: nvidia.com/gpu, amd.com/gpu, "
        "nvidia.com/mig-1g.10gb.",
    )
    count: int = Field(
        ge=1,
        le=64,
        description="Devices of one worker. With more than one the model is spread over them "
        "(--tensor-parallel-size).",
    )
    types: tuple[LabelValue, ...] = Field(
        default=(),
        max_length=16,
        description=(
            "Products that will do, as the vendor's node labels call them: NVIDIA-L4, NVIDIA-L40S. They "
            "become node affinity on nvidia.com/gpu.product or amd.com/gpu.product-name. Default: any."
        ),
        json_schema_extra=with_rules(list_type="set"),
    )


class Resources(Model):
    """What one worker gets. Requests equal limits, so its pod is in the QoS class Guaranteed."""

    model_config = ConfigDict(json_schema_extra=with_rules(rules.SHARED_MEMORY))

    cpu: WholeCores = Field(
        description=(
            "Whole cores of one worker, from 1 to 1024. On a node with the static CPU manager policy they "
            "are exclusively its own."
        )
    )
    memory: Size = Field(description="Memory of one worker, such as 32Gi; sharedMemory is part of it.")
    ephemeral_storage: Size | None = Field(
        default=None,
        description=(
            "Disk of one worker for logs, /tmp and downloaded weights, such as 20Gi. Absent: neither "
            "reserved nor limited."
        ),
    )
    shared_memory: Size | None = Field(
        default=None,
        description=(
            "Size of /dev/shm, such as 2Gi; a part of memory, so it must be less. Absent: the container "
            "runtime's own, commonly 64Mi."
        ),
    )
    accelerator: Accelerator | None = Field(
        default=None, description="The devices of one worker. Absent: it runs on CPU."
    )


class Scaling(Model):
    """How many workers there are."""

    model_config = ConfigDict(json_schema_extra=with_rules(rules.MIN_MAX))

    mode: Literal["Managed", "External"] = Field(
        default="Managed",
        description="Managed: tidegate wakes, scales and puts to sleep, between minReplicas and maxReplicas. "
        "External: spec.replicas is followed, and only that; it is written by kubectl scale, an "
        "HorizontalPodAutoscaler or KEDA. Default: Managed.",
    )
    min_replicas: int = Field(
        default=0,
        ge=0,
        le=1000,
        description=(
            "Workers that are kept without any request. Zero lets the service sleep, and its next request "
            "wakes it. Read in mode Managed. Default: 0."
        ),
    )
    max_replicas: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="Workers at most, at any load. Read in mode Managed. Default: 1.",
    )
    idle_timeout_seconds: int = Field(
        default=180,
        ge=0,
        le=604800,
        description=(
            "Seconds without activity after which the workers are put to sleep (down to minReplicas). The "
            "clock starts at the latest of: the worker became Ready, the last request arrived, the last "
            "request ended; a request that waits or runs keeps the service awake, and a worker that is still "
            "loading is never put to sleep. Zero: sleep as soon as nothing waits or runs. Read in mode "
            "Managed. Default: 180."
        ),
    )
    cold_start_timeout_seconds: int = Field(
        default=300,
        ge=1,
        le=86400,
        description=(
            "Seconds that a request is held while no worker is ready; after that it is answered with 503 and "
            "Retry-After. Default: 300."
        ),
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise ValueError(rules.MIN_MAX["message"])
        return self


class Queue(Model):
    """What the gateway holds for this service, and for how long."""

    max_depth: int | None = Field(
        default=None,
        ge=1,
        le=100000,
        description=(
            "Requests that wait or run at once, the arriving one included; one more is answered with 429. "
            "Absent: the default of the installation (128 unless set otherwise) is filled in when the object "
            "is written, and the annotation tidegate.io/queue-default records that; status.queue.limit is "
            "what holds."
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
            "Workers, in scaling.mode External only, where it must be set; at zero a request does not wake "
            "the service but is held until somebody raises it. Refused in mode Managed."
        ),
    )
    scaling: Scaling = Field(default_factory=Scaling, description="How many workers there are.")
    queue: Queue = Field(default_factory=Queue, description="What the gateway holds, and for how long.")
