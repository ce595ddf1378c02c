"""The files that manifests are in: read again when they change; a broken one changes nothing."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tidegate.local.manifest_set import Machine, ManifestSet, together
from tidegate.local.manifests import Contents, Defaults, read_contents

_logger = logging.getLogger("tidegate.local")

STDIN: Final = "-"
_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
Stamp = tuple[int, int, int]  # inode, change time, size
_AGAIN: Final = (-1, -1, -1)  # the stamp of nothing


def text_of_stdin() -> str:
    """Of the stream that it is when this is called: it may have been closed when this module was loaded."""
    return sys.stdin.read()


@dataclass
class _File:
    seen: Stamp | None = None  # at the last look; None: it was not there
    taken: Stamp | None = None  # what was read
    contents: Contents = field(default_factory=lambda: Contents({}, {}))  # the last good ones
    complaint: str = ""


class ManifestFiles:
    """``sources``: files, folders (their .yaml, .yml and .json files), or ``-``: stdin, which is read once.

    An editor may write a file in pieces, or put another one in its place: what a file says holds once it was
    the same at two looks.
    """

    def __init__(
        self,
        sources: Sequence[str | Path],
        machine: Machine,
        defaults: Defaults = lambda document: document,
        stdin: Callable[[], str] = text_of_stdin,
    ) -> None:
        self._sources = [str(each) for each in sources]
        self._machine = machine
        self._defaults = defaults
        self._stdin = stdin
        self._files: dict[str, _File] = {}
        self.all = ManifestSet(machine)

    def read(self) -> ManifestSet:
        """Everything, at the start: OSError, or ValueError that names file, document and field."""
        for source in self._sources:
            if source == STDIN:
                self._files[source] = _File(contents=self._parsed(source, self._stdin()))
        for path in self._paths():
            if not _is_there(path):
                raise FileNotFoundError(2, "there is no such file or folder", path)
            stamp = _stamp(path)
            contents = self._parsed(path, Path(path).read_text(encoding="utf-8"))
            self._files[path] = _File(stamp, stamp, contents)
        self.all = together(self._machine, ((name, each.contents) for name, each in self._files.items()))
        return self.all

    def look(self) -> bool:
        """Whether anything has changed; what cannot be used is complained about once, and changes nothing."""
        candidates = {path: contents for path in self._paths() if (contents := self._changed(path))}
        if not candidates:
            return False
        taken = self._accepted(candidates)
        for path in taken:
            self._files[path].contents, self._files[path].complaint = candidates[path], ""
        return bool(taken)

    def _accepted(self, candidates: dict[str, Contents]) -> set[str]:
        """The files whose new contents hold together with all others; ``all`` is what holds then."""
        now = {path: candidates.get(path, each.contents) for path, each in self._files.items()}
        try:
            self.all = together(self._machine, now.items())
        except ValueError as error:
            if len(candidates) == 1:
                (path,) = candidates
                self._files[path].taken = _AGAIN  # another file may make room for it
                self._complain(path, str(error))
                return set()
        else:
            return set(candidates)
        taken: set[str] = set()
        for path, contents in candidates.items():  # each by itself, so that one of them spoils nothing
            if self._accepted({path: contents}):
                taken.add(path)
                self._files[path].contents = contents
        return taken

    def _changed(self, path: str) -> Contents | None:
        known, stamp = self._files.setdefault(path, _File()), _stamp(path)
        settled, known.seen = stamp == known.seen, stamp
        if stamp == known.taken or not settled:
            return None
        known.taken = stamp
        if stamp is None:
            return Contents({}, {})
        try:
            contents = self._parsed(path, Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            self._complain(path, str(error))
            return None
        return contents

    def _complain(self, path: str, said: str) -> None:
        known = self._files[path]
        if said != known.complaint:
            known.complaint = said
            named = said if path in said else f"{path}: {said}"
            _logger.error("%s; what it said before still holds", named)

    def _parsed(self, source: str, text: str) -> Contents:
        try:
            return read_contents(text, self._defaults)
        except ValueError as error:
            raise ValueError(f"{_named(source)}: {error}") from None

    def _paths(self) -> list[str]:
        """Every file that is or was there, once; the order is that of the sources."""
        found = [path for source in self._sources if source != STDIN for path in _expanded(source)]
        gone = [path for path in self._files if path != STDIN]
        return list(dict.fromkeys([*found, *gone]))


def _expanded(source: str) -> Iterator[str]:
    path = Path(source)
    if not path.is_dir():
        yield source
        return
    yield from sorted(str(each) for each in path.iterdir() if each.suffix in _SUFFIXES and each.is_file())


def _is_there(path: str) -> bool:
    return Path(path).exists()


def _named(source: str) -> str:
    return "stdin" if source == STDIN else source


def _stamp(path: str) -> Stamp | None:
    """None where it is not there. One that may not be looked at is there: to read it says why."""
    try:
        stat = Path(path).stat()
    except FileNotFoundError:
        return None
    except OSError:
        return (0, 0, 0)
    return (stat.st_ino, stat.st_mtime_ns, stat.st_size)
