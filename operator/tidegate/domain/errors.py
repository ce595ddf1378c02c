"""Errors that cross the floors: raised by a substrate, understood by an edge."""

from __future__ import annotations


class WakeError(Exception):
    """A wake was refused or did not get through; the message says by whom and what to do about it."""
