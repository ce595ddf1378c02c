"""Is there room?"""

from __future__ import annotations

import shutil
from pathlib import Path

from tidegate.devcluster.errors import ClusterError

GIB = 1024**3


def need_disk(folder: Path, gib: float, purpose: str) -> None:
    """ClusterError if the disk of `folder`, which need not exist yet, has less than `gib` GiB free."""
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / GIB
    if free < gib:
        raise ClusterError(
            f"{purpose} needs {gib:g} GiB of free disk under {folder}, there are {free:.1f}: make room, "
            "or set XDG_CACHE_HOME and XDG_STATE_HOME to folders on a larger disk"
        )
