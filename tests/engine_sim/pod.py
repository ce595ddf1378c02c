"""The simulated engine as a pod runs it: beside it, as in a worker, what it tells of itself."""

from __future__ import annotations

import os
import sys
from importlib import import_module

from tidegate_worker.answers import answers_of
from tidegate_worker.arguments import Arguments
from tidegate_worker.isolation_server import serve_isolation
from tidegate_worker.lease import keep_lease
from tidegate_worker.report import process_age
from tidegate_worker.serving import Stopwatch
from tidegate_worker.start_marks import StartMarks

if __name__ == "__main__":
    marks = StartMarks()
    watch = Stopwatch(marks, interpreter=process_age())
    serve_isolation(answers_of(os.getpgrp(), marks), os.environ)
    engine = import_module("engine")
    keep_lease(Arguments(tuple(sys.argv[1:])).local_model)
    watch.mark("imports")
    watch.mark("config")

    def serving() -> None:
        """What went by since was its load."""
        watch.mark("engine")
        watch.mark("serving")

    sys.exit(engine.main(sys.argv[1:], serving))
