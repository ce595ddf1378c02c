"""The worker's files are scripts beside the package, so their folder is put on the path here."""

from __future__ import annotations

import sys
from pathlib import Path

WORKER_IMAGE = Path(__file__).resolve().parents[3] / "worker-image"

if str(WORKER_IMAGE) not in sys.path:
    sys.path.insert(0, str(WORKER_IMAGE))
