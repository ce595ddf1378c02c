"""The real kubectl, and an InferenceService that a user writes with it."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.component.kube.objects import service_manifest
from tidegate.kube.client import Json


class KubectlError(Exception):
    """kubectl ended with an error; the text is what it printed."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl in one namespace."""

    kubeconfig: Path
    namespace: str

    async def __call__(self, *arguments: str, text: str | None = None, editor: str = "false") -> str:
        """What it printed. KubectlError where it fails, as `diff` does where there is a difference."""
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "KUBE_EDITOR": editor}
        process = await asyncio.create_subprocess_exec(
            *("kubectl", "--namespace", self.namespace, *arguments),
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await asyncio.wait_for(process.communicate((text or "").encode()), 120)
        if process.returncode:
            raise KubectlError(printed.decode())
        return printed.decode()

    async def live(self, name: str = "qwen") -> Json:
        """The object as it is."""
        found: Json = json.loads(await self("get", "inferenceservices.tidegate.io", name, "-o", "json"))
        return found


def manifest(namespace: str, depth: int | None = None, **spec: Any) -> str:
    """The YAML of a user, with a limit or without one."""
    queue = {} if depth is None else {"queue": {"maxDepth": depth}}
    return yaml.safe_dump(service_manifest(namespace, "qwen", **queue, **spec))
