"""What is remembered of workers, without the event loop waiting for the disk."""

from __future__ import annotations

import logging
from functools import partial

from tidegate.local.latest_writes import LatestWrites
from tidegate.local.worker.pod_state import PodState
from tidegate.local.worker.worker_files import WorkerFiles

_logger = logging.getLogger(__name__)


class WorkerRecords:
    """Large temporary folders are removed by a second thread, since a start waits for the records."""

    def __init__(self, files: WorkerFiles) -> None:
        self._files = files
        self._writes = LatestWrites("tidegate-records")
        self._sweeps = LatestWrites("tidegate-sweep")

    def remember(self, state: PodState) -> None:
        """It is written down soon."""
        self._writes.put(state.uid, partial(self._write, state))

    def forget(self, uid: str) -> None:
        """Soon nothing of it stays but its log."""
        self._writes.put(uid, partial(self._remove, uid))

    async def written(self) -> None:
        """Returns when all that is known by now is on the disk, or was told to be impossible."""
        await self._writes.done()

    def close(self) -> None:
        """All is done when it returns."""
        self._writes.close()
        self._sweeps.close()

    def _write(self, state: PodState) -> None:
        try:
            self._files.remember(state)
        except OSError as error:
            _logger.error("%s cannot be written down, and a successor would end it: %s", state.name, error)

    def _remove(self, uid: str) -> None:
        self._files.forget(uid)
        self._sweeps.put("what workers that are gone have left", self._files.sweep)
