"""status of an InferenceService, as the operator writes it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from tidegate.api.base import Model, with_rules


class QueueStatus(Model):
    """The gateway's queue of this service."""

    limit: int | None = Field(
        default=None, description="Requests that may wait or run at once; one more gets 429."
    )
    source: str | None = Field(
        default=None, max_length=64, description="Where the limit comes from: Spec, Calibration or Default."
    )
    summary: str | None = Field(
        default=None,
        max_length=32,
        description="Requests that wait or run now, and the limit: 12/128. Seconds old at most.",
    )


class FlappingStatus(Model):
    """What is remembered of sleeps that were too short; present while there is something to remember."""

    wakes: int | None = Field(
        default=None,
        description=(
            "Sleeps that were shorter than the start which ended them; one as long as several starts takes "
            "as many off."
        ),
    )
    idle_timeout_seconds: int | None = Field(
        default=None,
        description="The idle timeout that holds; from the third such sleep on more than the spec's.",
    )


class ScalingStatus(Model):
    """The last decision that changed the number of workers, with the figures of its moment; they stand still
    until it changes again."""

    desired: int | None = Field(default=None, description="Workers that should run.")
    previous: int | None = Field(default=None, description="Workers that should have run before.")
    reason: str | None = Field(default=None, max_length=64, description="Why, in one word.")
    message: str | None = Field(
        default=None, max_length=1024, description="Why, in a sentence with its figures."
    )
    since: str | None = Field(
        default=None,
        max_length=32,
        description="When this number was decided.",
        json_schema_extra={"format": "date-time"},
    )
    waiting: int | None = Field(default=None, description="Requests that waited for a worker then.")
    in_flight: int | None = Field(default=None, description="Requests that ran then.")
    execution_seconds: str | None = Field(
        default=None,
        max_length=16,
        description="Seconds that requests had run lately, on average; absent where none had ended.",
    )
    needed: int | None = Field(
        default=None, description="Workers that the metric asked for then, bounds left aside."
    )
    ready: int | None = Field(default=None, description="Workers that were ready then.")
    starting: int | None = Field(default=None, description="Workers that were starting then.")
    window: str | None = Field(
        default=None,
        max_length=16,
        description="Over which time demand was looked at, where demand decided.",
    )
    backoff_until: str | None = Field(
        default=None,
        max_length=32,
        description=(
            "Kubelets have rejected the last workers: before this time no worker is started, not even for a "
            "request that waits. A change of the spec ends it."
        ),
        json_schema_extra={"format": "date-time"},
    )
    flapping: FlappingStatus | None = Field(
        default=None, description="Sleeps that were too short, and the idle timeout that follows from them."
    )


_SECONDS = 16  # characters of a number of seconds


def _part(description: str) -> Any:
    return Field(default=None, max_length=_SECONDS, description=description)


class ColdStartParts(Model):
    """What the last start from zero was spent on, in seconds; the parts add up to the whole."""

    api: str | None = _part(
        "From the wake until the worker's pod existed. Absent where no gateway has woken the service."
    )
    scheduling: str | None = _part("Until the pod had a node.")
    image: str | None = _part("For which the node pulled images; 0.00 where they were there.")
    container: str | None = _part("The rest until the engine's container ran: volumes, network, sandbox.")
    image_and_container: str | None = _part("Both, where the node's Events do not tell them apart.")
    engine: str | None = _part("From the start of the engine's process until it began to load the model.")
    load: str | None = _part("Until a worker answered the gateway's probe.")
    engine_and_load: str | None = _part("Both, where the worker's image does not tell them apart.")
    first_byte: str | None = _part(
        "Until the first byte of an answer was passed to a client. Absent where none waited any more."
    )


class ColdStartStatus(Model):
    """Times that a worker became ready while none was."""

    count: int | None = Field(default=None, description="How often a worker became ready while none was.")
    last_seconds: str | None = Field(
        default=None,
        max_length=_SECONDS,
        description="Seconds that the last one took, from the wake until the first byte was passed to a "
        "client: the sum of its parts, as far as they are known.",
    )
    last_worker: str | None = Field(
        default=None, max_length=253, description="The pod of that worker, the last time."
    )
    last_time: str | None = Field(
        default=None,
        max_length=32,
        description="When that worker was ready.",
        json_schema_extra={"format": "date-time"},
    )
    parts: ColdStartParts | None = Field(
        default=None,
        description="What the last start from zero was spent on; absent until all of it is known.",
    )
    recent_seconds: tuple[Annotated[str, Field(max_length=_SECONDS)], ...] = Field(
        default=(),
        max_length=5,
        description="Seconds until a worker was ready, pulls of images left out, of the last starts, the "
        "latest first. Their median is taken for what a start usually takes.",
    )


class CostStatus(Model):
    """What the workers cost, by spec.pricing."""

    per_hour: str | None = Field(
        default=None,
        max_length=24,
        description="For one hour of the workers that exist now, those that start or finish included: they "
        "hold their devices.",
    )
    currency: str | None = Field(default=None, max_length=3, description="spec.pricing.currency.")


class Condition(Model):
    """One observation, as the Kubernetes API conventions define it."""

    type: str = Field(min_length=1, max_length=64, description="What is observed: Ready, Scheduled, ...")
    status: Literal["True", "False", "Unknown"] = Field(description="True, False or Unknown.")
    reason: str = Field(
        min_length=1,
        max_length=128,
        pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        description="The cause, in one word.",
    )
    message: str = Field(max_length=4096, description="The cause, for a person.")
    observed_generation: int | None = Field(
        default=None, description="The metadata.generation that this is about."
    )
    last_transition_time: str = Field(
        max_length=32,
        description="When status changed last.",
        json_schema_extra={"format": "date-time"},
    )


class InferenceServiceStatus(Model):
    """What was observed."""

    observed_generation: int | None = Field(
        default=None, description="The metadata.generation that this status is about."
    )
    phase: str | None = Field(
        default=None,
        max_length=16,
        description="A summary of the conditions: Idle, Starting, Running, Stopping, Suspended or Failed.",
    )
    url: str | None = Field(
        default=None, max_length=256, description="Where clients in the cluster reach the service."
    )
    replicas: int | None = Field(default=None, description="Workers that exist.")
    ready_replicas: int | None = Field(default=None, description="Workers that are ready.")
    ready: str | None = Field(default=None, max_length=16, description="Ready and wanted workers: 1/2.")
    selector: str | None = Field(default=None, max_length=256, description="The workers' label selector.")
    model: str | None = Field(
        default=None, max_length=128, description="The first name that the model is served under."
    )
    isolation: str | None = Field(
        default=None,
        max_length=32,
        description=(
            "What the workers' cores are: Exclusive, Shared, Throttled or Unknown. It rests on the workers' "
            "own evidence where they give any (condition CPUIsolated), else on their pods' QoS class and "
            "the CPU manager policy of their nodes."
        ),
    )
    queue: QueueStatus | None = Field(default=None, description="The gateway's queue of this service.")
    scaling: ScalingStatus | None = Field(
        default=None, description="The last decision about the number of workers."
    )
    cold_starts: ColdStartStatus | None = Field(
        default=None, description="Times that a worker became ready while none was."
    )
    cost: CostStatus | None = Field(default=None, description="What the workers cost, by spec.pricing.")
    conditions: tuple[Condition, ...] = Field(
        default=(),
        max_length=16,
        description=(
            "Ready (a request sent now is answered, if need be after a cold start), Scheduled, ModelLoaded, "
            "CPUIsolated (absent where cpuIsolation is None), QueueLimited, where spec.slo is set, SLOMet, "
            "and IdleTimeoutExtended while short sleeps extend the idle timeout; each with its cause."
        ),
        json_schema_extra=with_rules(list_type="map", list_map_keys=["type"]),
    )
