"""Fills a folder with vLLM for CPUs and all it needs, from locked requirements.

    python3 install_cpu.py [FOLDER] [--no-compile]     prints the folder
    python3 install_cpu.py --lock                      makes requirements-cpu.txt anew

For the embedded image and for tests on the host; the Dockerfiles take vLLM's official images. The
folder is for the Python that runs this script. It is made once for each state of the lock file
and of these scripts; a killed attempt is begun again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded.absent_cuda import stand_in
from embedded.cache import cache_folder, making
from embedded.packages import install_locked, lock

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements-cpu.txt"
PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
# What a worker on a CPU never opens: 0.3 GB of tests, GPU offload, debug symbols, static libraries.
UNUSED = (
    "**/tests/**/*",
    "bin/*",
    "lib/*.a",
    "lib/*.dbg",
    "lib/libomptarget*",
    "lib/libur_*",
    "nvidia/cu13/include/**/*",
    "nvidia/cu13/lib/*.a",
    "nvidia/cu13/lib/libnvperf_*",
    "nvidia/cu13/lib/libcheckpoint.so",
    "torch/lib/libtorch_cuda_linalg.so",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=default_folder())
    parser.add_argument("--no-compile", action="store_true", help="no byte code: someone else makes it")
    parser.add_argument("--lock", action="store_true", help="resolve the requirements anew")
    given = parser.parse_args()
    if given.lock:
        lock(HERE / "requirements-cpu.in", "--override", str(HERE / "requirements-cpu.overrides"))
        lock(HERE / "requirements-models.in", "--no-deps")
        return
    try:
        print(install(given.folder.absolute(), compiled=not given.no_compile))
    except FileNotFoundError as error:
        sys.exit(f"install_cpu: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"install_cpu: uv failed with code {error.returncode}; it said why above")


def default_folder() -> Path:
    """Where the packages for this Python lie, unless told otherwise."""
    return cache_folder() / "worker" / f"site-packages-{PYTHON_VERSION}"


def install(folder: Path, *, compiled: bool = True) -> Path:
    """Fill the folder, unless it was filled from the same before; the folder."""
    with making(folder, f"{recipe_hash()} {PYTHON_VERSION} {compiled}") as part:
        if part:
            with step("installing vLLM and torch (2.5 GB)"):
                install_locked(REQUIREMENTS, part, PYTHON_VERSION)
            with step("leaving out what needs a GPU"):
                remove_unused(part)
                stand_in(part / "torch" / "lib")
            if compiled:
                with step("compiling to byte code"):
                    compile_folder(part, folder)
            with step("inspecting vLLM's models"):
                inspect_models(part)
    return folder


def recipe_hash() -> str:
    """Changes with the lock file and with these scripts."""
    files = [REQUIREMENTS, Path(__file__), HERE / "inspect_models.py", *sorted(HERE.glob("embedded/*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def remove_unused(folder: Path) -> None:
    """Take away what UNUSED names; folders stay, empty."""
    for pattern in UNUSED:
        for path in folder.glob(pattern):
            if not path.is_dir():
                path.unlink()


def compile_folder(folder: Path, place: Path) -> None:
    """Byte code for everything, as if it lay at ``place`` already.

    Never checked against the sources, which nobody changes. A few files are templates or tests of
    syntax errors and do not compile; compileall's exit code says no more than that.
    """
    names = ["-s", str(folder), "-p", str(place), "--invalidation-mode", "unchecked-hash"]
    command = [sys.executable, "-m", "compileall", "-qq", "-j", "0", *names, str(folder)]
    subprocess.run(command, check=False)


def inspect_models(folder: Path) -> None:
    """Note the features of vLLM's model classes. Where that fails, each start takes 8 s more."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-S", str(HERE / "inspect_models.py"), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    said = (done.stderr if done.returncode else done.stdout).strip().splitlines()
    print(f"  {said[-1] if said else done.returncode}", file=sys.stderr)
    if done.returncode:
        print("  so workers start all the same, some seconds later", file=sys.stderr)


@contextmanager
def step(about: str) -> Iterator[None]:
    """Say what is being done, and afterwards how long it took."""
    print(f"{about} …", file=sys.stderr, flush=True)
    started = time.monotonic()
    yield
    print(f"  {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
