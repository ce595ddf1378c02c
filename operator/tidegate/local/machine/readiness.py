"""Whether a worker answers: one small GET at a time, and when the next one is due."""

from __future__ import annotations

import asyncio

from tidegate.domain.probe_pace import ProbeResult, pause_after

TIMEOUT = 2.0  # seconds for one answer, as the probes of a pod have it
FIRST_PAUSE = 0.05  # seconds; the gateway asks by itself and more often, so this only has to be decent
READY_PAUSE = 2.0  # between two looks at one that is ready
MISSES = 3  # in a row before one that was ready is not


async def ask(host: str, port: int, path: str) -> ProbeResult:
    """What one GET meets."""
    request = f"GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(request.encode())
                status = await reader.readline()
            finally:
                writer.close()
    except ConnectionRefusedError:
        return ProbeResult.CLOSED
    except (OSError, ValueError):  # TimeoutError is an OSError; a line without an end is a ValueError
        return ProbeResult.OPEN
    return ProbeResult.ANSWERS if status.split(b" ")[1:2] == [b"200"] else ProbeResult.OPEN


class Readiness:
    """What the answers of one process add up to; pure, so that no clock is needed to try it."""

    def __init__(self, begun: float) -> None:
        self._begun = begun
        self._misses = 0
        self.ready = False

    def take(self, result: ProbeResult, now: float) -> float:
        """One answer more; seconds until the next question."""
        if result is ProbeResult.ANSWERS:
            self.ready, self._misses = True, 0
            return READY_PAUSE
        self._misses += 1
        if self._misses >= MISSES:
            self.ready = False
        return READY_PAUSE if self.ready else pause_after(result, now - self._begun, FIRST_PAUSE)
