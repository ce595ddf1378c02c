"""Operators as processes of their own that start in a tenth of a second: forked from one that is loaded.

``python -m tests.campaign.zygote`` reads one JSON object a line, ``{"settings", "kubeconfig", "log"}``, and
answers each with the pid of an operator. All of them end with it.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import logging
import os
import random
import signal
import sys
from typing import Any

from tidegate.controller.app import OperatorSettings, run
from tidegate.kube.errors import KubeError
from tidegate.resources.deployment import WorkerImages

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the children
    gc.freeze()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _become_operator(json.loads(line))
        print(pid, flush=True)


def _become_operator(order: dict[str, Any]) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for theirs, ours in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(theirs, ours)
    os.environ["KUBECONFIG"] = order["kubeconfig"]
    os.environ.pop("KUBERNETES_SERVICE_HOST", None)
    random.seed()  # or all of them would jitter alike
    status = 1
    try:
        status = _operate(order["settings"])
    finally:
        os._exit(status)


def _operate(settings: dict[str, Any]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    images = WorkerImages(cpu="worker:cpu", cuda="worker:cuda")
    try:
        asyncio.run(run(OperatorSettings(images=images, webhook_config=None, **settings)))
    except KubeError as error:
        print(f"tidegate: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    main()
