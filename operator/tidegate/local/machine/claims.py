"""Which cores and devices a supervisor has given away, told to every other one of the same user.

Each holds locks on single bytes of one file: byte N is core N. The kernel gives them back however a process
ends. They are of an open file (fcntl(2), F_OFD_SETLK), so that whoever only looks takes nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import stat
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from tidegate.local.machine.placing import Machine, Room
from tidegate.local.worker.pod_state import Placement

_logger = logging.getLogger(__name__)

_SHARING: Final = 1 << 32  # the byte that all hold together whose workers share cores
_DEVICES: Final = 1 << 33  # and where those of devices begin
_DEVICE_BYTES: Final = 6
_LAYOUT: Final = "hhqqi4x"  # struct flock with 64-bit offsets: type, whence, start, length, process


class Claims:
    """``opened``: the file; None: there is none, so nothing is known of others and nothing told to them."""

    def __init__(self, opened: int | None = None) -> None:
        self._opened = opened
        self._mine: set[int] = set()

    def rest(self, machine: Machine) -> Machine:
        """Without the cores and devices that another supervisor's workers have to themselves."""
        cores = frozenset(core for core in machine.cores if not self._taken(core))
        devices = tuple(each for each in machine.devices if not self._taken(_byte_of(each)))
        return replace(machine, cores=cores, devices=devices)

    def others_share(self) -> bool:
        """Whether another supervisor has workers that share what is nobody's."""
        return self._taken(_SHARING)

    def take(self, room: Room) -> bool:
        """All of it or nothing; False where another was faster."""
        new = [each for each in _bytes(room.cores, room.devices) if each not in self._mine]
        got = [each for each in new if self._lock(each)]
        if len(got) < len(new):
            self._release(got)
        return len(got) == len(new)

    def take_back(self, placement: Placement) -> bool:
        """What a predecessor gave to a worker that runs; False where another has some of it by now."""
        got = [self._lock(each) for each in _bytes(placement.cores, placement.devices)]
        return all(got)

    def keep(self, placements: Iterable[Placement]) -> None:
        """Only these are held from now on."""
        held = {byte for each in placements for byte in _bytes(each.cores, each.devices)}
        self._release(self._mine - held)
        if self._opened is not None:
            with suppress(OSError):
                os.utime(self._opened)  # what looks old in /tmp is removed on many machines

    def close(self) -> None:
        """Nothing is held any more."""
        if self._opened is not None:
            os.close(self._opened)
            self._opened = None
            self._mine.clear()

    def _taken(self, byte: int) -> bool:
        if self._opened is None:
            return False
        try:
            answer = fcntl.fcntl(self._opened, fcntl.F_OFD_GETLK, _request(fcntl.F_WRLCK, byte))
        except OSError:
            return False
        return bool(struct.unpack(_LAYOUT, answer)[0] != fcntl.F_UNLCK)

    def _lock(self, byte: int) -> bool:
        if self._opened is None:
            return True
        kind = fcntl.F_RDLCK if byte == _SHARING else fcntl.F_WRLCK
        try:
            fcntl.fcntl(self._opened, fcntl.F_OFD_SETLK, _request(kind, byte))
        except (BlockingIOError, PermissionError):
            return False
        except OSError as error:  # a worker without a lock is better than none
            _logger.warning("other supervisors cannot be told what workers have: %s", error)
            return True
        self._mine.add(byte)
        return True

    def _release(self, held: Iterable[int]) -> None:
        for byte in tuple(held):
            self._mine.discard(byte)
            if self._opened is not None:
                with suppress(OSError):
                    fcntl.fcntl(self._opened, fcntl.F_OFD_SETLK, _request(fcntl.F_UNLCK, byte))


def _bytes(cores: tuple[int, ...], devices: tuple[str, ...]) -> Iterator[int]:
    yield from cores or (_SHARING,)
    yield from map(_byte_of, devices)


def _byte_of(device: str) -> int:
    digest = hashlib.sha256(device.encode()).digest()
    return _DEVICES + int.from_bytes(digest[:_DEVICE_BYTES], "big")


def _request(kind: int, byte: int) -> bytes:
    return struct.pack(_LAYOUT, kind, os.SEEK_SET, byte, 1, 0)


def open_claims(environment: Mapping[str, str]) -> Claims:
    """The user's; ones that know of nobody, with a warning, where no folder can be used for them."""
    complaints = []
    for folder in claims_folders(environment, os.geteuid()):
        try:
            return Claims(_open(folder))
        except OSError as error:
            complaints.append(str(error))
    _logger.warning(
        "a second tidegate of this user could give the same cores and devices to its workers, since it "
        "cannot be told which are taken: %s",
        "; ".join(complaints),
    )
    return Claims()


def claims_folders(environment: Mapping[str, str], user: int) -> tuple[Path, ...]:
    """Where it is, the first that can be used.

    A service of root has no XDG_RUNTIME_DIR and a login of root has /run/user/0, which goes with it: both
    must find the same one, so that folder does not count.
    """
    last = Path(f"/tmp/tidegate-{user}")  # noqa: S108  made for this user alone, or refused
    told, usual = environment.get("XDG_RUNTIME_DIR", ""), Path(f"/run/user/{user}")
    if told.startswith("/") and (user or Path(told) != usual):
        return Path(told) / "tidegate", last
    if user == 0:
        return Path("/run/tidegate"), last
    return (usual / "tidegate", last) if usual.is_dir() else (last,)


def _open(folder: Path) -> int:
    """The file in it. OSError where the folder cannot be made, is a link, or is not this user's alone."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _check(folder, os.fstat(inside))
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        opened = os.open("claims", flags, 0o600, dir_fd=inside)
    finally:
        os.close(inside)
    try:
        fcntl.fcntl(opened, fcntl.F_OFD_GETLK, _request(fcntl.F_WRLCK, 0))  # not every file system can
        _check(folder / "claims", os.fstat(opened))
    except OSError:
        os.close(opened)
        raise
    return opened


def _check(path: Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise PermissionError(f"{path} is another user's")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(f"others may use {path}: remove it")
