"""The worker: vLLM's OpenAI server with vLLM's arguments, fitted to the cores and memory it was given.

    python3 entrypoint.py --model /models/qwen --served-model-name qwen --port 8000 …

What it adds to vLLM: threads that match the cores of its cgroup, a key-value cache that fits the
memory limit, a drain on SIGTERM, one line of cause in the termination message when the engine
fails, and one JSON line for each part of the start. An option or an environment variable that is
given always wins over what it would choose.
"""

from __future__ import annotations

import sys

from tidegate_worker.entry import main  # in each process that vLLM spawns, too: it sets the collector's pace

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
