"""Copies a Python package without its bytecode and without the parts that do not ship.

python -I copy_package.py SOURCE TARGET [EXCLUDED …]
"""

import shutil
import sys
from pathlib import Path


def main() -> None:
    """Copies."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    shutil.copytree(
        source, target, ignore=shutil.ignore_patterns("__pycache__", *sys.argv[3:]), dirs_exist_ok=True
    )


if __name__ == "__main__":
    main()
