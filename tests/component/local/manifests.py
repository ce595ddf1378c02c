"""InferenceServices whose engine is the simulated one, as a process of this machine."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Json = dict[str, Any]
ENGINE = Path(__file__).parents[2] / "engine_sim" / "engine.py"
COMMAND = shlex.join([sys.executable, "-S", str(ENGINE)])  # it needs nothing of the environment's packages
NAMESPACE = "local"
COMMAND_ANNOTATION = "tidegate.io/command"


def service(
    name: str, env: Mapping[str, str] | None = None, *, command: str = COMMAND, idle: int = 1, **spec: Any
) -> Json:
    """A service that sleeps after ``idle`` seconds without a request; ``env`` sets its engine's behaviour. An
    empty ``command`` leaves the choice of the engine to tidegate.

    Its workers take no core for themselves, so that many run on a small machine.
    """
    variables = [{"name": variable, "value": value} for variable, value in (env or {}).items()]
    whole: Json = {
        "model": {"uri": "file:///models/simulated"},
        "engine": {"env": variables, **spec.pop("engine", {})},
        "resources": {"cpu": 1, "memory": "96Mi"},
        "cpuIsolation": "None",
        "queue": {"executionTimeoutSeconds": 60},
        "scaling": {
            "idleTimeoutSeconds": idle,
            "maxIdleTimeoutSeconds": idle,  # woken again and again, which is the point
            "coldStartTimeoutSeconds": 120,
            **spec.pop("scaling", {}),
        },
    }
    annotations = {COMMAND_ANNOTATION: command} if command else {}
    metadata = {"name": name, "namespace": NAMESPACE, "annotations": annotations}
    return {
        "apiVersion": "tidegate.io/v1alpha1",
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": whole | spec,
    }


def shell(script: str) -> str:
    """A command whose first process is a shell; the engine and its arguments are the script's ``"$@"``."""
    return f"sh -c {shlex.quote(script)} sh {COMMAND}"


def text(*documents: Json) -> str:
    """The documents as one file; JSON is YAML."""
    return "\n---\n".join(json.dumps(document, indent=1) for document in documents) + "\n"


def write(file: Path, *documents: Json) -> None:
    """In one step, so that nobody reads half of it."""
    put(file, text(*documents))


def put(file: Path, content: str) -> None:
    """Any text, in one step."""
    beside = file.with_name(f".{file.name}.new")
    beside.write_text(content)
    beside.replace(file)
