"""Compiles the gateway's data path: ``python tools/compile.py TARGET``.

Copies the package to TARGET/tidegate and turns the modules below into C extensions there, with mypyc: it
takes the types that mypy has checked. The sources stay beside the extensions. Without a compiler the same
files run interpreted, at 1.8 times the CPU a request. The checkout itself is never compiled, so that no stale
extension hides an edited file.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "operator" / "tidegate"
NOT_SHIPPED = "devcluster"
COMPILED = {
    "domain": (
        "balancing",
        "flow",
        "flow_clock",
        "flow_endpoints",
        "flow_line",
        "flow_rate",
        "flow_ticket",
        "membership",
        "remote_arbiter",
        "shared_flow",
    ),
    "gateway": (
        "answer",
        "body_intake",
        "books",
        "chunks",
        "comments",
        "connection",
        "dispatch",
        "endings",
        "exchange",
        "heads",
        "local_arbiter",
        "metrics",
        "passage",
        "pool",
        "priority",
        "request",
        "request_reader",
        "response",
        "rewriting",
        "router",
        "service",
        "shared_arbiter",
        "splice",
        "traffic",
        "tunnel",
        "upstream",
    ),
}
# Imports everything, and names a class that would fail only once somebody makes one of it.
CHECK = """
import importlib, pkgutil, sys, tidegate.domain, tidegate.gateway
packages = (tidegate.domain, tidegate.gateway)
names = [found.name for p in packages for found in pkgutil.iter_modules(p.__path__, p.__name__ + ".")]
modules = {name: importlib.import_module(name) for name in names}
compiled = {name for name, module in modules.items() if not module.__file__.endswith(".py")}
kinds = {k for name in names for k in vars(modules[name]).values() if isinstance(k, type)}
heirs = [f"{k.__module__}.{k.__name__}" for k in kinds if k.__module__ in modules
         and k.__module__ not in compiled and any(b.__module__ in compiled for b in k.__mro__[1:])]
sys.exit(heirs and f"interpreted heirs of compiled classes: {heirs}" or len(compiled) == 0)
"""


def copy(target: Path) -> None:
    """The package's sources, less what an image does not need."""
    shutil.rmtree(target / "tidegate", ignore_errors=True)
    for old in target.glob("*__mypyc*.so"):
        old.unlink()
    ignored = shutil.ignore_patterns("__pycache__", NOT_SHIPPED, "*.so")
    shutil.copytree(PACKAGE, target / "tidegate", ignore=ignored)


def modules() -> list[str]:
    """The modules that are compiled, as paths from TARGET on."""
    return [f"tidegate/{floor}/{name}.py" for floor, names in COMPILED.items() for name in names]


def why_not(libc: str | None) -> str | None:
    """What stands against a compilation that runs with the C library ``libc``; None where nothing does."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        return f"there is no C compiler ({compiler})"
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if not header.is_file():
        return f"there is no {header} (python3-dev on Debian)"
    here = platform.libc_ver()[1]
    if libc and _version(here) > _version(libc):
        return f"this machine's C library, {here}, is newer than {libc}, with which the result must run"
    return None


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def compile_in(target: Path) -> None:
    """Compiles the copy in ``target``; SystemExit where the compiler refuses."""
    from mypyc.build import mypycify  # noqa: PLC0415  without a compiler the copy is made all the same
    from setuptools import setup  # noqa: PLC0415

    os.environ["MYPYPATH"] = "."
    with contextlib.chdir(target):
        extensions = mypycify(["--strict", *modules()], opt_level="3")
        arguments = ["-q", "build_ext", "--inplace"]
        setup(name="tidegate", packages=[], ext_modules=extensions, script_args=arguments)
        shutil.rmtree("build")
        shutil.rmtree(".mypy_cache", ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    """0 where TARGET has what was asked for, 1 with a sentence on stderr where it has not."""
    parser = argparse.ArgumentParser(description="Copies the package and compiles its data path.")
    parser.add_argument("target", type=Path)
    parser.add_argument("--libc", metavar="VERSION", help="the oldest C library that it shall run with")
    parser.add_argument(
        "--or-interpreted", action="store_true", help="be content with the copy where it cannot be compiled"
    )
    options = parser.parse_args(arguments)
    target = options.target.resolve()
    target.mkdir(parents=True, exist_ok=True)
    copy(target)
    missing = why_not(options.libc)
    if missing is not None:
        print(f"the data path stays interpreted: {missing}", file=sys.stderr)
        return 0 if options.or_interpreted else 1
    compile_in(target)
    return subprocess.run([sys.executable, "-c", CHECK], cwd=target, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
