"""The development cluster's ports for tests of the compiled package, which ships without that cluster."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

FILE = Path(__file__).parents[1] / "operator/tidegate/devcluster/ports.py"


def free_ports(count: int) -> list[int]:
    """So many ports of the loopback that nobody listens on and that stay free for a minute; see the file."""
    found: list[int] = run_path(str(FILE))["free_ports"](count)
    return found
