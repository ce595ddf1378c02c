"""The manifests are read beside the event loop: a file server may be slow, or not answer at all."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from typing import Final

from tidegate.local.aside import Aside
from tidegate.local.manifests.manifest_files import ManifestFiles

_logger = logging.getLogger("tidegate.local")

TOLD_SECONDS: Final = 5.0  # until it is said what is waited for
FIRST_SECONDS: Final = 60.0  # for one file, at the start; a file server that is well begins anew within it
LOOK_SECONDS: Final = 30.0  # for all of them, later on; nothing ends then, but changes do not take effect


@dataclass(frozen=True, slots=True)
class ManifestReader:
    """``aside``: does what waits for a disk."""

    files: ManifestFiles
    aside: Aside

    async def first(self) -> None:
        """Everything, at the start: OSError, or ValueError that names file, document and field; one that does
        not answer is given up. Who writes to stdin or to a pipe may take any time."""
        work = asyncio.ensure_future(self.aside(self.files.read))
        try:
            source, waited = "", 0.0
            while not (await asyncio.wait((work,), timeout=TOLD_SECONDS))[0]:
                waited = waited + TOLD_SECONDS if self.files.reading == source else TOLD_SECONDS
                source = self.files.reading
                self._tell(source, waited)
            work.result()
        finally:
            work.cancel()

    def _tell(self, source: str, waited: float) -> None:
        if not source:  # all is read, and it is looked at what it says
            return
        if waited >= FIRST_SECONDS and not self.files.written_by_others:
            raise ValueError(
                f"{source}: the file system has not answered for {FIRST_SECONDS:g} s: see that its disk or "
                "server is well"
            )
        if waited == TOLD_SECONDS:
            _logger.warning("waiting for the manifests: %s has not been read yet", source)

    async def look(self, now: float) -> bool:
        """See ManifestFiles. One that does not answer is told, and waited for: no second look begins."""
        work = asyncio.ensure_future(self.aside(partial(self.files.look, now)))
        try:
            if not (await asyncio.wait((work,), timeout=LOOK_SECONDS))[0] and self.files.reading:
                said = "%s: the file system has not answered for %g s; until then all hold as they were"
                _logger.error(said, self.files.reading, LOOK_SECONDS)
            return await work
        finally:
            work.cancel()
