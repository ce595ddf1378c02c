"""What one object alone can tell is wrong: CEL, so that it holds with the operator and its webhook down."""

from __future__ import annotations

from tidegate.api.base import Rule, form, rule
from tidegate.api.texts import SUBDOMAIN
from tidegate.domain.engine_args import OWNED_FLAGS, dividing_patterns, pattern_of, refusal_of

NAME_PATTERN = "^[a-z]([-a-z0-9]*[a-z0-9])?$"
NAME = rule(
    f"self.metadata.name.size() <= 50 && self.metadata.name.matches('{NAME_PATTERN}')",
    "metadata.name must be a DNS label of at most 50 characters that starts with a letter, "
    "because objects and host names are made of it",
)

_REPOSITORY = r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+"
URI_PATTERN = (
    r"^(hf://[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?"
    r"|s3://[a-z0-9][-a-z0-9.]{1,61}[a-z0-9](/[A-Za-z0-9._=+-]+)*/?"
    rf"|pvc://{SUBDOMAIN}(/[A-Za-z0-9._-]+)*/?"
    rf"|oci://{_REPOSITORY}(:[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})?(@sha256:[a-f0-9]{{64}})?"
    r"|file://(/[A-Za-z0-9._-]+)+/?)$"
)
URI_MESSAGE = (
    "must be hf://OWNER/NAME, s3://BUCKET/PREFIX, pvc://CLAIM/PATH, oci://REGISTRY/REPOSITORY:TAG or "
    "file:///PATH, without .. in it"
)
SERVED_NAME_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._:/+-]*[A-Za-z0-9])?$"
SERVED_NAME = form(
    SERVED_NAME_PATTERN,
    "must begin and end with a letter or a digit, and have nothing but these and . _ : / + - between them",
)

IMAGE_PATTERN = "^([A-Za-z0-9][A-Za-z0-9._:/@-]*)?$"
IMAGE = form(IMAGE_PATTERN, "must be an image's name, such as registry.example.org/my-worker:1")
READINESS_PATH_PATTERN = r"^/[A-Za-z0-9._~/-]*$"
READINESS_PATH = form(READINESS_PATH_PATTERN, "must be a path that starts with /, such as /health")

URI = rule(f"self.matches(r'{URI_PATTERN}') && !self.contains('/..')", URI_MESSAGE)

REVISION_NEEDS_HF = rule(
    "!has(self.revision) || self.revision == '' || self.uri.startsWith('hf://')",
    "revision belongs to hf:// models; remove it, or put the version into the path",
    ".revision",
)

SECRET_NEEDS_REMOTE = rule(
    "!has(self.secretRef) || !(self.uri.startsWith('pvc://') || self.uri.startsWith('file://'))",
    "secretRef does nothing for pvc:// and file:// models, which are read without credentials; remove it",
    ".secretRef",
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

ACCELERATOR_PATTERN = rf"^{SUBDOMAIN}/[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?$"
ACCELERATOR_NAME = rule(
    f"self.matches(r'{ACCELERATOR_PATTERN}') && "
    "!self.contains('kubernetes.io/') && !self.startsWith('requests.')",
    "must be a device plugin's resource, such as nvidia.com/gpu",
)

ONE_MIG_DEVICE = rule(
    "!self.resource.contains('/mig-') || self.count == 1",
    "a process sees only one MIG device, and nothing passes between two of them: count must be 1; take a "
    "larger profile, or more replicas",
    ".count",
)


def _last_value(pattern: str) -> str:
    """CEL: the number in the last match of a pattern in ``text``, 1 without a match."""
    found = f"text.findAll(r'{pattern}')"
    last = f"{found}[{found}.size() - 1]"
    return f"({found}.size() == 0 ? 1 : int({last}.find('[0-9]+\\n').trim()))"


DEVICES_DIVIDE = rule(
    "!has(self.engine) || !has(self.engine.args) || !has(self.resources.accelerator) || "
    "['\\n' + self.engine.args.join('\\n\\n') + '\\n'].all(text, self.resources.accelerator.count % "
    f"({' * '.join(_last_value(pattern) for pattern in dividing_patterns())}) == 0)",
    "resources.accelerator.count must be a multiple of the product of --pipeline-parallel-size, "
    "--data-parallel-size and --prefill-context-parallel-size in engine.args: over the rest the operator "
    "spreads the tensors",
    ".resources.accelerator.count",
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


SECONDS_PATTERN = r"^[0-9]{1,5}(\.[0-9]{1,3})?$"
SECONDS = rule(
    f"self.matches(r'{SECONDS_PATTERN}') && double(self) > 0.0",
    "must be seconds as a decimal string of more than zero, such as '2.5', at most 99999.999",
)
RATIO_PATTERN = r"^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$"
RATIO = form(RATIO_PATTERN, "must be a share from 0 to 1 as a decimal string, such as '0.99'")


def _in_order(median: str, high: str) -> Rule:
    """Only between two numbers; what is none is told by the field's own rule."""
    told = " || ".join(
        f"!has(self.{name}) || !self.{name}.matches(r'{SECONDS_PATTERN}')" for name in (median, high)
    )
    holds = f"{told} || double(self.{median}) <= double(self.{high})"
    return rule(holds, f"{median} must not be more than {high}", f".{median}")


SLO_EXEC = _in_order("execP50Seconds", "execP95Seconds")
SLO_TOTAL = _in_order("totalP50Seconds", "totalP95Seconds")

REPLICAS_MANAGED = rule(
    "self.spec.scaling.mode == 'External' || !has(self.spec.replicas)",
    (
        "replicas cannot be set while scaling.mode is Managed, in which tidegate sets the number of workers: "
        "change scaling.minReplicas or scaling.maxReplicas, or set scaling.mode to External and scale with "
        "kubectl scale, a HorizontalPodAutoscaler or KEDA. To leave mode External, set replicas to null in "
        "the same write"
    ),
    ".spec.replicas",
)

REPLICAS_EXTERNAL = rule(
    "self.spec.scaling.mode != 'External' || has(self.spec.replicas)",
    (
        "replicas must be set while scaling.mode is External, in which it is the number of workers: write "
        "how many there should be"
    ),
    ".spec.replicas",
)
