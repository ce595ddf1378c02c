"""One service under one policy, from the first request of a trace to the end of the last."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tidegate.domain.scaling import Load
from tidegate.domain.service import ServiceConfig
from tidegate.simulation.engine import Engine
from tidegate.simulation.figures import Figures, figures
from tidegate.simulation.fleet import Fleet
from tidegate.simulation.gate import Gate
from tidegate.simulation.ledger import Ledger
from tidegate.simulation.loop import Loop
from tidegate.simulation.scene import Autoscaler, Scene

REPORTS_A_SECOND: Final = 10
"""At most; the gateway coalesces what changed in between."""
WATCH_SECONDS: Final = 0.05
"""From a write of the number until the operator's own watch shows it and it looks again."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is simulated: when requests arrive and how long each runs alone (seconds), the worker, the queue's
    limits, and how long a request may wait (``target``). Workers are paid for ``duration`` seconds."""

    arrivals: Sequence[tuple[float, float]]
    duration: float
    engine: Engine
    config: ServiceConfig
    target: float


def simulate(case: Case, autoscaler: Autoscaler, chance: random.Random) -> Figures:
    """What this policy makes of the case."""
    return Simulation(case, autoscaler, chance).run()


class Simulation:
    """Gateway, workers and autoscaler of one service around one clock that jumps."""

    def __init__(self, case: Case, autoscaler: Autoscaler, chance: random.Random) -> None:
        self.case, self.autoscaler = case, autoscaler
        self.loop = Loop()
        self.ledger = Ledger(case.target)
        self.fleet = Fleet(case.engine, self.loop, chance, case.duration, self._workers_changed)
        self.gate = Gate(case.config, self.loop, self.fleet, self.ledger, self._demand_changed)
        self.decisions = 0
        self._next = iter(case.arrivals)
        self._reported = Load()
        self._report_due = self._arrivals_over = False
        self._turn = 0

    def run(self) -> Figures:
        """Runs to the end."""
        self.fleet.prepare(self.autoscaler.initial)
        self.gate.take_workers()
        self._await_next()
        self._look()
        self.loop.at(self.case.duration, _nothing)
        self.loop.run(self._over)
        return figures(self.autoscaler.name, self.ledger, self.fleet, self.gate.cold_starts, self.decisions)

    def _over(self) -> bool:
        return self._arrivals_over and not self.gate.flow.depth and self.loop.now >= self.case.duration

    def _await_next(self) -> None:
        arrival = next(self._next, None)
        if arrival is None:
            self._arrivals_over = True
        else:
            work = arrival[1]
            self.loop.at(arrival[0], lambda: self._arrive(work))

    def _arrive(self, work: float) -> None:
        self.gate.arrive(work)
        if self.gate.flow.waiting and not self.fleet.replicas:
            self._ask(self.autoscaler.wake(self._scene()))
        self._await_next()

    def _demand_changed(self) -> None:
        if self.autoscaler.hears and not self._report_due:
            self._report_due = True
            tenth = int(self.loop.now * REPORTS_A_SECOND) + 1
            self.loop.at(tenth / REPORTS_A_SECOND, self._report)

    def _report(self) -> None:
        self._report_due = False
        self._reported = self.gate.load()
        self._look()

    def _workers_changed(self) -> None:
        self.gate.take_workers()
        if self.autoscaler.hears:
            self._look()

    def _look(self) -> None:
        """One decision, and when the next one is due."""
        self._turn = turn = self._turn + 1
        answer = self.autoscaler.look(self._scene())
        after = answer.after
        if self._ask(answer.replicas) and self.autoscaler.hears:
            after = WATCH_SECONDS
        if after is not None:
            self.loop.at(self.loop.now + after, lambda: self._look_again(turn))

    def _look_again(self, turn: int) -> None:
        if turn == self._turn:
            self._look()

    def _ask(self, replicas: int) -> bool:
        """True where that is another number than before."""
        if replicas == self.fleet.replicas:
            return False
        self.decisions += 1
        if self.fleet.ask(replicas, self.gate.flow.endpoints):
            self.gate.take_workers()
        return True

    def _scene(self) -> Scene:
        fleet, gate = self.fleet, self.gate
        return Scene(
            now=self.loop.now,
            replicas=fleet.replicas,
            ready=len(fleet.ready),
            starting=len(fleet.starting),
            newest_ready=fleet.newest_ready,
            newest_start=fleet.starting[-1].created if fleet.starting else None,
            oldest=fleet.oldest,
            start_seconds=fleet.last_cold_start,
            reported=self._reported,
            depth=gate.flow.depth,
            depth_seconds=gate.depth_seconds(),
        )


def _nothing() -> None:
    """The end of what is paid is an event, so that the clock reaches it."""
