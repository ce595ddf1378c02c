"""Who gets which cores, memory and devices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from tests.unit.local.templates import GIB, new, template
from tidegate.local.machine.core_choice import Topology, choose
from tidegate.local.machine.placing import Machine, Room, find_room, unshared
from tidegate.local.worker.pod_state import Placement, PodState, spec_of

TWO_CORES = Machine(frozenset({0, 1}), 8 * GIB)
EIGHT = Machine(frozenset(range(8)), 16 * GIB, ("0", "1"))


def room(machine: Machine, others: list[PodState], **changes: Any) -> Room | str:
    return find_room(spec_of(template(**changes)), machine, others)


def holder(given: tuple[int, ...], devices: tuple[str, ...] = (), **changes: Any) -> PodState:
    return new(**changes).placed(Placement(0.0, given, devices))


def test_exclusive_cores_are_given_to_one_worker_each() -> None:
    assert room(TWO_CORES, []) == Room((0,), ())
    assert room(TWO_CORES, [holder((0,))]) == Room((1,), ())


def test_says_what_is_missing_and_what_to_do_about_it() -> None:
    full = [holder((0,), memory=7 * GIB), holder((1,), memory=GIB)]
    said = room(TWO_CORES, full)
    assert said == (
        "it wants 1 core to itself, and of this machine's 2 too few are free: let another service sleep, "
        "lower resources.cpu, or set cpuIsolation: None; it wants 1024Mi of memory, and other workers hold "
        "too much of this machine's 8192Mi: let another service sleep, or lower resources.memory"
    )


def test_what_the_machine_has_not_at_all_no_other_service_need_sleep_for() -> None:
    assert room(TWO_CORES, [], cores=3) == (
        "it wants 3 cores to itself, and this machine has 2: lower resources.cpu, or set cpuIsolation: None"
    )
    assert room(TWO_CORES, [], memory=9 * GIB) == (
        "it wants 9216Mi of memory, and this machine has 8192Mi: lower resources.memory"
    )
    assert room(EIGHT, [], devices=3, device_resource="nvidia.com/gpu") == (
        "it wants 3 nvidia.com/gpu, and this machine has 2: lower resources.accelerator.count"
    )


def test_what_another_supervisor_has_is_free_again_one_day() -> None:
    spec = spec_of(template(cores=2))
    said = find_room(spec, replace(TWO_CORES, cores=frozenset({1})), [], whole=TWO_CORES)
    assert "of this machine's 2 too few are free: let another service sleep" in str(said)


def test_gives_each_device_to_one_worker() -> None:
    wants: dict[str, Any] = {"devices": 1, "device_resource": "nvidia.com/gpu"}
    assert room(EIGHT, [holder((0,), ("0",))], **wants) == Room((1,), ("1",))
    both = [holder((0,), ("0",)), holder((1,), ("1",))]
    assert room(EIGHT, both, **wants) == (
        "it wants 1 nvidia.com/gpu, and of this machine's 2 too few are free: let another service sleep"
    )


def test_knows_no_devices_of_other_makers() -> None:
    wants: dict[str, Any] = {"devices": 1, "device_resource": "amd.com/gpu"}
    assert room(EIGHT, [], **wants) == (
        "it wants 1 amd.com/gpu, and tidegate finds none here: take resources.accelerator out, or check the "
        "driver"
    )


def test_those_that_share_cores_are_as_many_as_like_and_have_none_of_their_own() -> None:
    sharers = [holder((), exclusive=False, cores=2) for _ in range(5)]
    assert room(TWO_CORES, sharers, exclusive=False, cores=2) == Room((), ())


def test_one_core_stays_with_those_that_share() -> None:
    sharer = holder((), exclusive=False)
    assert room(TWO_CORES, [sharer]) == Room((0,), ())
    assert "of this machine's 2 too few are free" in str(room(TWO_CORES, [sharer, holder((0,))]))
    assert room(TWO_CORES, [holder((0,)), holder((1,))], exclusive=False) == (
        "every core was given to a worker alone: let another service sleep"
    )


def test_whole_physical_cores_are_given_before_halves() -> None:
    pairs = Topology(physical={0: 0, 4: 0, 1: 1, 5: 1, 2: 2, 6: 2})
    free = frozenset({0, 1, 4, 5, 6})
    assert choose(free, 2, pairs) == (0, 4)
    assert choose(free, 3, pairs) == (0, 4, 6)
    assert choose(free, 1, pairs) == (6,)


def test_all_cores_are_of_one_numa_node_where_that_can_be() -> None:
    halves = Topology(nodes={core: core // 4 for core in range(8)})
    assert choose(frozenset(range(8)) - {0}, 3, halves) == (1, 2, 3)
    assert choose(frozenset(range(8)) - {0}, 4, halves) == (4, 5, 6, 7)
    assert choose(frozenset(range(8)) - {0}, 6, halves) == (1, 2, 4, 5, 6, 7)


class Allocation(RuleBasedStateMachine):
    """Workers come and go in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[PodState] = []
        self.count = 0

    workers: Bundle[PodState] = Bundle("workers")

    @rule(
        target=workers,
        cores=st.integers(1, 9),
        memory=st.integers(1, 17),
        devices=st.integers(0, 3),
        exclusive=st.booleans(),
    )
    def come(self, cores: int, memory: int, devices: int, exclusive: bool) -> PodState:
        self.count += 1
        wants: dict[str, Any] = {
            "memory": memory * GIB,
            "devices": devices,
            "device_resource": "nvidia.com/gpu",
        }
        state = new(uid=str(self.count), cores=cores, exclusive=exclusive, **wants)
        found = find_room(state.spec, EIGHT, self.held)
        if isinstance(found, str):
            assert found.startswith(("it wants ", "every core was given "))
            return state
        assert len(found.cores) == (cores if exclusive else 0)
        assert len(found.devices) == devices
        state = state.placed(Placement(0.0, found.cores, found.devices))
        self.held.append(state)
        return state

    @rule(state=consumes(workers))
    def go(self, state: PodState) -> None:
        self.held = [each for each in self.held if each.uid != state.uid]

    @invariant()
    def nothing_is_given_twice(self) -> None:
        given = [each.placement for each in self.held if each.placement]
        cores = [core for each in given for core in each.cores]
        devices = [device for each in given for device in each.devices]
        assert len(cores) == len(set(cores))
        assert set(cores) <= EIGHT.cores
        assert len(devices) == len(set(devices))
        assert sum(each.spec.memory for each in self.held) <= EIGHT.memory

    @invariant()
    def who_shares_always_has_a_core(self) -> None:
        given = [each.placement for each in self.held if each.placement]
        assert unshared(EIGHT, given) or all(each.spec.exclusive for each in self.held)

    @invariant()
    def an_empty_machine_has_room_for_whoever_fits(self) -> None:
        if not self.held:
            assert find_room(replace(spec_of(template()), cores=8, memory=16 * GIB), EIGHT, []) == Room(
                tuple(range(8)), ()
            )


TestAllocation = Allocation.TestCase
