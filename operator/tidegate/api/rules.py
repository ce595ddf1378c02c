"""What one object alone can tell is wrong: CEL, so that it holds with the operator and its webhook down."""

from __future__ import annotations

from tidegate.api.base import LABEL_KEY_PATTERN, Rule, rule
from tidegate.domain.engine_args import OWNED_FLAGS, pattern_of, refusal_of

NAME_PATTERN = "^[a-z]([-a-z0-9]*[a-z0-9])?$"
NAME = rule(
    f"self.metadata.name.size() <= 50 && self.metadata.name.matches('{NAME_PATTERN}')",
    "metadata.name must be a DNS label of at most 50 characters that starts with a letter, "
    "because objects and host names are made of it",
)

URI_PATTERN = (
    r"^(hf://[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?"
    r"|pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(/[A-Za-z0-9._-]+)*/?"
    r"|file://(/[A-Za-z0-9._-]+)+/?)$"
)
URI_MESSAGE = "must be hf://OWNER/NAME, pvc://CLAIM/PATH or file:///PATH, without .. in it"
URI = rule(f"self.matches(r'{URI_PATTERN}') && !self.contains('/..')", URI_MESSAGE)

REVISION_NEEDS_HF = rule(
    "!has(self.revision) || self.uri.startsWith('hf://')",
    "revision belongs to hf:// models; remove it, or put the version into the path",
    ".revision",
)

ENV_ONE_SOURCE = rule(
    "has(self.value) != has(self.valueFrom)", "exactly one of value and valueFrom must be set"
)

OWNED_ARGS: list[Rule] = [
    rule(f"!self.exists(arg, arg.matches('{pattern_of(flags)}'))", refusal_of(flags, advice))
    for flags, advice in OWNED_FLAGS.items()
]

ACCELERATOR_TYPES = rule(
    "!has(self.types) || self.types.size() == 0 || self.resource.startsWith('nvidia.com/') || "
    "self.resource.startsWith('amd.com/')",
    "types are known for nvidia.com and amd.com devices only; use placement.nodeSelector for others",
    ".types",
)

SHARED_MEMORY = rule(
    (
        "!has(self.sharedMemory) || !isQuantity(string(self.sharedMemory)) || "
        "!isQuantity(string(self.memory)) || "
        "quantity(string(self.sharedMemory)).isLessThan(quantity(string(self.memory)))"
    ),
    "sharedMemory is a part of memory and must be less than it",
    ".sharedMemory",
)

MIN_MAX = rule(
    "!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
    "minReplicas must not be more than maxReplicas",
    ".minReplicas",
)

STEPS_ASCEND = rule(
    (
        "!has(self.steps) || (self.steps.map(s, s.above).isSorted() && "
        "self.steps.all(a, self.steps.exists_one(b, a.above == b.above)))"
    ),
    "steps must ascend: each one's above must be more than that of the one before it",
    ".steps",
)

STEPS_DESCEND = rule(
    (
        "!has(self.steps) || (self.steps.map(s, -s.maxTokens).isSorted() && "
        "self.steps.all(a, self.steps.exists_one(b, a.maxTokens == b.maxTokens)))"
    ),
    "steps must allow less and less: each one's maxTokens must be less than that of the one before it",
    ".steps",
)

CAP_ABOVE_STEPS = rule(
    (
        "!has(self.maxTokens) || !has(self.steps) || self.steps.size() == 0 || "
        "self.steps[0].maxTokens <= self.maxTokens"
    ),
    "maxTokens holds below the first step and must not be less than that step's maxTokens",
    ".maxTokens",
)

_SLO_FIELDS = (
    "execP50Seconds",
    "execP95Seconds",
    "delayP50Seconds",
    "totalP50Seconds",
    "totalP95Seconds",
    "ttftP95Seconds",
    "tokensPerSecond",
    "successRatio",
)
SLO_NOT_EMPTY = rule(
    " || ".join(f"has(self.{name})" for name in _SLO_FIELDS),
    f"slo must set at least one of {', '.join(_SLO_FIELDS)}; without targets leave it out",
)


def _in_order(median: str, high: str) -> Rule:
    holds = f"!has(self.{median}) || !has(self.{high}) || double(self.{median}) <= double(self.{high})"
    return rule(holds, f"{median} must not be more than {high}", f".{median}")


SLO_EXEC = _in_order("execP50Seconds", "execP95Seconds")
SLO_TOTAL = _in_order("totalP50Seconds", "totalP95Seconds")

REPLICAS_MANAGED = rule(
    "self.spec.scaling.mode == 'External' || !has(self.spec.replicas)",
    (
        "replicas cannot be set while scaling.mode is Managed: set scaling.minReplicas and "
        "scaling.maxReplicas, or set scaling.mode to External and then scale it yourself"
    ),
    ".spec.replicas",
)

REPLICAS_EXTERNAL = rule(
    "self.spec.scaling.mode != 'External' || has(self.spec.replicas)",
    "replicas must be set while scaling.mode is External: it is the number of workers",
    ".spec.replicas",
)

TOLERATION = rule(
    "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
    "a toleration without key needs operator Exists",
)

LABEL_KEYS = rule(
    f"self.all(key, key.size() <= 317 && key.matches('{LABEL_KEY_PATTERN}'))",
    "every key must be a label's name, such as topology.kubernetes.io/zone",
)
