"""What spec.scaling and spec.pricing alone can tell is wrong, as CEL; see rules."""

from __future__ import annotations

from tidegate.api.base import form, rule
from tidegate.domain.cron import PATTERN

MIN_MAX = rule(
    "!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
    "minReplicas must not be more than maxReplicas",
    ".minReplicas",
)

SCHEDULES_MAX = rule(
    "!has(self.schedules) || !has(self.maxReplicas) || "
    "self.schedules.all(each, each.minReplicas <= self.maxReplicas)",
    "no schedule's minReplicas may be more than maxReplicas",
    ".schedules",
)

IDLE_MAX = rule(
    "!has(self.maxIdleTimeoutSeconds) || !has(self.idleTimeoutSeconds) || "
    "self.maxIdleTimeoutSeconds >= self.idleTimeoutSeconds",
    "maxIdleTimeoutSeconds must not be less than idleTimeoutSeconds",
    ".maxIdleTimeoutSeconds",
)

METRIC_CONCURRENCY = rule(
    "self.type == 'Concurrency' || !has(self.concurrency)",
    "concurrency belongs to type Concurrency; remove it, or change type",
    ".concurrency",
)

METRIC_QUEUE_DELAY = rule(
    "(self.type == 'QueueDelay') == has(self.queueDelay)",
    "queueDelay must be set for type QueueDelay, and for no other",
    ".queueDelay",
)

METRIC_REQUEST_COUNT = rule(
    "(self.type == 'RequestCount') == has(self.requestCount)",
    "requestCount must be set for type RequestCount, and for no other",
    ".requestCount",
)

TARGET_FITS = rule(
    "!has(self.spec.scaling.metric) || !has(self.spec.scaling.metric.concurrency) || "
    "self.spec.scaling.metric.concurrency.targetPerReplica <= self.spec.engine.maxConcurrency",
    (
        "targetPerReplica must not be more than engine.maxConcurrency: a worker runs no more than that at "
        "once, so requests would wait and no worker be added"
    ),
    ".spec.scaling.metric.concurrency.targetPerReplica",
)

TIME_ZONE_PATTERN = "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"
TIME_ZONE = form(TIME_ZONE_PATTERN, "must be a name of the IANA database, such as UTC or Europe/Berlin")

PRICE_PATTERN = r"^(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?$"
PRICE = form(PRICE_PATTERN, "must be a decimal number in quotes, from 0 to 999999999.999999, such as '0.40'")
CURRENCY_PATTERN = "^[A-Z]{3}$"
CURRENCY = form(CURRENCY_PATTERN, "must be the three letters of ISO 4217, such as USD, EUR or VND")

CRON = form(
    PATTERN,
    "must be five fields, such as 0 9 * * MON-FRI: minute (0-59), hour (0-23), day of month (1-31), month "
    "(1-12 or JAN-DEC), day of week (0-7 or SUN-SAT; 0 and 7 are Sunday); each of them *, a number, a range, "
    "either of * and a range with a step (*/15, 8-18/2), or a list of these",
)
