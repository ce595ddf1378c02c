"""`python -m tidegate.devcluster`."""

import sys

from tidegate.devcluster.cli import main

sys.exit(main())
