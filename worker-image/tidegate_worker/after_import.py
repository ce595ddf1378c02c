"""Something that is done to a module as soon as it is imported, by whoever imports it first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

Act = Callable[[ModuleType], None]


class AfterImport:
    """A finder for ``sys.meta_path``: calls ``act`` with the module of this name when its code has run.

    A module that is not found, or is no file of Python, is left to the other finders.
    """

    def __init__(self, name: str, act: Act) -> None:
        self._name = name
        self._act = act

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What Python's own finder says of it, with another loader; None for every other module."""
        if name != self._name:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader:
            return None
        spec.loader = _Loader(spec.loader.name, spec.loader.path, self._act)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, act: Act) -> None:
        super().__init__(name, path)
        self._act = act

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        self._act(module)
