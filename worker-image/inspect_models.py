"""Notes the features of every model class of vLLM, as vLLM itself does at a model's first start.

    PYTHONPATH=FOLDER python3 inspect_models.py FOLDER

vLLM imports a model's class in a process of its own, only to learn whether it pools, has an inner
state and so on (8 s on one core), and keeps the answer in its cache with a hash of the class's
source. A pod begins with an empty cache, so the answers are put into the image; here all classes
are inspected in one process, in some 10 s. The worker copies them into its cache.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

FOLDER = "tidegate_modelinfos"


def main() -> None:
    with tempfile.TemporaryDirectory() as cache:
        os.environ.update(VLLM_CACHE_ROOT=cache, VLLM_LOGGING_LEVEL="CRITICAL", HF_HUB_OFFLINE="1")
        registry: Any = import_module("vllm.model_executor.models.registry")
        logging.disable(logging.CRITICAL)  # classes that need packages we leave out complain at length
        registry._run_in_subprocess = lambda inspect: inspect()
        done = sum(_inspect(model) for model in registry.ModelRegistry.models.values())
        target = Path(sys.argv[1], FOLDER)
        target.mkdir(exist_ok=True)
        for note in Path(cache, "modelinfos").iterdir():
            (target / note.name).write_bytes(note.read_bytes())  # with the usual mode: vLLM's is 0600
    print(f"{done} of {len(registry.ModelRegistry.models)} model classes")


def _inspect(model: Any) -> bool:
    """False for a class that cannot be imported here, such as one for pictures."""
    try:
        model.inspect_model_cls()
    except (ImportError, RuntimeError, AttributeError, AssertionError):
        return False
    return True


if __name__ == "__main__":
    main()
