"""One worker from its creation to its end, with its events in any order."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.local.templates import new
from tidegate.domain.workers import worker_facts
from tidegate.local.worker.pod_document import pod_document
from tidegate.local.worker.pod_state import End, Placement, PodState, Process

SECONDS = st.floats(0.001, 2000, allow_nan=False)


class Lives(RuleBasedStateMachine):
    """What happens to a worker, as its life tells it; time never goes back."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.state = new(self.now)
        self.begun = 0

    def passes(self, seconds: float) -> float:
        self.now += seconds
        return self.now

    @initialize(sentence=st.sampled_from(["", "every core was given away"]))
    def made(self, sentence: str) -> None:
        if sentence:
            self.state = self.state.refused(sentence)

    @precondition(lambda self: not self.state.holds and not self.state.failed)
    @rule(seconds=SECONDS)
    def gets_room(self, seconds: float) -> None:
        self.state = self.state.placed(Placement(self.passes(seconds), (1,), (), "127.84.0.1"))

    @precondition(lambda self: self.state.holds and self.state.process is None)
    @rule(seconds=SECONDS)
    def begins(self, seconds: float) -> None:
        self.begun += 1
        self.state = self.state.begun(Process(self.begun, 1, "boot", self.passes(seconds)))

    @precondition(lambda self: self.state.process is not None)
    @rule(ready=st.booleans(), seconds=SECONDS)
    def answers(self, ready: bool, seconds: float) -> None:
        before = self.state
        self.state = before.answers(ready, self.passes(seconds))
        assert (self.state is before) == (before.ready == ready)

    @precondition(lambda self: self.state.process is not None)
    @rule(seconds=SECONDS, code=st.sampled_from([None, 0, 1, 137, 143]))
    def ends(self, seconds: float, code: int | None) -> None:
        assert self.state.process is not None
        self.state = self.state.ended(End(self.state.process.since, self.passes(seconds), code, "Error", ""))

    @rule(seconds=SECONDS)
    def is_deleted(self, seconds: float) -> None:
        before = self.state.gone_by
        self.state = self.state.deleted(self.passes(seconds))
        assert self.state.gone_by == (self.now + 30.0 if before is None else before)

    @precondition(lambda self: self.state.process is None and self.state.last_end is not None)
    @rule()
    def is_given_up(self) -> None:
        self.state = self.state.given_up()

    @invariant()
    def is_what_was_written_down(self) -> None:
        assert msgspec.json.decode(msgspec.json.encode(self.state), type=PodState) == self.state

    @invariant()
    def is_ready_only_while_its_process_runs(self) -> None:
        facts = worker_facts(pod_document(self.state, "laptop"), 900.0)
        assert facts.ready == (self.state.ready and self.state.gone_by is None)
        assert not facts.ready or self.state.process is not None
        assert facts.started == (self.state.process is not None)

    @invariant()
    def each_process_but_the_first_is_a_restart(self) -> None:
        assert self.state.restarts == max(0, self.begun - 1)

    @invariant()
    def fails_for_good_only_when_it_was_given_up(self) -> None:
        facts = worker_facts(pod_document(self.state, "laptop"), 900.0)
        assert facts.ended == self.state.failed
        assert not facts.rejected
        assert not self.state.failed or not self.state.holds

    @invariant()
    def something_is_wrong_with_one_that_backs_off(self) -> None:
        facts = worker_facts(pod_document(self.state, "laptop"), 900.0)
        if self.state.process is None and self.state.backoff.pause and not facts.terminating:
            assert facts.cause is not None
            assert facts.cause.failure


TestLives = Lives.TestCase
