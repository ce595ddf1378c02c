"""The files of workers in the state folder: records, logs, termination messages, temporary files."""

from __future__ import annotations

import logging
import os
import re
import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path

import msgspec

from tidegate.local.state.state_identity import identity
from tidegate.local.worker.pod_state import PodState
from tidegate.local.worker.short_paths import remove_short_name, short_name, shorten

_logger = logging.getLogger(__name__)

_GONE = ".gone"  # the end of a temporary folder's name whose worker was forgotten
LOGS_KEPT = 3  # of workers that are gone, for each service
MESSAGE_BYTES = 4096  # a kubelet's own limit of a termination message
TAIL_BYTES, TAIL_LINES = 2048, 80  # and of the log that stands in for one
LOGS = "*/*-?????.log"  # of workers, by the suffix of their names
_HEX = "[0-9a-f]"
_UID = f"{_HEX}{{8}}(-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
_SCRATCH = re.compile(f"{_HEX}{{8}}|{_UID}[.]gone")  # in use, or put aside to be removed
_RECORD = re.compile(f"{_UID}[.](json|message|new)")


def previous_log(log: Path) -> Path:
    """The output of the process before the one that writes to ``log``."""
    return log.with_name(f"{log.name}.previous")


def older_log(log: Path) -> Path:
    """What was cut off from ``log``, so that it does not grow for ever."""
    return log.with_name(f"{log.name}.1")


class WorkerFiles:
    """Below one folder, for this user alone."""

    def __init__(self, state: Path) -> None:
        self.state = state.absolute().resolve()
        self._records = self.state / "workers"
        self._logs = self.state / "logs"
        self._scratch = self.state / "tmp"

    def make(self) -> None:
        """The folders. OSError where they cannot be."""
        for folder in (self.state, self._records, self._logs, self._scratch):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @cached_property
    def identity(self) -> str:
        """Of this state folder and no other. OSError where it cannot be kept."""
        return identity(self.state)

    def mark(self, uid: str) -> str:
        """What the processes of a worker carry."""
        return f"{self.identity}:{uid}"

    def marked(self, mark: str) -> str:
        """The worker whose mark this is; empty where it is none of this folder's."""
        identity, _, uid = mark.partition(":")
        with suppress(ValueError):
            return uid if identity == self.identity and str(uuid.UUID(uid)) == uid else ""
        return ""

    def message(self, uid: str) -> Path:
        """Where a worker leaves one line about its end."""
        return self._records / f"{uid}.message"

    def scratch(self, uid: str) -> Path:
        """Its folder of temporary files."""
        return self._scratch / uid[:8]

    def temporary(self, uid: str) -> Path:
        """Its TMPDIR: that folder, by a name that is short enough for sockets in it."""
        return short_name(self.scratch(uid)) or self.scratch(uid)

    def log(self, state: PodState) -> Path:
        """Where its output goes."""
        return self._logs / state.spec.key.namespace / f"{state.name}.log"

    def remember(self, state: PodState) -> None:
        """Written beside and renamed: a reader finds the old record or the new one."""
        self._write(self._record(state.uid), msgspec.json.encode(state))

    def records(self) -> Iterator[tuple[str, PodState | None]]:
        """Each uid with what is known of it; None where the record cannot be read."""
        for file in sorted(self._records.glob("*.json")):
            try:
                yield file.stem, msgspec.json.decode(file.read_bytes(), type=PodState)
            except (OSError, msgspec.DecodeError):  # ValidationError is one
                yield file.stem, None

    def _record(self, uid: str) -> Path:
        return self._records / f"{uid}.json"

    def _write(self, file: Path, content: bytes) -> None:
        beside = file.with_suffix(".new")
        with open(beside, "wb", opener=_for_this_user) as opened:
            opened.write(content)
        beside.replace(file)

    def begin(self, state: PodState, runtime_folder: str = "") -> None:
        """Before a process starts: an empty message, a folder, and the log of the one before put aside.
        ``runtime_folder``: the user's XDG_RUNTIME_DIR, if there is one. OSError."""
        self._write(self.message(state.uid), b"")
        self.scratch(state.uid).mkdir(mode=0o700, exist_ok=True)
        if not state.spec.runtime:  # a container has a /tmp of its own
            shorten(self.scratch(state.uid), runtime_folder)
        log = self.log(state)
        log.parent.mkdir(mode=0o700, exist_ok=True)
        with suppress(FileNotFoundError):
            log.replace(previous_log(log))
        with suppress(FileNotFoundError):
            older_log(log).unlink()

    def last_words(self, state: PodState, *, failed: bool) -> str:
        """The termination message; of one that failed without any the end of its log, as a kubelet does."""
        with suppress(OSError):
            with self.message(state.uid).open("rb") as opened:
                said = opened.read(MESSAGE_BYTES).decode(errors="replace").strip()
            if said or not failed:
                return said
        return tail(self.log(state)) if failed else ""

    def forget(self, uid: str) -> None:
        """It is gone: nothing stays but its log, and its temporary folder until the next ``sweep``. What
        cannot be removed is told."""
        scratch = self.scratch(uid)
        remove_short_name(scratch)
        record, message = self._record(uid), self.message(uid)
        aside = partial(scratch.rename, scratch.with_name(f"{uid}{_GONE}"))
        for step in (aside, message.unlink, record.with_suffix(".new").unlink, record.unlink):
            try:
                step()
            except FileNotFoundError:
                continue
            except OSError as error:
                _logger.error("what a worker that is gone has left cannot be removed: %s", error)

    def sweep(self) -> None:
        """Removes the temporary folders of those that were forgotten; as long as a large one takes."""
        for folder in self._scratch.glob(f"*{_GONE}"):
            if _SCRATCH.fullmatch(folder.name):
                shutil.rmtree(folder, ignore_errors=True)

    def clear(self, known: Collection[str]) -> None:
        """Removes what is left of workers that nobody knows; a name that no worker's files have is somebody
        else's."""
        short = {uid[:8] for uid in known}
        for folder in self._scratch.iterdir():
            if _SCRATCH.fullmatch(folder.name) and folder.name not in short:
                _remove(folder)
        for file in self._records.iterdir():
            if _RECORD.fullmatch(file.name) and file.stem not in known:
                file.unlink(missing_ok=True)

    def trim_logs(self, live: Collection[Path], most_bytes: int) -> None:
        """Cuts off what has grown too long, and removes the logs of all but the last workers of a service."""
        for log in live:
            with suppress(OSError):
                if log.stat().st_size > most_bytes:
                    shutil.copyfile(log, older_log(log))
                    os.truncate(log, 0)
        for old in self._old_logs(live):
            for file in (old, previous_log(old), older_log(old)):
                file.unlink(missing_ok=True)

    def _old_logs(self, live: Collection[Path]) -> Iterator[Path]:
        services: dict[tuple[Path, str], list[Path]] = {}
        for log in self._logs.glob(LOGS):
            if log not in live:
                services.setdefault((log.parent, log.stem.rpartition("-")[0]), []).append(log)
        for logs in services.values():
            yield from sorted(logs, key=_changed, reverse=True)[LOGS_KEPT:]


def _remove(scratch: Path) -> None:
    remove_short_name(scratch)
    shutil.rmtree(scratch, ignore_errors=True)


def tail(log: Path) -> str:
    """The last lines of a file; empty where it cannot be read."""
    with suppress(OSError), log.open("rb") as opened:
        size = opened.seek(0, os.SEEK_END)
        opened.seek(max(0, size - TAIL_BYTES))
        lines = opened.read(TAIL_BYTES).decode(errors="replace").splitlines()
        whole = lines[1:] if size > TAIL_BYTES and len(lines) > 1 else lines
        return "\n".join(whole[-TAIL_LINES:]).strip()
    return ""


def _changed(file: Path) -> float:
    with suppress(OSError):
        return file.stat().st_mtime
    return 0.0


def _for_this_user(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
