"""The simulated engine as a pod runs it: beside it, as in a worker, what the kernel says of its cores."""

from __future__ import annotations

import os
import sys
from functools import partial
from importlib import import_module

from tidegate_worker.evidence import read_evidence
from tidegate_worker.isolation_server import serve_isolation

if __name__ == "__main__":
    serve_isolation(partial(read_evidence, os.getpgrp()), os.environ)
    sys.exit(import_module("engine").main(sys.argv[1:]))
