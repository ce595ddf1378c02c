"""What ``kubectl get`` and ``tidegate get`` show of an InferenceService; loading it costs nothing."""

from __future__ import annotations

from typing import Final, NamedTuple

_READY_REASON: Final = '.status.conditions[?(@.type=="Ready")].reason'


class Column(NamedTuple):
    """One of additionalPrinterColumns. ``kind``: its type there. ``priority`` above 0: with -o wide alone."""

    name: str
    kind: str
    path: str
    priority: int
    description: str


COLUMNS: Final = (
    Column("Phase", "string", ".status.phase", 0, "A summary of the conditions."),
    Column("Ready", "string", ".status.ready", 0, "Ready and wanted workers."),
    Column("Queue", "string", ".status.queue.summary", 0, "Requests that wait or run, and the limit."),
    Column("Model", "string", ".status.model", 0, "The first name that the model is served under."),
    Column("Reason", "string", _READY_REASON, 0, "The reason of the condition Ready."),
    Column("Age", "date", ".metadata.creationTimestamp", 0, "Time since the object was made."),
    Column("URL", "string", ".status.url", 1, "Where clients in the cluster reach the service."),
    Column("Isolation", "string", ".status.isolation", 1, "What the workers' cores are."),
    Column("Cost/H", "string", ".status.cost.perHour", 1, "What the workers that exist cost an hour."),
    Column("Cold", "string", ".status.coldStarts.lastSeconds", 1, "Seconds of the last start from zero."),
)
