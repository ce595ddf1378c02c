"""The cold starts of one service: the one under way, the latest one, and the records for the operator."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tidegate.domain.coldstart import STAGES, ColdStart
from tidegate.domain.service import Worker
from tidegate.domain.start_parts import parts_of
from tidegate.domain.start_record import StartRecord, record_line
from tidegate.domain.worker_state import furthest_stage
from tidegate.gateway.metrics import Meters

RECORDS = 8  # that an operator which was away for a while still hears of
TOLD_SECONDS = 30.0  # after its end a record stands in each line; whoever connects later gets it then


class ColdStarts:
    """One for each service. The gateway that asks for a wake watches it to its end; no other one counts it.

    It ends with the first byte that a client gets, or when a worker is ready and nobody is there any more.
    """

    def __init__(self, time: Callable[[], float], unix_time: Callable[[], float], meters: Meters) -> None:
        self.latest: ColdStart | None = None
        self.under_way: ColdStart | None = None
        self.ready_seconds: float | None = None  # that the latest one took until a worker was ready
        self._time = time
        self._unix_time = unix_time
        self._meters = meters
        self._records: deque[StartRecord] = deque(maxlen=RECORDS)
        self._told_until = 0.0

    def begin(self) -> None:
        """A wake is about to be asked for; asked for again while nobody came, it is the same one."""
        if self.under_way is None or self.under_way.loaded_seconds is not None:
            self.latest = self.under_way = ColdStart(self._time())

    def saw(self, workers: tuple[Worker, ...]) -> None:
        """The workers as the substrate has them now."""
        if self.under_way is None:
            return
        stage = furthest_stage(workers)
        if stage in STAGES:
            self.under_way.reached(stage, self._time())

    def ready(self, worker: Worker | None) -> None:
        """A worker takes requests."""
        start = self.under_way
        if start is None or start.loaded_seconds is not None:
            return
        start.reached("loaded", self._time())
        start.worker = (worker.name or worker.uid) if worker else ""
        self.ready_seconds = start.loaded_seconds

    def first_byte(self) -> bool:
        """A byte of an answer was passed to a client; whether that ended a cold start."""
        start = self.under_way
        if start is None or start.loaded_seconds is None:
            return False  # the answer is of a worker that was there before
        start.reached("first_byte", self._time())
        return self._settle(start)

    def sweep(self, *, deserted: bool, coming: bool) -> bool:
        """Once in a while; whether a cold start has ended. ``deserted``: nobody waits and nothing runs.
        ``coming``: a worker is there or on its way."""
        start = self.under_way
        if start is None or not deserted:
            return False
        if start.loaded_seconds is not None:
            return self._settle(start)
        if not coming:  # given up: the next wake is a start of its own
            self.under_way = None
            return True
        return False

    def _settle(self, start: ColdStart) -> bool:
        start.settled, self.under_way = True, None
        now = self._time()
        since_ready = now - start.woken - start.points["loaded"]
        record = StartRecord(start.worker, self._unix_time() - since_ready, tuple(start.points.items()))
        self._records.append(record)
        self._told_until = now + TOLD_SECONDS
        self._meters.cold_start(parts_of(start.points))
        return True

    def lines(self, *, everything: bool) -> dict[str, object]:
        """What a line of demand has of them; ``everything``: for somebody who has heard nothing yet."""
        told: dict[str, object] = {"starting": True} if self.under_way is not None else {}
        if self._records and (everything or self._time() < self._told_until):
            records = list(self._records) if everything else [self._records[-1]]
            told["coldStarts"] = [record_line(record) for record in records]
        return told
