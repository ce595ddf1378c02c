"""A real vLLM whose cgroup is full of page cache, as after a large model was downloaded: it starts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.vllm.memory_limit import MOUNT, Limited, memory_limited
from tests.vllm.worker_process import Starter

LIMIT = 3 << 30
CACHE_BYTES = 256 << 20
# vLLM looks for its cgroup where a container has it, so the cgroup's folder is put there.
AS_IN_A_CONTAINER = f'mount --bind "$0" {MOUNT}{{}} && exec "$@"'
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts and memory limits need root"),
]


def read_large_file(group: Limited, folder: Path) -> int:
    """Fill the group with page cache, that of a file of holes, which takes no room on the disk; its bytes."""
    file = folder / "large"
    file.touch()
    os.truncate(file, LIMIT)
    subprocess.run([*group, "cat", str(file)], stdout=subprocess.DEVNULL, check=True, timeout=300)
    text = (group.folder / "memory.stat").read_text()
    counts = {name: int(number) for name, number in map(str.split, text.splitlines())}
    return counts["inactive_file"] + counts["active_file"]


def test_a_worker_of_spawned_processes_starts_in_a_cgroup_full_of_page_cache(
    start: Starter, tiny_chat: Path, tmp_path: Path
) -> None:
    """Spawned: the process that asks for the memory has imported vLLM itself."""
    with memory_limited(LIMIT) as group:
        assert read_large_file(group, tmp_path) > LIMIT - CACHE_BYTES, "the page cache was not filled"
        mount = AS_IN_A_CONTAINER.format("/memory" if (MOUNT / "memory").is_dir() else "")
        under = [*group, "unshare", "--mount", "sh", "-c", mount, str(group.folder)]
        words = ["--enforce-eager", "--max-num-seqs", "4", "--kv-cache-memory-bytes", str(CACHE_BYTES)]
        worker = start(tiny_chat, *words, under=under, cores=2, TIDEGATE_FAST_START="0")
        worker.wait_ready()
        assert worker.said("prepared")["memoryBytes"] == LIMIT
        assert worker.said("memory")["pageCache"] == "available"
        assert worker.stop() == 0
