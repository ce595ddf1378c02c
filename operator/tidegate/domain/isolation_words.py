"""The sentences of CPUIsolated that have figures in them."""

from __future__ import annotations

from tidegate.domain.between_looks import Between
from tidegate.domain.core_list import format_cores
from tidegate.domain.evidence import WorkerEvidence

LEAST_QUOTA = 0.005  # cores; the kernel keeps a quota in microseconds of a period of a tenth of a second


def named_cores(evidence: WorkerEvidence, node: str) -> str:
    """``cores 2-3 of node-a``."""
    kind = "core" if len(evidence.container) == 1 else "cores"
    return f"{kind} {format_cores(evidence.container)} of {node}"


def stopped_by(seen: Between, evidence: WorkerEvidence) -> str:
    """What a quota did between two looks."""
    quota = "its quota" if evidence.quota is None else f"its quota of {evidence.quota:.3g} cores"
    periods = f"{seen.throttled} of {seen.periods} periods" if seen.periods else f"{seen.throttled} periods"
    stopped = f", for {seen.stopped:.1f} s" if seen.stopped else ""
    return f"{quota} stopped it in {periods}{stopped} within {seen.seconds:.0f} s"


def disturbed_by(seen: Between) -> str:
    """What others took between two looks."""
    return (
        f"within {seen.seconds:.0f} s others ran there for {seen.others:.1f} s while its threads waited "
        f"{seen.waited:.1f} s for a core and ran {seen.used:.1f} s: somebody who was not "
        "given these cores uses them"
    )
