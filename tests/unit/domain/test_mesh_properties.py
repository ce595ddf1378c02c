"""Several gateways, one queue: under random arrivals, ends, deaths, restarts, drains, breaks and delays."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.domain.mesh_world import CONFIG, HERE, Node, Request, World
from tidegate.domain.flow_ticket import Stage


class MeshMachine(RuleBasedStateMachine):
    """Words on one connection keep their order, and nothing else does."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(3)

    @initialize(count=st.integers(1, 3))
    def gateways_start(self, count: int) -> None:
        for slot in range(count):
            self.world.start(slot)

    def _node(self, data: st.DataObject) -> Node:
        return data.draw(st.sampled_from(self.world.living))

    def _held(self, *stages: Stage) -> list[Request]:
        held = [r for node in self.world.living for r in node.requests if not r.ends]
        return [r for r in held if r.ticket.stage in stages]

    @precondition(lambda self: self.world.living)
    @rule(data=st.data(), whole=st.booleans(), count=st.integers(1, 4))
    def requests_arrive(self, data: st.DataObject, whole: bool, count: int) -> None:
        node = self._node(data)
        for _ in range(count):
            self.world.now += 0.001
            request = Request(node)
            node.requests.append(request)
            request.begin(whole=whole)

    @precondition(lambda self: self._held(Stage.READING, Stage.ASKED))
    @rule(data=st.data())
    def a_body_is_read(self, data: st.DataObject) -> None:
        pending = self._held(Stage.READING, Stage.ASKED)
        reading = [r for r in pending if r.ticket.stage is Stage.READING or not r.ticket.whole]
        if reading:
            request = data.draw(st.sampled_from(reading))
            request.obey(request.node.arbiter.body_read(request.ticket))

    @precondition(lambda self: self._held(Stage.ASKED, *HERE))
    @rule(data=st.data())
    def a_request_ends(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self._held(Stage.ASKED, *HERE))).finish()

    @precondition(lambda self: self._held(Stage.RUNNING))
    @rule(data=st.data())
    def a_worker_fails(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self._held(Stage.RUNNING))).give_back()

    @precondition(lambda self: self.world.queues())
    @rule(data=st.data(), count=st.integers(1, 6))
    def words_arrive(self, data: st.DataObject, count: int) -> None:
        queues = self.world.queues()
        queue = queues[data.draw(st.integers(0, len(queues) - 1))]
        for _ in range(min(count, len(queue))):
            queue.popleft()()

    @precondition(lambda self: self.world.living)
    @rule(data=st.data(), slot=st.integers(0, 2))
    def a_connection_is_tried(self, data: st.DataObject, slot: int) -> None:
        node = self._node(data)
        if slot != node.slot:
            node.connect(slot)

    @precondition(lambda self: any(not wire.broken for wire in self.world.wires))
    @rule(data=st.data())
    def a_connection_breaks(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from([wire for wire in self.world.wires if not wire.broken])).cut()

    @precondition(lambda self: None in self.world.nodes)
    @rule(data=st.data())
    def a_gateway_starts(self, data: st.DataObject) -> None:
        free = [slot for slot, node in enumerate(self.world.nodes) if node is None]
        self.world.start(data.draw(st.sampled_from(free)))

    @precondition(lambda self: self.world.living)
    @rule(data=st.data())
    def a_gateway_dies(self, data: st.DataObject) -> None:
        self.world.kill(self._node(data))

    @precondition(lambda self: self.world.living)
    @rule(data=st.data(), ready=st.booleans(), leaving=st.booleans())
    def a_gateway_gets_ready_or_drains(self, data: st.DataObject, ready: bool, leaving: bool) -> None:
        self._node(data).become(ready=ready, leaving=leaving)

    @rule()
    def everything_comes_to_rest(self) -> None:
        self.world.settle()
        self._views_agree_and_nobody_waits_in_vain()

    def _views_agree_and_nobody_waits_in_vain(self) -> None:
        living = self.world.living
        assert len({node.seat.arbiter for node in living}) <= 1
        assert not self._held(Stage.ASKED)
        for node in (node for node in living if node.seat.here):
            flow = node.home.flow
            assert node.seat.acts
            assert flow.depth == len(self._held(*HERE))
            assert flow.in_flight == len(self._held(Stage.RUNNING))
            assert flow.waiting == len(self._held(Stage.WAITING))
            free = [e for e in flow.endpoints if e.in_flight < CONFIG.max_concurrency]
            assert not (free and flow.waiting)

    @invariant()
    def the_limit_holds_over_all_gateways(self) -> None:
        assert len(self._held(*HERE)) <= CONFIG.max_depth

    @invariant()
    def no_worker_runs_more_than_it_may(self) -> None:
        running = Counter(r.ticket.endpoint and r.ticket.endpoint.key for r in self._held(Stage.RUNNING))
        assert all(count <= CONFIG.max_concurrency for count in running.values())
        assert None not in running

    @invariant()
    def no_request_is_lost_or_ends_twice(self) -> None:
        for node in self.world.living:
            for request in node.requests:
                assert len(request.ends) <= 1
                assert (request.ticket.stage in (Stage.ENDED, Stage.NEW)) == bool(request.ends)

    def teardown(self) -> None:
        """Whatever happened, at rest every slot is free again once every request has ended."""
        self.world.settle()
        self._views_agree_and_nobody_waits_in_vain()
        for request in self._held(Stage.ASKED, *HERE):
            request.finish()
        self.world.settle()
        assert all(node.home.flow.depth == 0 and not node.remote.tickets for node in self.world.living)


MeshMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestMesh = MeshMachine.TestCase
