"""Runs the election, and what only the leader does; keeps every write within the time of leading."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from tidegate.domain.lease import Decision, Election, LeaseTimes, Step
from tidegate.kube.errors import ConflictError, KubeError, NotLeaderError, UnreachableError
from tidegate.kube.lease import LeaseClient

_logger = logging.getLogger(__name__)

END_BUDGET = 2.0  # seconds that the leader's work has to end in; another one may begin 3 s after the deadline
END_LOOKS = 20  # in that time; one of them may last as long as the machine stands still
DRAIN_BUDGET = 1.0  # seconds for writes that are under way at SIGTERM

Act = Callable[[], Coroutine[Any, Any, None]]


def boot_clock() -> float:
    """Seconds that also count while the machine sleeps, where the system has such a clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


@dataclass(frozen=True, slots=True)
class LeadershipSettings:
    """``identity`` is this process's and nobody else's, ever."""

    identity: str
    times: LeaseTimes = field(default_factory=LeaseTimes)
    now: Callable[[], float] = boot_clock
    jitter: Callable[[float, float], float] = random.uniform


class Leadership:
    """One replica's part. ``run`` it once; ``check`` and ``writing`` are the fence around each write."""

    def __init__(self, lease: LeaseClient, settings: LeadershipSettings) -> None:
        self._lease = lease
        self._settings = settings
        self._election = Election(settings.identity, settings.times)
        self._acting: asyncio.Task[None] | None = None
        self._stirred = asyncio.Event()
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._doubt_until = 0.0  # until then a write that was never answered may still be carried out
        self._complaint = ""

    @property
    def leads(self) -> bool:
        """Whether this replica may act at this instant."""
        return self._election.leads(self._settings.now())

    @property
    def acts(self) -> bool:
        """Whether the leader's work runs here. While a renewal is late it does, and may not write."""
        return self._acting is not None

    def check(self) -> None:
        """NotLeaderError unless this replica may act at this instant."""
        if not self.leads:
            raise NotLeaderError("this replica does not lead: another one acts, or will in a moment")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around each write, so that the Lease is not released while one may still be carried out."""
        self.check()
        self._in_flight += 1
        self._idle.clear()
        try:
            yield
        except (UnreachableError, asyncio.CancelledError):
            self._doubt_until = self._settings.now() + self._settings.times.duration
            raise
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def run(self, act: Act) -> None:
        """Stand for election until cancelled; ``act`` runs while this replica leads, and is cancelled before
        another one can. At the end the Lease is released. What ``act`` raises is raised."""
        listener = asyncio.create_task(self._listen())
        try:
            while True:
                await self._go_on(self._election.decide(self._settings.now()), act)
        finally:
            listener.cancel()
            await self._resign()
            await asyncio.gather(listener, return_exceptions=True)

    async def _go_on(self, decision: Decision, act: Act) -> None:
        if self._acting and self._acting.done():
            self._acting.result()
            raise RuntimeError("what the leader does has ended by itself")
        if decision.step is Step.LOST:
            await self._lost()
        elif decision.step is Step.WAIT:
            await self._pause(decision.seconds)
        else:
            await self._ask(decision.step)
        if self.leads and self._acting is None:
            self._begin(act)

    def _begin(self, act: Act) -> None:
        _logger.info("this replica, %s, leads", self._settings.identity)
        self._acting = asyncio.create_task(act(), name="leader")
        self._acting.add_done_callback(lambda _: self._stirred.set())

    async def _lost(self) -> None:
        self._election = self._election.stepped_down()
        _logger.warning("this replica, %s, does not lead any more", self._settings.identity)
        await self._end_acting()

    async def _end_acting(self) -> None:
        """RuntimeError where the work does not end in END_BUDGET of this process's own time.

        While the machine stands still nothing can end. Afterwards no write begins: each asks the clock first.
        """
        task, self._acting = self._acting, None
        if task is None:
            return
        task.cancel()
        for _ in range(END_LOOKS):
            done, _ = await asyncio.wait([task], timeout=END_BUDGET / END_LOOKS)
            if done:
                return
        raise RuntimeError(f"what the leader does has not ended within {END_BUDGET:g} s")

    async def _pause(self, seconds: float) -> None:
        self._stirred.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._stirred.wait()
        except TimeoutError:
            return

    async def _ask(self, step: Step) -> None:
        sent_at = self._settings.now()
        try:
            async with asyncio.timeout(self._election.budget(sent_at)):
                self._election = await self._asked(step, sent_at)
        except ConflictError:
            self._failed(0.0)  # somebody else's write: read it at once
        except (KubeError, TimeoutError) as error:
            self._complain(f"the Lease cannot be {'read' if step is Step.READ else 'written'}: {error}")
            self._failed(0.5 * self._settings.jitter(0.5, 1.0))
        else:
            self._complaint = ""

    async def _asked(self, step: Step, sent_at: float) -> Election:
        now, record = self._settings.now, self._election.record
        if step is Step.READ:
            found = await self._lease.read()
            return self._election.was_read(found, now())
        if step is Step.RENEW:
            written = await self._lease.renew(record)
        else:
            identity, duration = self._settings.identity, self._settings.times.duration
            written = await self._lease.acquire(record, identity, duration, self._election.transitions)
        return self._election.was_written(written, sent_at, now())

    def _failed(self, pause: float) -> None:
        self._election = self._election.failed(self._settings.now(), pause)

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            _logger.warning("%s", complaint)
            self._complaint = complaint

    async def _listen(self) -> None:
        """A release is noticed by a watch at once; the looks every two seconds are there for its failures."""
        while True:
            try:
                async with aclosing(self._lease.releases(self._election.record)) as releases:
                    async for _ in releases:
                        self._election = self._election.stirred()
                        self._stirred.set()
            except KubeError as error:
                _logger.debug("the Lease cannot be watched: %s", error)
            await asyncio.sleep(self._settings.times.retry * self._settings.jitter(0.5, 1.0))

    async def _resign(self) -> None:
        """No new write begins; those under way are awaited; then others are told, unless one is in doubt."""
        led, self._election = self.leads, self._election.stepped_down()
        try:
            async with asyncio.timeout(DRAIN_BUDGET):
                await self._idle.wait()
        except TimeoutError:
            _logger.warning("%d writes are under way and not answered", self._in_flight)
        await self._end_acting()
        if led and self._settings.now() >= self._doubt_until:
            await self._release()
        elif led:
            _logger.warning("a write was not answered: the Lease runs out by itself")

    async def _release(self) -> None:
        try:
            async with asyncio.timeout(self._settings.times.call):
                record = await self._lease.read()
                if record and record.holder == self._settings.identity:
                    await self._lease.release(record)
        except (KubeError, TimeoutError) as error:
            _logger.warning("the Lease cannot be released and runs out by itself: %s", error)
        else:
            _logger.info("the Lease is released")
