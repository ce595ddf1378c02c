"""The step before the engine: have a model in the cache of spec.cache, whole and checked.

    python3 fill_cache.py --model hf://OWNER/NAME --cache /cache --link /tmp/cached/NAME --place "the claim a"

It ends with 0 when the folder is there and ``--link`` leads to it; otherwise the termination message is one
line, ``REASON: sentence``. Credentials, mirrors and proxies come by environment.
"""

from __future__ import annotations

import os
import sys

from tidegate_cache.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
