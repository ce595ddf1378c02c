"""vLLM told how much of its cgroup's memory is in use without the page cache, which the kernel gives back.

On a CPU vLLM compares the key-value cache with the cgroup's limit less its usage, and the usage includes
what was read from files: a worker with 4 GiB that has downloaded 3.5 GiB of weights had 0.01 GiB left by
that account, and ended. Of the whole machine's memory vLLM takes Active(file) and Inactive(file) as available
(get_memory_node_info); the same is done here for the cgroup. Files in memory (tmpfs, /dev/shm) stay counted:
the kernel has them on its lists of anonymous pages.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from inspect import isfunction, signature
from pathlib import Path
from types import ModuleType
from typing import Any

from .cgroups import CGROUP, counts_of, first_text

SWITCH = "TIDEGATE_RECLAIMABLE"
VLLM = "0.32."  # the versions that were looked at
MODULE = "vllm.utils.cpu_resource_utils"
FUNCTION = "get_cgroup_memory_usage"
FILE_PAGES = ("inactive_file", "active_file")


@dataclass(frozen=True, slots=True)
class UsageLessFiles:
    """In place of vLLM's function: what that says, less the cgroup's pages of files, in bytes.

    ``top`` is where vLLM looks, in its own way: at what is mounted there, version 2 before version 1.
    """

    stock: Callable[[], int | None]
    top: Path = CGROUP

    def __call__(self) -> int | None:
        """None where the stock function knows nothing; never below 0: the two are read one by one."""
        usage = self.stock()
        return None if usage is None else max(0, usage - file_pages(self.top))


def file_pages(top: Path = CGROUP) -> int:
    """Bytes of files that the cgroup at ``top`` keeps in memory; 0 where the kernel does not say.

    Those of the cgroups below it are among them: in version 1 under names of their own.
    """
    unified = first_text([top], "memory.max").isdecimal()
    counts = counts_of([top if unified else top / "memory"], "memory.stat")
    return sum(counts.get(name if unified else f"total_{name}", 0) for name in FILE_PAGES)


def prepare_memory() -> dict[str, str]:
    """Have vLLM in this process take the page cache for available; what to say of it in the log."""
    try:
        why = replace(import_module(MODULE))
    except ImportError as error:
        why = f"vLLM has no {MODULE} here: {error}"
    return {"pageCache": f"counted as used: {why}" if why else "available"}


def replace(module: ModuleType) -> str | None:
    """Replace the function in vLLM's module, once; why not, where it is not."""
    stock: Any = getattr(module, FUNCTION, None)
    why = _refused(stock)
    if why is None and not isinstance(stock, UsageLessFiles):
        setattr(module, FUNCTION, UsageLessFiles(stock))
    return why


def _refused(stock: object) -> str | None:
    if os.environ.get(SWITCH, "1") == "0":
        return f"{SWITCH}=0"
    version = str(getattr(sys.modules.get("vllm"), "__version__", "unknown"))
    if not version.startswith(VLLM):
        return f"vLLM is {version}, and {VLLM}x is known"
    if isinstance(stock, UsageLessFiles) or (isfunction(stock) and not signature(stock).parameters):
        return None
    return f"vLLM's {FUNCTION} is another one than that of {VLLM}x"
