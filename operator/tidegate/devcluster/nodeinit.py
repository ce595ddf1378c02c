"""The first process of a node. It runs alone, with the standard library only, in namespaces of its own:

    unshare --mount --net --pid --uts --ipc --fork --kill-child python3 -I nodeinit.py SPEC NAME

It makes the node's file tree, says that it is ready, and reaps what ends. When it is killed, the kernel kills
every process of the node and takes mounts, links, routes and packet rules away with the namespaces.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

VOLUMES = Path("/tmp/hostpath_pv")  # noqa: S108  where Kubernetes' hostpath provisioner makes its folders
FRESH = 0o750  # their mode
PERIOD = 0.1  # seconds; from a fresh volume to its pod's start at least three times as long passes


def main() -> None:
    """Reads the specification (node.init_spec) and stays."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    socket.sethostname(sys.argv[2])
    spec = json.loads(Path(sys.argv[1]).read_text())
    make_tree(spec)
    for file, value in spec["sysctls"].items():
        Path(file).write_text(value)
    Path(spec["ready"]).touch()
    while True:
        reap()
        open_volumes()
        signal.sigtimedwait({signal.SIGCHLD}, PERIOD)


def make_tree(spec: dict[str, dict[str, str]]) -> None:
    """Mounts over the machine's tree what the node has for itself. Shared, so that volumes can propagate."""
    mount("--make-rprivate", "/")
    mount("-t", "proc", "proc", "/proc")
    for target, source in spec["folders"].items():
        mount("--bind", source, target)
    mount("-t", "tmpfs", "-o", "mode=755", "tidegate-run", "/run")
    mount("--make-rshared", "/")


def mount(*arguments: str) -> None:
    """Runs mount(8)."""
    subprocess.run(["mount", *arguments], check=True)


def reap() -> None:
    """Takes the exit codes of all children that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:  # there is no child at all
        return


def open_volumes() -> None:
    """Lets everybody write to fresh volumes, as kind's provisioner does; they are made as root's."""
    if VOLUMES.is_dir():
        for volume in VOLUMES.iterdir():
            if volume.stat().st_mode & 0o777 == FRESH:
                volume.chmod(0o777)


if __name__ == "__main__":
    main()
