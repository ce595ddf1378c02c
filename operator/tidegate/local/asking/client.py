"""Asks the ``tidegate up`` of a state folder. Standard library alone: a command must not wait for imports."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tidegate.domain.loose import Json, mapping, text
from tidegate.local.asking.wire import Telling, read
from tidegate.local.state.state_folder import holder

_SOCKET: Final = "control.sock"
_ANSWER_SECONDS: Final = 10.0
_START_SECONDS: Final = 10.0  # that one which just starts, or ends, is waited for
_AGAIN_SECONDS: Final = 0.05


class NobodyError(ValueError):
    """No ``tidegate up`` runs with this state folder."""


class SilentError(ValueError):
    """One runs and does not answer."""


class ControlClient:
    """One question at a time; each has a connection of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def services(self) -> Telling:
        """What runs now. NobodyError, SilentError."""
        with self._asked("GET", "/services", _ANSWER_SECONDS) as answer:
            return read(_json(answer.read()))

    def watch(self) -> Iterator[Telling]:
        """The same, now and whenever something changed, until the other side ends."""
        with self._asked("GET", "/watch", None) as answer:
            for line in answer:
                yield read(_json(line))

    def down(self, *, at_once: bool = False) -> Iterator[str]:
        """Ends it; what it says meanwhile, in lines, until it is gone."""
        with self._asked("POST", "/down?now" if at_once else "/down", None) as answer:
            try:
                for line in answer:
                    yield text(_json(line).get("line"))
            except (http.client.HTTPException, ConnectionError):
                return  # it was gone before the last line had come

    def _asked(self, method: str, path: str, seconds: float | None) -> http.client.HTTPResponse:
        """The begin of an answer, which has to come soon; ``seconds``: between what comes then, None: it may
        take its time."""
        connection = http.client.HTTPConnection("tidegate")
        connected = connection.sock = self._connected()
        try:
            connection.request(method, path, headers={"Connection": "close"})
            answer = connection.getresponse()
            connected.settimeout(seconds)
        except (http.client.HTTPException, OSError) as error:
            raise SilentError(self._silent(error)) from None
        if answer.status != http.client.OK:
            raise SilentError(f"the tidegate up that runs here does not know {path}: another version?")
        return answer

    def _connected(self) -> socket.socket:
        """One that holds the folder and does not listen yet is about to."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                return _connect(self._folder)
            except (FileNotFoundError, ConnectionRefusedError) as error:
                if holder(self._folder) is None:
                    raise NobodyError(self._nobody()) from None
                if time.monotonic() >= deadline:
                    raise SilentError(self._silent(error)) from None
            time.sleep(_AGAIN_SECONDS)

    def _nobody(self) -> str:
        return (
            f"no tidegate up runs with the state folder {self._folder}: `tidegate up -f FILE` starts one, or "
            "name its folder with --state"
        )

    def _silent(self, error: Exception) -> str:
        pid = holder(self._folder)
        who = f"process {pid}" if pid else "the process"
        why = "" if isinstance(error, TimeoutError) else f" ({error})"
        todo = "end it with kill -9, then run `tidegate down`"
        return f"the tidegate up of {self._folder}, {who}, does not answer{why}: {todo}"


def _connect(folder: Path) -> socket.socket:
    """By way of the folder's descriptor: a socket's path has 107 bytes at most, a folder's has not."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    connected = socket.socket(socket.AF_UNIX)
    connected.settimeout(_ANSWER_SECONDS)
    try:
        connected.connect(f"/proc/self/fd/{descriptor}/{_SOCKET}")
    except OSError:
        connected.close()
        raise
    finally:
        os.close(descriptor)
    return connected


def _json(line: bytes) -> Json:
    try:
        return mapping(json.loads(line))
    except ValueError:
        return {}
