"""The images that the cluster itself needs: pause, busybox, CoreDNS."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tidegate.devcluster.commands import Runner
from tidegate.devcluster.debian import SYSTEM_PATH
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.images.archive import Image, ImageConfig
from tidegate.devcluster.images.layers import Content, FilesLayer, LinkTo
from tidegate.devcluster.layout import Cache

PAUSE = "tidegate.local/pause:1"
BUSYBOX = "tidegate.local/busybox:1"
COREDNS = "tidegate.local/coredns:1"

# The first process of a pod: holds its namespaces, reaps what nobody waits for, ends when told.
PAUSE_SOURCE = """\
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void leave(int number) { _exit(number == SIGTERM ? 0 : 1); }
static void reap(int number) { (void)number; while (waitpid(-1, 0, WNOHANG) > 0); }
int main(void) { signal(SIGTERM, leave); signal(SIGINT, leave); signal(SIGCHLD, reap); for (;;) pause(); }
"""
PAUSE_SCRIPT = "trap exit TERM INT; while :; do sleep 3600 & wait $!; done"


def pause_image(runner: Runner, cache: Cache) -> Image:
    """Some lines of C where there is a compiler, else a line of busybox."""
    file = cache.root / "pause" / "pause"
    if not file.exists() and not (shutil.which("gcc") and _compile(runner, file)):
        layer = _busybox_layer(runner)
        return Image(PAUSE, [layer], ImageConfig(["/bin/sh", "-c", PAUSE_SCRIPT], user="65535"))
    layer = FilesLayer({"pause": file}, frozenset({"pause"}))
    return Image(PAUSE, [layer], ImageConfig(["/pause"], user="65535"))


def busybox_image(runner: Runner) -> Image:
    """A shell and the usual small tools, linked statically."""
    return Image(BUSYBOX, [_busybox_layer(runner)], ImageConfig([], ["/bin/sh"]))


def coredns_image(program: Path) -> Image:
    """CoreDNS; its configuration comes from a ConfigMap."""
    layer = FilesLayer({"coredns": program}, frozenset({"coredns"}))
    return Image(COREDNS, [layer], ImageConfig(["/coredns"], user="65532"))


def _busybox_layer(runner: Runner) -> FilesLayer:
    found = shutil.which("busybox", path=SYSTEM_PATH)
    if found is None:
        raise ClusterError("busybox is not installed: apt-get install busybox-static")
    tools = runner.run([found, "--list"]).stdout.split()
    links: dict[str, Content] = {f"bin/{tool}": LinkTo("busybox") for tool in tools if tool != "busybox"}
    return FilesLayer({**links, "bin/busybox": Path(found)}, frozenset({"bin/busybox"}), {"tmp": 0o1777})


def _compile(runner: Runner, target: Path) -> bool:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        source, program = Path(folder) / "pause.c", Path(folder) / "pause"
        source.write_text(PAUSE_SOURCE)
        compiled = runner.run(["gcc", "-Os", "-static", "-o", program, source], check=False)
        if compiled.code != 0:
            return False
        program.rename(target)
    return True
