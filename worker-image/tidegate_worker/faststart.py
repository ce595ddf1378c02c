"""What of the fast start is used here, and why not, where it is not."""

from __future__ import annotations

import os
from importlib import import_module

from .fork_server import start_fork_server

SWITCH = "TIDEGATE_FAST_START"
VLLM = "0.32."  # the versions whose start was looked at; others start the stock way


def prepare_forks() -> dict[str, str]:
    """Have vLLM's processes forked from here on."""
    why = _refused() or start_fork_server()
    return {"processes": f"spawned: {why}" if why else "forked"}


def _refused() -> str | None:
    if os.environ.get(SWITCH, "1") == "0":
        return f"{SWITCH}=0"
    version = str(import_module("vllm").__version__)
    if not version.startswith(VLLM):
        return f"vLLM is {version}, and {VLLM}x is known"
    if not import_module("vllm.platforms").current_platform.is_cpu():
        return "not on a CPU, where vLLM forks by itself"
    return None
