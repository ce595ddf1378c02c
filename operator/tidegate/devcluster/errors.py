"""The two ways in which the cluster tool ends badly."""

from __future__ import annotations


class ClusterError(Exception):
    """One clear sentence for the user: what is wrong and what to do. The command exits with 2."""


class LeftoverError(Exception):
    """Something of the cluster is still on the machine; the message names each thing. Exits with 1."""
