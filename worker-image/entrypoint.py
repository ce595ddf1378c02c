"""The worker: vLLM's OpenAI server with vLLM's arguments, fitted to the cores and memory it was given.

    python3 entrypoint.py --model /models/qwen --served-model-name qwen --port 8000 …

What it adds to vLLM: threads that match the cores of its cgroup, a key-value cache that fits the
memory limit, a drain on SIGTERM, one line of cause in the termination message when the engine
fails, and one JSON line for each part of the start. An option or an environment variable that is
given always wins over what it would choose.
"""

from __future__ import annotations

import gc
import os
import signal
import sys

from tidegate_worker.preload import preload_allocator

# Importing vLLM makes a million objects that stay: with Python's default of 700 the collector walks
# through them over and over (5.5 s of CPU for the imports, 4.8 with 5,000). vLLM's engine is spawned,
# imports this file too, and so has the same. A collection of 5,000 young objects takes 0.3 ms.
gc.set_threshold(5_000, 20, 100)

if __name__ == "__main__":
    # Until the engine's process is there: a container's first process ignores what it has no handler for,
    # and the files of a large model on a slow volume take their time to be looked at.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    preload_allocator(os.environ)  # before the rest is imported, since this process may begin anew
    from tidegate_worker.supervisor import supervise

    sys.exit(supervise(sys.argv[1:], os.environ))
