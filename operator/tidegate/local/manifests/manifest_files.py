"""The files that manifests are in: read again when they change; a broken one changes nothing."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from tidegate.local.manifests.manifest import Contents, Defaults, read_contents
from tidegate.local.manifests.manifest_paths import (
    STDIN,
    Stamp,
    expanded,
    is_regular,
    stamp_of,
    text_of,
    text_once,
)
from tidegate.local.manifests.manifest_set import Machine, ManifestSet, together

_logger = logging.getLogger("tidegate.local")

REMOVAL_SECONDS: Final = 5.0  # an editor, git or a shell's > takes less from emptying a file to filling it
_NOTHING: Final = Contents({}, {})
_UNREAD: Final = (-1, -1, -1)  # the stamp of nothing


def text_of_stdin() -> str:
    """Of the stream that it is when this is called: it may have been closed when this module was loaded.

    By a reader of its own: a thread that waits in ``sys.stdin`` has it locked, and no process ends so.
    ValueError where it is no text.
    """
    try:
        number = sys.stdin.fileno()
    except OSError:  # it is no file
        return sys.stdin.read()
    try:
        with open(number, encoding=sys.stdin.encoding, closefd=False) as stream:
            return stream.read()
    except UnicodeDecodeError as error:
        raise ValueError(f"stdin: byte {error.start + 1} is not {error.encoding} text") from None


@dataclass
class _File:
    seen: Stamp | None = None  # at the last look; None: it was not there
    since: float = 0.0  # when it was first seen so
    read: Stamp | None = None  # what was read last
    contents: Contents = _NOTHING  # the last good ones
    wanted: Contents | None = None  # what was read, is good by itself, and does not hold yet
    once: bool = False  # a pipe, say: it cannot be read again
    complaint: str = ""


@dataclass
class ManifestFiles:
    """``sources``: files, folders (their .yaml, .yml and .json files), or ``-``: stdin, which is read once.
    So is whatever else is no regular file.

    An editor may write a file in pieces, or put another one in its place: what a file says holds once it was
    the same at two looks, and ends services or Secrets once it was the same for ``removal_seconds``.
    """

    sources: Sequence[str | Path]
    machine: Machine
    defaults: Defaults = lambda document: document
    stdin: Callable[[], str] = text_of_stdin
    removal_seconds: float = REMOVAL_SECONDS
    all: ManifestSet = field(init=False)
    reading: str = field(default="", init=False)  # what the disk has been asked for; "": nothing now
    written_by_others: bool = field(default=False, init=False)  # it ends when somebody closes it
    _files: dict[str, _File] = field(default_factory=dict, init=False)
    _unread: dict[str, str] = field(default_factory=dict, init=False)  # complaints about folders
    _tried: object = field(default=None, init=False)  # what did not hold together the last time

    def __post_init__(self) -> None:
        self.all = ManifestSet(self.machine)

    def read(self) -> ManifestSet:
        """Everything, at the start: OSError, or ValueError that names file, document and field."""
        for source in map(str, self.sources):
            self.reading, self.written_by_others = _named(source), source == STDIN
            if source == STDIN:
                self._files[source] = _File(contents=self._parsed(source, self.stdin), once=True)
                continue
            for path in expanded(source):
                if path not in self._files:
                    self._files[path] = self._first(path)
        self.reading = ""
        self.all = together(self.machine, ((name, each.contents) for name, each in self._files.items()))
        return self.all

    def _first(self, path: str) -> _File:
        self.reading, self.written_by_others = path, False
        if not Path(path).exists():
            raise FileNotFoundError(2, "there is no such file or folder", path)
        stamp, once = stamp_of(path), not is_regular(path)
        self.written_by_others = once
        contents = self._parsed(path, partial(text_once if once else text_of, path))
        return _File(seen=stamp, read=stamp, contents=contents, once=once)

    def look(self, now: float) -> bool:
        """Whether anything has changed; what cannot be used is complained about once, and changes nothing.
        ``now``: seconds on any clock that never goes back. It may wait for the disk."""
        for path in self._paths():
            known = self._files.setdefault(path, _File())
            if not known.once:
                self._look_at(path, known, now)
        self.reading = ""
        wanted = {path: each.wanted for path, each in self._files.items() if each.wanted is not None}
        situation = [
            (path, each.read, path in wanted, now - each.since >= self.removal_seconds)
            for path, each in self._files.items()
        ]
        if not wanted or situation == self._tried:
            return False
        taken = self._accepted(wanted, now)
        self._tried = None if taken else situation
        return bool(taken)

    # -- one file

    def _look_at(self, path: str, known: _File, now: float) -> None:
        self.reading = path
        stamp = stamp_of(path)
        if stamp != known.seen:
            known.seen, known.since, known.read, known.wanted = stamp, now, _UNREAD, None
            return
        if stamp == known.read:
            return
        known.read = stamp
        try:
            wanted = self._again(path, known) if stamp is not None else _NOTHING
        except (OSError, ValueError) as error:
            self._complain(path, str(error))
            return
        if wanted == known.contents:
            known.complaint = ""
        else:
            known.wanted = wanted

    def _again(self, path: str, known: _File) -> Contents:
        found = self._parsed(path, partial(text_of, path))
        if found.blank and (known.contents.services or known.contents.secrets):
            raise ValueError("it is empty; remove the file, or write an empty List, to end its services")
        return found

    def _parsed(self, source: str, read: Callable[[], str]) -> Contents:
        text = read()
        self.reading = ""  # what is left to do may take its time, and is not the disk's
        try:
            return read_contents(text, self.defaults)
        except RecursionError:
            raise ValueError(f"{_named(source)}: it is nested too deeply") from None
        except ValueError as error:
            raise ValueError(f"{_named(source)}: {error}") from None

    def paths(self) -> list[Path]:
        """The files that were read."""
        return [Path(name) for name in self._files if name != STDIN]

    def _complain(self, path: str, said: str) -> None:
        known = self._files[path]
        if said != known.complaint:
            known.complaint = said
            named = said if path in said else f"{path}: {said}"
            _logger.error("%s; what it said before still holds", named)

    # -- all files

    def _accepted(self, wanted: Mapping[str, Contents], now: float) -> set[str]:
        """The files whose new contents hold together with all others; ``all`` is what holds then."""
        if not wanted:
            return set()
        contents = {path: wanted.get(path, each.contents) for path, each in self._files.items()}
        try:
            found = together(self.machine, contents.items())
        except (ValueError, RecursionError) as error:
            if len(wanted) == 1:  # another file may make room for it
                self._complain(next(iter(wanted)), str(error))
                return set()
            # each by itself, so that one of them spoils nothing
            return {path for path, each in wanted.items() if self._accepted({path: each}, now)}
        if hasty := self._hasty(wanted, found, now):
            return self._accepted({path: wanted[path] for path in wanted.keys() - hasty}, now)
        self.all = found
        for path, each in wanted.items():
            known = self._files[path]
            known.contents, known.wanted, known.complaint = each, None, ""
        return set(wanted)

    def _hasty(self, wanted: Mapping[str, Contents], found: ManifestSet, now: float) -> set[str]:
        """The files that would end something, and have not said so for long enough."""
        services, secrets = self.all.services.keys() - found.services, self.all.secrets.keys() - found.secrets
        ending = {
            path
            for path in wanted
            if services & self._files[path].contents.services.keys()
            or secrets & self._files[path].contents.secrets.keys()
        }
        return {path for path in ending if now - self._files[path].since < self.removal_seconds}

    def _paths(self) -> list[str]:
        """Every file that is or was there, once; the order is that of the sources."""
        found = [
            path for source in map(str, self.sources) if source != STDIN for path in self._within(source)
        ]
        return list(dict.fromkeys([*found, *self._files]))

    def _within(self, source: str) -> list[str]:
        """Nothing new where a folder cannot be read; what its files said holds."""
        self.reading = source
        try:
            found, said = list(expanded(source)), ""
        except OSError as error:
            found, said = [], str(error)
        if said and said != self._unread.get(source):
            _logger.error("%s; what is in it holds as it was", said)
        self._unread[source] = said
        return found


def _named(source: str) -> str:
    return "stdin" if source == STDIN else source
