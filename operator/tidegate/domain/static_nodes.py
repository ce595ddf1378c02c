"""Required isolation that no node can give: which nodes come nearest, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tidegate.domain.causes import Cause
from tidegate.domain.isolation import STATIC
from tidegate.domain.quantity import parse_quantity
from tidegate.domain.reasons import Reason

NAMED = 3


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a placement depends on; ``policy``: the label, None for none."""

    name: str
    policy: str | None
    labels: Mapping[str, str] = field(default_factory=dict)
    allocatable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Needs:
    """What one worker needs of a node, exclusive cores aside. ``labels``: allowed values by label."""

    amounts: Mapping[str, str]  # of resources: {"cpu": "4", "nvidia.com/gpu": "1"}
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def fit(self, node: NodeFacts) -> bool:
        """Whether an empty node of this kind could take the worker."""
        placed = all(node.labels.get(name) in values for name, values in self.labels.items())
        return placed and all(
            _at_least(node.allocatable.get(name), most) for name, most in self.amounts.items()
        )


def _at_least(offered: str | None, needed: str) -> bool:
    try:
        return offered is not None and parse_quantity(offered) >= parse_quantity(needed)
    except ValueError:
        return False


def no_static_node(cause: Cause | None, needs: Needs, nodes: Iterable[NodeFacts]) -> Cause | None:
    """The cause of a worker that requires exclusive cores, or, where no node that fits it offers any, how to
    get them. A node that is static and merely full leaves the scheduler's own words."""
    if cause is None or cause.reason not in (Reason.UNSCHEDULABLE, Reason.NO_MATCHING_NODE):
        return cause
    known = sorted(nodes, key=lambda node: node.name)
    if not known or any(node.policy == STATIC and needs.fit(node) for node in known):
        return cause
    return Cause(
        Reason.NO_STATIC_NODE,
        f"{_advice([node for node in known if needs.fit(node)])}. {cause.message}",
        False,
    )


def _advice(near: list[NodeFacts]) -> str:
    head = "cpuIsolation is Required and no node that fits is labelled tidegate.io/cpu-manager-policy=static"
    if not near:
        return f"{head}; no node of any policy fits by its size, devices and labels"
    named = ", ".join(f"{node.name} ({node.policy or 'no label'})" for node in near[:NAMED])
    more = f" and {len(near) - NAMED} more" if len(near) > NAMED else ""
    doing = "set cpuManagerPolicy: static with reserved CPUs in their kubelets' configuration"
    if any(node.policy not in (STATIC, "none") for node in near):
        doing += ", label them where that is so and the kubelet cannot be asked"
    return f"{head}; {named}{more} would fit otherwise: {doing}, or choose Preferred"
