"""How a worker's process begins: ``python -m tidegate_worker``, and the image's entrypoint.

Also imported by each process that vLLM spawns, before it imports vLLM.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from types import ModuleType

from tidegate_worker.after_import import AfterImport
from tidegate_worker.preload import preload_allocator

# Importing vLLM makes a million objects that stay: with Python's default of 700 the collector walks
# through them over and over (5.5 s of CPU for the imports, 4.8 with 5,000). vLLM's engine is spawned,
# imports this file too, and so has the same. A collection of 5,000 young objects takes 0.3 ms.
gc.set_threshold(5_000, 20, 100)


def _replace_usage(module: ModuleType) -> None:
    from tidegate_worker.reclaimable import replace  # noqa: PLC0415 - the first process has no need of it

    replace(module)


# vLLM looks at the memory in the engine's process or in one that this spawns; each imports this file.
sys.meta_path.insert(0, AfterImport("vllm.utils.cpu_resource_utils", _replace_usage))


def main(words: Sequence[str]) -> int:
    """Run the worker with vLLM's arguments to its end; the exit code."""
    # Until the engine's process is there: a container's first process ignores what it has no handler for,
    # and the files of a large model on a slow volume take their time to be looked at.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    preload_allocator(os.environ)  # before the rest is imported, since this process may begin anew
    from tidegate_worker.supervisor import supervise  # noqa: PLC0415

    return supervise(list(words), os.environ)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
