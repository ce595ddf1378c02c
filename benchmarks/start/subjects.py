"""What is started: the worker's entrypoint, and stock vLLM with the same model and flags."""

from __future__ import annotations

from dataclasses import dataclass

SERVED = "tiny-chat"
PORT = 8000
# The same for all. Without a compiler in the image vLLM needs --enforce-eager, and without a size of the
# key-value cache it would take nearly all of the memory limit.
FLAGS = (
    *("--served-model-name", SERVED, "--max-num-seqs", "16"),
    *("--enforce-eager", "--kv-cache-memory-bytes", "268435456"),
)
# The same for all. Stock vLLM needs the first on one core: it keeps a core free by default, and of one none
# is left. The others keep it from asking the network. The worker chooses the same by itself.
ENVIRONMENT = {
    "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
}
STOCK_MODULE = ("-m", "vllm.entrypoints.openai.api_server")
NOTES = "tidegate_modelinfos"  # beside vLLM in the image; the worker copies them into vLLM's cache itself


@dataclass(frozen=True)
class Subject:
    """``noted``: vLLM's own cache has its notes on model classes, as at the second start with one home."""

    name: str
    ours: bool = False
    noted: bool = False


TIDEGATE = Subject("tidegate", ours=True)
STOCK = Subject("stock")
STOCK_NOTED = Subject("stock_noted", noted=True)
