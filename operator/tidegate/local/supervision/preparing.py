"""Templates are made beside the event loop: to look for a model may take as long as its file server likes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tidegate.api.v1alpha1 import InferenceService
from tidegate.domain.loose import Json
from tidegate.domain.service import ServiceKey
from tidegate.local.aside import Aside
from tidegate.local.manifests.manifest import Secret
from tidegate.local.supervision.entries import Entry
from tidegate.local.worker.template import WorkerTemplate

Secrets = Mapping[str, Secret]
BUDGET_SECONDS: Final = 5.0  # nobody waits longer, the first time; then the fault is told at once


Outcome = tuple[WorkerTemplate | None, str]  # the template, or the fault
_SILENT: Final = (
    f"spec.model.uri: the file system has not answered for {BUDGET_SECONDS:g} s whether the model is there: "
    "see that its disk or server is well"
)


@dataclass
class _Work:
    document: Json
    secrets: Secrets
    task: asyncio.Task[Outcome]
    budget: float = BUDGET_SECONDS

    def is_of(self, document: Json, secrets: Secrets) -> bool:
        return self.document == document and self.secrets == secrets


@dataclass
class Preparing:
    """``build``: see SupervisorSettings. ``secrets``: those of a namespace, by name, as they are now."""

    build: Callable[[InferenceService, Secrets], WorkerTemplate]
    secrets: Callable[[str], Secrets]
    aside: Aside
    _works: dict[ServiceKey, _Work] = field(default_factory=dict, init=False)

    async def prepare(self, entry: Entry) -> None:
        """Its template, from the spec and the Secrets as they are when this returns; what stands in the way
        is its fault."""
        work: _Work | None = None
        while work is None or not work.is_of(entry.manifest.document, self.secrets(entry.key.namespace)):
            work = self._work(entry)
            await asyncio.wait({work.task}, timeout=work.budget)
            work.budget = 0.0
        if work.task.done() and self._works.get(entry.key) is work:
            del self._works[entry.key]
        entry.template, entry.fault = work.task.result() if work.task.done() else (None, _SILENT)
        entry.stale = False

    def _work(self, entry: Entry) -> _Work:
        """One that hangs is waited for again, and never begun twice."""
        secrets, known = self.secrets(entry.key.namespace), self._works.get(entry.key)
        if known is None or not known.is_of(entry.manifest.document, secrets):
            task = asyncio.create_task(self._built(entry.service, secrets))
            known = self._works[entry.key] = _Work(entry.manifest.document, secrets, task)
        return known

    async def _built(self, service: InferenceService, secrets: Secrets) -> Outcome:
        try:
            return await self.aside(lambda: self.build(service, secrets)), ""
        except (OSError, ValueError, RuntimeError) as error:  # the last: no thread is to be had
            return None, str(error)

    def close(self) -> None:
        """Nobody waits for any of them any more."""
        for work in self._works.values():
            work.task.cancel()
        self._works.clear()
