"""The tiny model on real vLLM, where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys

from harness.report import ROOT
from tests.component.local.manifests import Json, service
from tidegate.local.worker.engines import default_root, engine_settings, found

NONE = "no vLLM"  # how `found` begins where there is none


def tiny_chat(name: str) -> Json | None:
    """Its service; None, with a line that says so, where this machine has no vLLM."""
    said = found(engine_settings(None, os.environ))
    print(said, flush=True)
    if said.startswith(NONE):
        return None
    subprocess.run([sys.executable, str(ROOT / "worker-image" / "make_tiny_model.py")], check=True)
    return service(
        name,
        command="",
        model={"uri": f"file:///models/{name}"},
        engine={"args": ["--enforce-eager"], "maxConcurrency": 8},
        resources={"cpu": 1, "memory": "3Gi"},
        cpuIsolation="Preferred",
    )


def cache() -> str:
    """The user's cache folder, where vLLM and the model are."""
    return str(default_root(os.environ).parent)
