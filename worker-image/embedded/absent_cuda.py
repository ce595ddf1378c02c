"""One small library in place of 2.7 GB of CUDA that a machine without a GPU never calls.

The torch wheel of the public index is linked against cuBLAS, cuDNN, NCCL and their kin, and the
dynamic linker wants each of them, with each function, before ``import torch`` succeeds. On a
machine without a GPU the CUDA runtime (which stays, it is small) reports that there is no device,
and none of the others is ever called. So they are not installed: one shared object that defines
the same functions, each returning 1 (an error in all of these interfaces), stands under all their
names. The images for GPUs come from the official ones and have nothing of this.
"""

from __future__ import annotations

from pathlib import Path

from .elf import Function, shared_object, undefined_functions

STUB_NAME = "libcuda_absent.so"
SONAMES = (
    "libcublas.so.13",
    "libcublasLt.so.13",
    "libcudnn.so.9",
    "libcufft.so.12",
    "libcufile.so.0",
    "libcurand.so.10",
    "libcusparse.so.12",
    "libcusparseLt.so.0",
    "libnccl.so.2",
    "libnvrtc.so.13",
    "libnvshmem_host.so.3",
)
PREFIXES = (b"cublas", b"cudnn", b"cufft", b"cuFile", b"curand", b"cusparse", b"nccl", b"nvrtc", b"nvshmem")
CALLERS = ("libtorch_cuda.so", "libtorch_nvshmem.so", "libtorch_python.so")


def stand_in(torch_lib: Path) -> list[Function]:
    """Put the stub and its names into torch's library folder; the functions that it defines.

    Safe to repeat. OSError where the folder has no torch.
    """
    wanted: set[Function] = set()
    for caller in CALLERS:
        wanted |= undefined_functions((torch_lib / caller).read_bytes())
    functions = sorted(function for function in wanted if function.name.startswith(PREFIXES))
    (torch_lib / STUB_NAME).write_bytes(shared_object(STUB_NAME.encode(), functions))
    for soname in SONAMES:
        link = torch_lib / soname
        link.unlink(missing_ok=True)
        link.symlink_to(STUB_NAME)
    return functions
