"""Where compiled kernels and graphs are kept from one worker to the next: in a volume, if there is one.

::

    $TIDEGATE_COMPILE_CACHE/
    └── 0.32.0-4f0c1d2e3a5b/    one build: these packages, on this kind of processor and device, for this user
        ├── .used               locked by each worker that uses it, touched when it starts
        └── vllm/ triton/ cuda/ …

The tools key most of what they write themselves, but not all: what a C++ compiler made for one processor ends
the engine on another that lacks an instruction. So different builds never meet.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from .report import say

FOLDER_VARIABLE = "TIDEGATE_COMPILE_CACHE"
USED = ".used"
# Which variable names a tool's folder, and its name in a build's. VLLM_CACHE_ROOT holds torch.compile's
# graphs, the classes of models and the results of autotuning; FlashInfer adds .cache/flashinfer.
FOLDERS = {
    "VLLM_CACHE_ROOT": "vllm",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TRITON_CACHE_DIR": "triton",
    "CUDA_CACHE_PATH": "cuda",
    "FLASHINFER_WORKSPACE_BASE": "flashinfer",
    "DG_JIT_CACHE_DIR": "deep_gemm",
    "TVM_FFI_CACHE_DIR": "tvm_ffi",
    "TILELANG_CACHE_DIR": "tilelang",
    "TORCH_EXTENSIONS_DIR": "torch_extensions",
}
CUDA_CACHE_BYTES = 2 << 30  # the driver drops its oldest kernels beyond; it takes no more than 4 GiB
# On a CPU vLLM 0.32 cannot load again the models that it has compiled and saved whole, and compiles anew: a
# second start saves 4 of 20 s of CPU. Without that way of saving, Inductor's own cache saves 15 of 24 s.
ON_CPU = {"VLLM_USE_AOT_COMPILE": "0"}
# Of /proc/cpuinfo: what a compiler looks at that compiles for this very machine (x86 and ARM).
PROCESSOR = re.compile(r"^(model name|flags|Features|CPU implementer|CPU part)\s*:\s*(.*)$", re.MULTILINE)
DEVICE = re.compile(r"^Model:\s*(.*)$", re.MULTILINE)
TRIES = 3


def kept_folders(environment: Mapping[str, str], *, on_cpu: bool) -> dict[str, str]:
    """The variables that put each tool's folder into the cache; none without one or where it is read-only.

    Then the tools write where they do by default, and start slower. That is said, and no reason not to serve.
    """
    cache = environment.get(FOLDER_VARIABLE)
    if not cache:
        return {}
    build = Path(cache, build_name())
    try:
        hold(build)
    except OSError as error:
        say("unprepared", what=f"the cache of what is compiled, {cache}", error=error.strerror)
        return {}
    kept = {variable: str(build / name) for variable, name in FOLDERS.items()}
    if (
        "VLLM_CACHE_ROOT" not in environment
    ):  # below it vLLM keeps pictures and tokenizers too, unless told where
        kept["VLLM_ASSETS_CACHE"] = str(Path(environment["HOME"], ".cache", "vllm", "assets"))
    return kept | (ON_CPU if on_cpu else {"CUDA_CACHE_MAXSIZE": str(CUDA_CACHE_BYTES)})


def hold(build: Path) -> int:
    """Make the folder if need be and mark it used until this process and its forks end: the open file.

    A mark that is gone when it is locked had a folder that somebody has just cleared away. On a volume
    without locks nobody can clear away.
    """
    for _ in range(TRIES):
        build.mkdir(parents=True, exist_ok=True)
        mark = os.open(build / USED, os.O_CREAT | os.O_RDWR, 0o644)
        with suppress(OSError):
            fcntl.flock(mark, fcntl.LOCK_SH)
        if os.fstat(mark).st_nlink:
            os.utime(mark)
            return mark
        os.close(mark)
    raise OSError(0, f"{build.name} is cleared away again and again")


def build_name(root: Path = Path("/")) -> str:
    """The engine's version, and what tells this build and machine from others. ``root``: another /."""
    packages = sorted(set(_packages()))
    version = next((name.split("-")[1] for name in packages if re.match(r"vllm(_cpu)?-", name)), "unknown")
    parts = [*packages, str(sys.implementation.cache_tag), str(os.getuid()), *_machine(root)]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"{version}-{digest[:12]}"


def _packages() -> Iterator[str]:
    """Name and version of what is installed, ``torch-2.13.0``, from the folders' names alone."""
    for place in sys.path:
        for folder in Path(place).glob("*.dist-info") if place else ():
            yield folder.name.removesuffix(".dist-info")


def _machine(root: Path) -> list[str]:
    """The kind of processor, and of devices and their driver where the driver tells it here."""
    processors = (root / "proc/cpuinfo").read_text() if (root / "proc/cpuinfo").is_file() else ""
    found = sorted({f"{name}: {value}" for name, value in PROCESSOR.findall(processors)})
    driver = root / "proc/driver/nvidia"
    if (driver / "version").is_file():
        found += (driver / "version").read_text().splitlines()[:1]
    devices = [file.read_text() for file in driver.glob("gpus/*/information")]
    return [*found, *sorted({model for text in devices for model in DEVICE.findall(text)})]
