"""The operator as a process of its own: ``python -m tests.component.operator.run_operator '{settings}'``."""

from __future__ import annotations

import asyncio
import json
import logging
import sys

from tidegate.controller.app import OperatorSettings, run
from tidegate.kube.errors import KubeError
from tidegate.resources.deployment import WorkerImages


def main() -> None:
    """Run until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for library in ("httpx", "kopf"):  # as the command line does
        logging.getLogger(library).setLevel(logging.WARNING)
    settings = json.loads(sys.argv[1])
    images = WorkerImages(cpu="worker:cpu", cuda="worker:cuda")
    try:
        asyncio.run(run(OperatorSettings(images=images, webhook_config=None, **settings)))
    except KubeError as error:
        sys.exit(f"tidegate: {error}")


if __name__ == "__main__":
    main()
