"""The ways to get a cluster, behind one interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Provider(Protocol):
    """Something that has, or makes, a cluster."""

    @property
    def name(self) -> str:
        """kind, context, embedded or apiserver."""

    def up(self, mode: str) -> None:
        """Makes sure that the cluster runs. Nothing is done when it does."""

    def down(self) -> None:
        """Removes what `up` made, and verifies that nothing is left."""

    def status(self) -> tuple[bool, list[str]]:
        """Whether the cluster is healthy, and lines about it."""

    def load(self, names: Sequence[str]) -> None:
        """Builds images, by their short names, and brings those that are new into the cluster."""

    def prepare(self, names: Sequence[str]) -> None:
        """Gets all that `up` and `load` need, without starting anything."""

    def environment(self) -> Mapping[str, str]:
        """What a shell needs to use the cluster: KUBECONFIG, PATH."""
