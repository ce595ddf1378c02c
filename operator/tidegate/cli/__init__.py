"""The ``tidegate`` command: it alone puts an edge and a substrate together. One file a command."""

from tidegate.cli.entry import main

__all__ = ["main"]
