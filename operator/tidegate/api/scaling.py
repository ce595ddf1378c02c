"""spec.scaling: how many workers there are."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from tidegate.api import scaling_rules as rules
from tidegate.api.base import Model, formed, require, with_rules
from tidegate.domain.cron import PATTERN, parse_cron
from tidegate.domain.schedule import Window, zone_of


class ConcurrencyTarget(Model):
    """The metric Concurrency's number."""

    target_per_replica: int = Field(
        ge=1,
        le=4096,
        description=(
            "One worker is wanted for every so many requests that wait or run; at most engine.maxConcurrency."
        ),
    )


class QueueDelayTarget(Model):
    """The metric QueueDelay's number."""

    target_milliseconds: int = Field(
        ge=1,
        le=3600000,
        description="Milliseconds that a request which arrives now should wait for its turn, at most.",
    )


class RequestCountTarget(Model):
    """The metric RequestCount's number."""

    per_replica: int = Field(
        ge=1,
        le=100000,
        description=(
            "One worker is wanted for every so many requests that wait or run; it may be more than a worker "
            "runs at once."
        ),
    )


class Metric(Model):
    """What is counted to find how many workers are needed."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(
            rules.METRIC_CONCURRENCY, rules.METRIC_QUEUE_DELAY, rules.METRIC_REQUEST_COUNT
        )
    )

    type: Literal["Concurrency", "QueueDelay", "RequestCount"] = Field(
        description=(
            "Concurrency: requests that wait or run, against what one worker runs well at once. QueueDelay: "
            "how long a request that arrives now is expected to wait, from those that wait and from how long "
            "requests have run lately. RequestCount: requests that wait or run, against any number."
        )
    )
    concurrency: ConcurrencyTarget | None = Field(
        default=None,
        description=(
            "For type Concurrency. Default: ¾ of engine.maxConcurrency for one worker; several share what is "
            "spare, which grows with the square root of their number."
        ),
    )
    queue_delay: QueueDelayTarget | None = Field(
        default=None, description="For type QueueDelay, where it must be set."
    )
    request_count: RequestCountTarget | None = Field(
        default=None, description="For type RequestCount, where it must be set."
    )

    @model_validator(mode="after")
    def _the_block_of_its_type(self) -> Self:
        require(self.type == "Concurrency" or self.concurrency is None, rules.METRIC_CONCURRENCY)
        require((self.type == "QueueDelay") == (self.queue_delay is not None), rules.METRIC_QUEUE_DELAY)
        require((self.type == "RequestCount") == (self.request_count is not None), rules.METRIC_REQUEST_COUNT)
        return self


class Schedule(Model):
    """A stretch of time, again and again, in which more workers are kept."""

    cron: Annotated[str, formed(PATTERN, rules.CRON)] = Field(
        min_length=9,
        max_length=128,
        description=(
            "When it begins, in five fields as in a CronJob: minute, hour, day of month, month, day of week. "
            "0 9 * * MON-FRI is 9:00 on working days. A time that the clocks skip counts as soon as they go "
            "on, one that they show twice counts the first time."
        ),
        json_schema_extra=with_rules(rules.CRON),
    )
    time_zone: Annotated[str, formed(rules.TIME_ZONE_PATTERN, rules.TIME_ZONE)] = Field(
        default="UTC",
        min_length=1,
        max_length=64,
        description=(
            "Whose clocks cron is about: a name of the IANA database, such as Asia/Ho_Chi_Minh. Default: UTC."
        ),
        json_schema_extra=with_rules(rules.TIME_ZONE),
    )
    for_seconds: int = Field(
        ge=60, le=2678400, description="Seconds that it lasts, from a minute to 31 days; 28800 are 8 hours."
    )
    min_replicas: int = Field(
        ge=1,
        le=1000,
        description=(
            "Workers that are kept meanwhile, started when it begins; where several schedules and "
            "scaling.minReplicas hold at once, the largest number counts. At most maxReplicas."
        ),
    )


class Scaling(Model):
    """How many workers there are."""

    model_config = ConfigDict(
        json_schema_extra=with_rules(rules.MIN_MAX, rules.SCHEDULES_MAX, rules.IDLE_MAX)
    )

    mode: Literal["Managed", "External"] = Field(
        default="Managed",
        description="Managed: tidegate wakes, scales and puts to sleep, between minReplicas and maxReplicas. "
        "External: spec.replicas is followed, and only that; it is written by kubectl scale, a "
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
    metric: Metric | None = Field(
        default=None,
        description=(
            "What is counted to find how many workers are needed; more are started where the load "
            "outlasts a start, surplus goes after scaleDownDelaySeconds. Read in mode Managed. Default: "
            "type Concurrency."
        ),
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
    max_idle_timeout_seconds: int | None = Field(
        default=None,
        ge=0,
        le=604800,
        description=(
            "Seconds to which idleTimeoutSeconds is extended at most, by itself, while requests wake the "
            "service again and again sooner after it fell asleep than a start takes (condition "
            "IdleTimeoutExtended). Equal to idleTimeoutSeconds: it is never extended. Read in mode Managed. "
            "Default: four times idleTimeoutSeconds."
        ),
    )
    scale_down_delay_seconds: int | None = Field(
        default=None,
        ge=0,
        le=604800,
        description=(
            "Seconds that fewer workers must have sufficed, with a tenth to spare, before those too many are "
            "stopped; at least one stays, sleep is idleTimeoutSeconds' business. The clock starts anew when "
            "a worker becomes Ready. Zero: at once. Read in mode Managed. Default: idleTimeoutSeconds."
        ),
    )
    schedules: tuple[Schedule, ...] = Field(
        default=(),
        max_length=16,
        description="Stretches of time in which more workers are kept. Read in mode Managed. Default: none.",
        json_schema_extra=with_rules(list_type="atomic"),
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
        require(self.min_replicas <= self.max_replicas, rules.MIN_MAX)
        require(all(each.min_replicas <= self.max_replicas for each in self.schedules), rules.SCHEDULES_MAX)
        require(longest_idle_timeout(self) >= self.idle_timeout_seconds, rules.IDLE_MAX)
        return self


def longest_idle_timeout(scaling: Scaling) -> int:
    """Seconds to which the idle timeout is extended at most: four times itself where that is not said."""
    most = scaling.max_idle_timeout_seconds
    return 4 * scaling.idle_timeout_seconds if most is None else most


def windows_of(schedules: tuple[Schedule, ...]) -> tuple[Window, ...]:
    """The schedules, read. ValueError names every field of them that no schema can tell is wrong: a zone
    that there is not, a range that runs backwards, a day that no month has."""
    if faults := schedule_faults(schedules):
        raise ValueError("; ".join(faults))
    return tuple(
        Window(parse_cron(each.cron), zone_of(each.time_zone), each.for_seconds, each.min_replicas)
        for each in schedules
    )


def schedule_faults(schedules: tuple[Schedule, ...]) -> tuple[str, ...]:
    """The same as sentences, each with its field's path; none where all can be read."""
    return tuple(
        f"spec.scaling.schedules[{index}].{fault}"
        for index, each in enumerate(schedules)
        for fault in _faults(each)
    )


def _faults(schedule: Schedule) -> list[str]:
    readers = (("cron", parse_cron, schedule.cron), ("timeZone", zone_of, schedule.time_zone))
    faults = []
    for name, read, text in readers:
        try:
            read(text)
        except ValueError as error:
            faults.append(f"{name}: {error}")
    return faults
