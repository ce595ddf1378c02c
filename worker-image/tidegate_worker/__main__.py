"""``python -m tidegate_worker --model … --port 8000 …``: the worker outside of its image.

A spawned process imports its parent's main module anew, but never one of the name ``__main__``: so that name
is given to ``entry``, which then is that module.
"""

from __future__ import annotations

import runpy

runpy.run_module("tidegate_worker.entry", run_name="__main__", alter_sys=True)
