"""What a node's label should say of its CPU manager: its kubelet's word, an administrator's, or evidence."""

from __future__ import annotations

from dataclasses import dataclass

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Label:
    """A node's label as it is: its value, None for none, and whether tidegate wrote it."""

    value: str | None = None
    ours: bool = False


def wanted_label(label: Label, answer: str | None, exclusive: bool | None) -> str:
    """The value that the label should have.

    ``answer``: what the kubelet says, None where it cannot be asked. ``exclusive``: whether a Guaranteed
    worker on the node has cores of its own, None where none has told. A kubelet always wins. Else an
    administrator's label stands, whatever a worker tells, and one of our own follows the workers.
    """
    if answer is not None:
        return answer
    if label.value is not None and not label.ours:
        return label.value
    if exclusive is not None:
        return "static" if exclusive else "none"
    return label.value or UNKNOWN


def contradiction(label: Label, answer: str | None, exclusive: bool | None) -> str | None:
    """What is wrong with an administrator's label, None where nothing is known to be."""
    if answer is not None or label.ours or label.value not in ("static", "none") or exclusive is None:
        return None
    if (label.value == "static") == exclusive:
        return None
    have = "cores of its own" if exclusive else "no cores of its own"
    return f"an administrator labelled it {label.value}, but a worker on it has {have}"
