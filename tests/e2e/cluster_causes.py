"""Services that cannot run, as people write them by mistake, and the REASON that each of them must show."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.kubectl import Object
from tests.e2e.test_real_vllm import tiny_chat

WORKER_CPU = "tidegate.local/worker-cpu:dev"
GPU = "nvidia.com/gpu"
HALF_A_MODEL, GPU_BUILD = "half-a-model", "gpu-build"  # ConfigMaps
WHOLE = "file:///models/tiny-chat"
NEW_VLLM = "Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0\n"


@dataclass(frozen=True)
class Case:
    """``about``: what is wrong; ``said``: words of the sentence beside the reason; ``parts``: of the
    service's spec, beside those of the tiny chat model."""

    about: str
    reason: str
    said: str
    uri: str = WHOLE
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def manifest(self, name: str, namespace: str) -> Object:
        """A service that wants a worker at once."""
        manifest = tiny_chat(name, namespace, self.uri)
        spec = manifest["spec"]
        spec["scaling"] = {"minReplicas": 1}
        spec["resources"]["memory"] = "3Gi"  # so that all of them have room at the same time
        for part, values in self.parts.items():
            spec[part] = {**spec.get(part, {}), **values}
        return manifest


def _mounted(volume: Object, path: str) -> Object:
    mount = {"name": volume["name"], "mountPath": path, "readOnly": "configMap" in volume}
    return {"volumes": [volume], "volumeMounts": [mount]}


def _variable(name: str, value: str, *words: str) -> Object:
    return {"env": [{"name": name, "value": value}], **({"args": list(words)} if words else {})}


_HALF = {"name": "half", "configMap": {"name": HALF_A_MODEL}}
_PAGE = {"name": "compiled", "emptyDir": {"medium": "Memory", "sizeLimit": "4Ki"}}
_BUILD = {"name": "build", "configMap": {"name": GPU_BUILD}}

CASES: Mapping[str, Case] = {
    "no-model": Case(
        "a model that is not in the image",
        "ModelNotFound",
        "/models/nowhere does not exist in the worker; /models holds tiny-chat",
        "file:///models/nowhere",
    ),
    "bad-flag": Case(
        "an argument that vLLM does not know",
        "BadArgument",
        "unrecognized arguments: --no-such-flag",
        parts={"engine": {"args": ["--no-such-flag"]}},
    ),
    "truncated": Case(
        "weights that were copied in part",
        "InvalidModel",
        "/half/model.safetensors has",
        "file:///half",
        {"pod": _mounted(_HALF, "/half")},
    ),
    "read-only": Case(
        "the hub's cache on the read-only root",
        "NotWritable",
        "/cache (HF_HOME) cannot be written by user 1000",
        "hf://nobody/nothing",
        {"engine": _variable("HF_HOME", "/cache")},
    ),
    # A volume of one page: the notes on vLLM's classes, which the worker puts there, are more than that.
    "full-volume": Case(
        "a volume for compiled code that is full",
        "NoSpaceLeft",
        "/compiled (VLLM_CACHE_ROOT) cannot be written by user 1000: No space left on device",
        parts={
            "engine": _variable("VLLM_CACHE_ROOT", "/compiled", "--no-enforce-eager"),
            "pod": _mounted(_PAGE, "/compiled"),
        },
    ),
    "too-small": Case(
        "less memory than the engine needs",
        "OOMKilled",
        "memory",
        parts={"resources": {"memory": "640Mi", "sharedMemory": "64Mi"}},
    ),
}

# vLLM tells its kind by its version: one that is not for CPUs looks for a device, as the image for CUDA does.
NO_GPU = Case(
    "a node that claims a device and has none",
    "AcceleratorMissing",
    "Failed to infer device type",
    parts={
        "engine": {"image": WORKER_CPU, **_variable("PYTHONPATH", "/gpu-build")},
        "resources": {"accelerator": {"resource": GPU, "count": 1}},
        "pod": _mounted(_BUILD, "/gpu-build/vllm-0.32.0.dist-info"),
    },
)


def config_maps(namespace: str) -> list[Object]:
    """Half a model, and what an installed vLLM for GPUs has to say of itself."""
    small = {"config.json": "{}", "tokenizer.json": "{}"}
    weights = base64.b64encode(_cut_weights()).decode()
    return [
        _config_map(HALF_A_MODEL, namespace, data=small, binaryData={"model.safetensors": weights}),
        _config_map(GPU_BUILD, namespace, data={"METADATA": NEW_VLLM}),
    ]


def _config_map(name: str, namespace: str, **content: Mapping[str, str]) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **content}


def _cut_weights() -> bytes:
    """A file whose header promises a tensor of 4 GiB, of which nothing has been copied."""
    tensor = {"dtype": "F32", "shape": [1 << 30], "data_offsets": [0, 4 << 30]}
    header = json.dumps({"lm_head.weight": tensor}).encode()
    return struct.pack("<Q", len(header)) + header
