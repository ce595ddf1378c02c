"""Whatever happens in whatever order: requests, crashes, changed files, restarts, and time."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.local.fake_pods import FakePod
from tests.unit.local.machine import Machine
from tests.unit.local.services import KEY, build, document
from tests.unit.virtual_time import VirtualTimeLoop
from tidegate.api.v1alpha1 import parse
from tidegate.local.worker.template import WorkerTemplate

CORES = 3
A_LONG_WHILE = 1500.0  # seconds: every pause, back-off, drain and extended idle timeout is over by then

SPECS = st.fixed_dictionaries(
    {
        "rollout": st.sampled_from(["Replace", "Surge"]),
        "engine": st.fixed_dictionaries({"args": st.sampled_from([[], ["--a"], ["--b"], ["--missing"]])}),
        "suspend": st.sampled_from([False, False, False, True]),
        "mode": st.sampled_from(["Managed", "Managed", "External"]),
        "workers": st.integers(1, 3),
        "least": st.sampled_from([0, 0, 1]),
    }
)


WELL = {
    "rollout": "Replace",
    "engine": {"args": []},
    "suspend": False,
    "mode": "Managed",
    "workers": 1,
    "least": 0,
}


def manifest(given: dict[str, Any]) -> dict[str, Any]:
    """A service; of ``workers`` and ``least`` are made what its mode knows."""
    metric = {"type": "RequestCount", "requestCount": {"perReplica": 2}}
    scaling = {"mode": given["mode"], "idleTimeoutSeconds": 10, "scaleDownDelaySeconds": 10, "metric": metric}
    more: dict[str, Any] = {}
    if given["mode"] == "External":
        more["replicas"] = given["workers"] - 1
    else:
        scaling |= {"maxReplicas": given["workers"], "minReplicas": given["least"]}
    kept = {name: given[name] for name in ("rollout", "engine", "suspend")}
    return document(scaling=scaling, **kept, **more)


class Failures(logging.Handler):
    """Passes that failed in a way that nobody foresaw."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or "a wake failed" in record.getMessage():
            self.found.append(self.format(record))


class Life(RuleBasedStateMachine):
    """One service on a machine of three cores."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = Failures()
        logging.getLogger("tidegate").addHandler(self.failures)
        self.folder = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self.wrong: list[str] = []
        self.spec: dict[str, Any] | None = None

    @initialize(spec=SPECS)
    def begins(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.machine = Machine(self.folder, manifest(spec), cores=CORES)
        self.machine.pods.on_create = self.checks_room
        self.machine.pods.on_delete = self.checks_nobody_waits
        self.do(self._begin())

    async def _begin(self) -> None:
        await self.machine.begin()
        await asyncio.sleep(1)

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        self.runner.run(work)

    # -- what happens

    @rule(count=st.integers(1, 5))
    def requests_come(self, count: int) -> None:
        async def come() -> None:
            for _ in range(count):
                self.machine.gateway.arrive()

        self.do(come())

    @rule()
    def requests_end(self) -> None:
        async def end() -> None:
            self.machine.gateway.finish()

        self.do(end())

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.3, 1.0, 5.0, 9.8, 10.0, 15.0, 60.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        self.do(asyncio.sleep(seconds))

    @rule(number=st.integers(0, 5))
    def a_worker_crashes(self, number: int) -> None:
        async def crash() -> None:
            names = sorted(self.machine.pods.pods)
            if names:
                self.machine.pods.crash(names[number % len(names)])

        self.do(crash())

    @rule(failing=st.booleans())
    def starts_fail(self, failing: bool) -> None:
        self.machine.pods.failing = failing

    @rule(spec=SPECS)
    def the_manifest_changes(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.machine.write(manifest(spec))
        self.do(asyncio.sleep(1.2))

    @rule()
    def the_manifest_is_broken(self) -> None:
        """It changes nothing until it is whole again."""
        self.machine.file.write_text("kind: [InferenceService", encoding="utf-8")
        self.do(asyncio.sleep(1.2))
        self.machine.write(*([manifest(self.spec)] if self.spec else []))
        self.do(asyncio.sleep(1.2))

    @precondition(lambda self: self.spec is not None)
    @rule()
    def the_manifest_goes(self) -> None:
        self.spec = None
        self.machine.write()
        self.do(asyncio.sleep(7))

    @rule(pause=st.sampled_from([0.0, 20.0]))
    def the_supervisor_is_replaced(self, pause: float) -> None:
        async def replace() -> None:
            await self.machine.end()
            await asyncio.sleep(pause)
            await self.machine.begin()
            await asyncio.sleep(0)

        self.do(replace())

    # -- what always holds

    def holds(self, fact: bool, text: str) -> None:
        """Noted, since an error within a pass would only be logged."""
        if not fact:
            self.wrong.append(text)

    def obeyed(self) -> dict[str, Any]:
        """The spec that the supervisor goes by; empty where the service is gone."""
        shown = self.machine.supervisor.shown()
        gone = not shown or "deletionTimestamp" in shown[0].service["metadata"]
        return {} if gone else dict(shown[0].service["spec"])

    def checks_room(self, _: WorkerTemplate) -> None:
        """Before each worker that begins."""
        spec = self.obeyed()
        most = spec["replicas"] if "replicas" in spec else spec["scaling"].get("maxReplicas", 1)
        there = len(self.machine.pods.pods)
        self.holds(there <= most, f"a worker begins where {there} are there and {most} are the most")

    def checks_nobody_waits(self, pod: FakePod) -> None:
        """Before each worker that ends: the last one stays while anybody waits or is served."""
        spec, service = self.obeyed(), self.machine.gateway.services.get(KEY)
        if not spec or spec.get("suspend") or "replicas" in spec or service is None:
            return  # somebody has said so
        if pod.state == "failed" or (spec["engine"]["args"] != ["--missing"] and self.outdated(pod)):
            return
        others = [each for each in self.machine.pods.alive() if each is not pod]
        if not others and not self.machine.pods.failing:
            self.holds(not service.depth, f"the last worker ends while {service.depth} wait or run")

    def outdated(self, pod: FakePod) -> bool:
        shown = self.machine.supervisor.shown()[0].service
        bare = {name: part for name, part in shown.items() if name != "status"}
        return build(parse(bare), {}).hash != pod.template

    @invariant()
    def nothing_was_wrong(self) -> None:
        assert not self.wrong, self.wrong
        assert not self.failures.found, self.failures.found[0]

    # -- where it comes to when nothing more happens

    def teardown(self) -> None:
        try:
            if hasattr(self, "machine"):
                self.do(asyncio.sleep(A_LONG_WHILE))
                self.comes_to_rest()
                self.serves_again()
                self.do(self.machine.end())
                self.nothing_was_wrong()
        finally:
            logging.getLogger("tidegate").removeHandler(self.failures)
            self.runner.close()
            shutil.rmtree(self.folder)

    def comes_to_rest(self) -> None:
        machine, alive = self.machine, self.machine.pods.alive()
        if self.spec is None:
            assert not machine.supervisor.shown()
            assert not machine.pods.pods
            assert not list(self.folder.glob("state/services/*/*.json"))
            return
        status = machine.status
        assert status == json.loads(next(self.folder.glob("state/services/*/*.json")).read_text())["status"]
        assert len(machine.pods.pods) == len(alive), "nobody is on his way out any more"
        assert (status["replicas"], status["readyReplicas"]) == (
            len(alive),
            sum(each.state == "ready" for each in alive),
        )
        if self.spec["engine"]["args"] == ["--missing"]:
            assert (status["phase"], machine.reason()) == ("Failed", "InvalidSpec")
        else:
            self.is_as_wanted(status)

    def is_as_wanted(self, status: Any) -> None:
        machine, alive, service = self.machine, self.machine.pods.alive(), self.machine.service
        assert self.spec is not None
        assert not any(self.outdated(each) for each in alive)
        assert len(alive) == status["scaling"]["desired"]
        if self.spec["suspend"]:
            assert (status["phase"], alive) == ("Suspended", [])
        elif self.spec["mode"] == "External":
            assert len(alive) == self.spec["workers"] - 1
        elif service.depth or self.spec["least"]:
            assert len(alive) >= 1
        else:
            assert not alive
        if alive and machine.pods.failing and not any(each.state == "ready" for each in alive):
            assert (status["phase"], machine.reason()) == ("Failed", "ModelNotFound")
        elif alive and not machine.pods.failing:
            assert status["phase"] == "Running"
            assert not service.waiting
        elif not alive and not self.spec["suspend"]:
            assert status["phase"] in ("Idle", "Failed")

    def serves_again(self) -> None:
        """Whatever was before: a request is served once nothing stands in its way."""
        machine = self.machine
        machine.pods.failing = False
        machine.write(manifest(WELL))
        self.do(asyncio.sleep(A_LONG_WHILE))
        self.requests_come(1)
        self.do(asyncio.sleep(20))
        assert machine.status["phase"] == "Running"
        assert (machine.service.waiting, machine.service.refusal) == (0, "")


TestLife = Life.TestCase
# Not shrunk: an example takes half a second, and a machine would look for a shorter one for minutes.
TestLife.settings = settings(max_examples=25, stateful_step_count=25, deadline=None, phases=[Phase.generate])
