"""How a worker begins: what its process has, and how its start is told."""

from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path

from tests.component.local.node_harness import engine, machine, opened, script, shell, until
from tidegate.domain.service import ServiceKey
from tidegate.local.worker.worker_files import WorkerFiles

TELL = "import json, os, time; print(json.dumps(dict(os.environ)), flush=True); time.sleep(600)"
WAIT = "import time; time.sleep(600)"


def texts_below(folder: Path) -> dict[str, str]:
    return {str(file): file.read_text() for file in folder.rglob("*") if file.is_file()}


async def test_a_worker_is_ready_as_soon_as_its_engine_answers(tmp_path: Path) -> None:
    async with opened(tmp_path) as pods:
        name = pods.node.create(engine())
        assert [each["metadata"]["name"] for each in pods.all()] == [name]
        pid = await pods.until_ready()
        document = pods.all()[0]
        assert os.getsid(pid) == pid
        assert document["spec"]["nodeName"] == socket.gethostname()
        assert document["status"]["podIP"].startswith("127.84.")
        assert document["status"]["phase"] == "Running"
        assert name.startswith("chat-")


async def test_changes_are_told_at_each_step(tmp_path: Path) -> None:
    told: list[ServiceKey] = []
    async with opened(tmp_path, changed=told.append) as pods:
        pods.node.create(engine())
        assert len(told) == 1
        await pods.until_ready()
        assert len(told) == 3  # it is there, its process runs, it is ready
        pods.node.delete("default", pods.facts()[0].name)
        await until(lambda: not pods.all())
        assert pods.node.keys() == []


async def test_two_workers_have_the_same_port_and_addresses_of_their_own(tmp_path: Path) -> None:
    async with opened(tmp_path) as pods:
        pods.node.create(engine())
        pods.node.create(engine())
        await pods.until_ready(0)
        await pods.until_ready(1)
        first, second = pods.facts()
        assert first.host != second.host


async def test_a_worker_has_the_environment_of_its_supervisor_its_template_and_its_place(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, environment={"PATH": os.environ["PATH"], "OURS": "1", "BOTH": "1"}) as pods:
        name = pods.node.create(script(TELL, environment={"BOTH": "2", "AT": "{host}:{port}"}))
        found = json.loads(await pods.first_line(name))
        facts = pods.facts()[0]
        assert (found["OURS"], found["BOTH"]) == ("1", "2")
        assert found["AT"] == f"{facts.host}:{pods.port}"
        assert found["TIDEGATE_WORKER"] == f"{(tmp_path / 'identity').read_text().strip()}:{facts.uid}"
        assert found["CUDA_VISIBLE_DEVICES"] == ""
        assert found["TIDEGATE_ISOLATION_HOST"] == facts.host
        assert found["TIDEGATE_ISOLATION_PORT"] == str(pods.isolation_port)
        assert stat.S_ISDIR(os.stat(found["TMPDIR"]).st_mode)  # noqa: PTH116
        assert found["TMPDIR"] == str(WorkerFiles(tmp_path).temporary(facts.uid))
        assert found["TIDEGATE_TERMINATION_MESSAGE"].startswith(f"{tmp_path}/workers/")


async def test_secrets_of_the_environment_stand_in_no_file_and_no_document(tmp_path: Path) -> None:
    secret = "not-to-be-seen"  # noqa: S105  for this test alone
    async with opened(tmp_path, environment={**os.environ, "A": secret}) as pods:
        pods.node.create(script(WAIT + f"#{secret}", environment={"B": secret}))
        await until(pods.pid)
        await pods.node.written()  # what is written beside and renamed is gone under its first name
        written = texts_below(tmp_path)
        assert any(name.endswith(".json") for name in written)
        assert not [name for name, text in written.items() if secret in text]
        assert secret not in json.dumps(pods.all())


async def test_what_is_written_is_for_this_user_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with opened(state) as pods:
        pods.node.create(shell("echo hello; exec sleep 600"))
        await until(pods.pid)
        await until(lambda: any(file.stat().st_size for file in state.rglob("*.log")))
        await pods.node.written()
        for entry in [state, *state.rglob("*")]:
            assert not stat.S_IMODE(entry.stat().st_mode) & 0o077, entry


async def test_a_worker_has_the_usual_signals_no_input_and_none_of_our_files(tmp_path: Path) -> None:
    text = (
        "import os, signal, sys, time; "
        "print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, sys.stdin.read() == '', "
        "sorted(os.listdir('/proc/self/fd')), flush=True); time.sleep(600)"
    )
    with (tmp_path / "ours").open("w"):
        async with opened(tmp_path / "state") as pods:
            name = pods.node.create(script(text))
            # 3: the folder that it lists
            assert await pods.first_line(name) == "True True ['0', '1', '2', '3']"


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    async with opened(tmp_path) as pods:
        pods.node.create(engine(command=("no-such-program", "--port", "{port}")))
        cause = await until(lambda: pods.facts()[0].cause)
        assert cause.reason == "CommandNotFound"
        assert cause.message == "no-such-program is not there or not on PATH"


async def test_its_cores_are_its_own_before_its_program_begins(tmp_path: Path) -> None:
    core = max(os.sched_getaffinity(0))
    async with opened(tmp_path, machine=machine(frozenset({core}))) as pods:
        name = pods.node.create(
            script(
                "import os, time; print(os.sched_getaffinity(0), flush=True); time.sleep(600)", exclusive=True
            )
        )
        assert await pods.first_line(name) == f"{{{core}}}"
        annotations = pods.all()[0]["metadata"]["annotations"]
        assert (annotations["tidegate.io/cores"], annotations["tidegate.io/cores-by"]) == (
            str(core),
            "affinity",
        )
        assert pods.all()[0]["status"]["qosClass"] == "Burstable"
