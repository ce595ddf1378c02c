"""The commands that ask a running `tidegate up`, over a real control socket whose services are made up."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.views import scenes
from tidegate.cli import main
from tidegate.cli.listeners import Listeners
from tidegate.domain.scaling import Load
from tidegate.local.asking.control_socket import SOCKET, control_socket
from tidegate.local.asking.wire import written
from tidegate.local.state.state_folder import held
from tidegate.local.supervision.shown import Shown
from tidegate.views.event import Event

Json = dict[str, Any]
SECONDS = 60.0


@dataclass
class Fake:
    """Answers as a `tidegate up` does; its services can be changed."""

    shown: list[Shown]
    events: Mapping[str, list[Event]] = field(default_factory=dict)
    heard: Listeners[bool] = field(default_factory=Listeners)
    lines: Listeners[str] = field(default_factory=Listeners)
    stopped: list[bool] = field(default_factory=list)
    stop_asked: asyncio.Event = field(default_factory=asyncio.Event)

    def services(self) -> Json:
        """See Answers."""
        up = {"pid": 4711, "url": "http://127.0.0.1:8080"}
        return {"up": up, "now": scenes.NOW, "items": written(self.shown, self.events)}

    def changes(self) -> AsyncIterator[bool]:
        """See Answers."""
        return self.heard.heard()

    def stop(self, *, at_once: bool) -> AsyncIterator[str]:
        """See Answers."""
        self.stopped.append(at_once)
        self.stop_asked.set()
        return self.lines.heard()


def shown(name: str = "qwen", namespace: str = "team-a", **parts: Any) -> Shown:
    """The service of a scene: it runs, one worker is ready, nothing waits."""
    seen = scenes.running()
    service = json.loads(json.dumps(seen.service))
    service["metadata"] |= {"name": name, "namespace": namespace, "creationTimestamp": scenes.ago(300)}
    load = Load(waiting=0, in_flight=0, last_activity=scenes.NOW - 60)
    made = Shown(service, seen.deployment or {}, tuple(dict(pod) for pod in seen.pods or ()), load, {})
    return replace(made, **parts)


@dataclass
class Place:
    """A state folder whose `tidegate up` is a fake."""

    state: Path
    up: Fake
    capture: pytest.CaptureFixture[str]

    async def tidegate(self, *words: str) -> tuple[int, str, str]:
        """Exit code, output and complaints of a command."""
        async with asyncio.timeout(SECONDS):
            code = await asyncio.to_thread(main, [*words, "--state", str(self.state)])
        found = self.capture.readouterr()
        return code, found.out, found.err


@asynccontextmanager
async def place(state: Path, up: Fake, capture: pytest.CaptureFixture[str]) -> AsyncIterator[Place]:
    """One that answers inside this block."""
    with held(state):
        async with control_socket(state, up):
            yield Place(state, up, capture)
            up.lines.close()
            up.heard.close()


async def test_get_shows_the_columns_of_kubectl_below_each_other(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    services = [shown("qwen"), shown("another", namespace="team-a")]
    async with place(tmp_path / "s", Fake(services), capfd) as here:
        code, out, err = await here.tidegate("get")
    head, *rows = out.splitlines()
    assert (code, err) == (0, "")
    assert head.split() == ["NAME", "PHASE", "READY", "QUEUE", "MODEL", "REASON", "AGE"]
    assert [row.split()[0] for row in rows] == ["another", "qwen"]
    assert rows[1][head.index("PHASE") :].startswith("Running")
    assert rows[1].endswith("5m")


async def test_get_tells_namespaces_where_there_are_several_and_wide_columns_where_asked(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    services = [shown("qwen"), shown("qwen", namespace="team-b")]
    async with place(tmp_path / "s", Fake(services), capfd) as here:
        _, both, _ = await here.tidegate("get")
        _, one, _ = await here.tidegate("get", "-n", "team-b", "--no-headers")
        _, wide, _ = await here.tidegate("get", "-o", "wide")
    assert both.splitlines()[0].startswith("NAMESPACE   NAME")
    assert one.split()[0] == "qwen"
    assert wide.splitlines()[0].split()[-4:] == ["URL", "ISOLATION", "COST/H", "COLD"]


async def test_get_prints_the_whole_object_or_a_list_of_them(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fake = Fake([shown("qwen"), shown("phi")])
    async with place(tmp_path / "s", fake, capfd) as here:
        _, one, _ = await here.tidegate("get", "qwen", "-o", "json")
        _, all_, _ = await here.tidegate("get", "-o", "json")
        _, yamled, _ = await here.tidegate("get", "infsvc/qwen", "-o", "yaml")
        _, names, _ = await here.tidegate("get", "-o", "name")
    assert json.loads(one) == yaml.safe_load(yamled) == fake.shown[0].service
    listed = json.loads(all_)
    assert (listed["kind"], [each["metadata"]["name"] for each in listed["items"]]) == (
        "List",
        ["phi", "qwen"],
    )
    assert names.split() == [f"inferenceservice.tidegate.io/{name}" for name in ("phi", "qwen")]


async def test_get_watch_adds_a_row_for_what_changes_and_ends_with_the_up(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fake = Fake([shown("qwen"), shown("phi")])
    async with place(tmp_path / "s", fake, capfd) as here:
        watching = asyncio.create_task(here.tidegate("get", "--watch"))
        head = await until_written(capfd, "qwen")
        fake.shown[0].service["status"]["phase"] = "Stopping"
        fake.heard.tell(True)
        out = head + await until_written(capfd, "Stopping")
        fake.heard.close()
        code, rest, err = await watching
    assert (code, rest) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()] == [
        *(["NAME", "PHASE"], ["phi", "Running"], ["qwen", "Running"], ["qwen", "Stopping"])
    ]
    assert "has ended" in err


async def test_an_unknown_name_is_answered_with_those_that_there_are(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    services = [shown("qwen"), shown("phi"), shown("phi", namespace="team-b")]
    async with place(tmp_path / "s", Fake(services), capfd) as here:
        near = await here.tidegate("get", "qwem")
        elsewhere = await here.tidegate("describe", "qwen", "-n", "team-b")
        several = await here.tidegate("describe", "phi")
        named = await here.tidegate("get", "team-b/phi", "-o", "name")
    assert (near[0], near[2]) == (1, "tidegate: no InferenceService qwem runs here; did you mean qwen?\n")
    assert elsewhere[0] == 1
    assert "there is one in team-a" in elsewhere[2]
    assert several[0] == 1
    assert "-n team-a or -n team-b" in several[2]
    assert named[0] == 0


@pytest.mark.parametrize("words", [("get",), ("describe", "x"), ("logs", "x"), ("explain", "x", "--local")])
async def test_where_nothing_runs_each_command_says_what_to_do(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    code = await asyncio.to_thread(main, [*words, "--state", str(tmp_path / "none")])
    said = capfd.readouterr()
    assert (code, said.out) == (1, "")
    assert "no tidegate up runs" in said.err
    assert "`tidegate up -f FILE` starts one" in said.err
    assert said.err.count("\n") == 1


async def test_explain_knows_the_load_exactly_and_speaks_of_this_machine(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with place(tmp_path / "s", Fake([shown("qwen")]), capfd) as here:
        code, out, _ = await here.tidegate("explain", "qwen")
        _, told, _ = await here.tidegate("explain", "qwen", "-o", "json")
    assert code == 0
    assert out.startswith("qwen in namespace team-a is running: 1 worker is ready.")
    assert "Now no request waits or runs." in out
    assert "--ask-gateways" not in out
    sleep = next(each for each in json.loads(told)["expected"] if each["what"] == "Sleep")
    assert sleep["notBefore"] == sleep["atLatest"]  # when the last request ended is known


async def test_describe_shows_spec_status_conditions_workers_and_events(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    event = Event("Warning", "EngineFailed", "the engine ended", scenes.NOW - 300, scenes.NOW - 12, 3)
    one = shown("qwen")
    pod = one.pods[0]
    pod["metadata"]["annotations"] = {"tidegate.io/cores": "2-5", "tidegate.io/cores-by": "affinity"}
    name = pod["metadata"]["name"]
    one = replace(
        one, logs={name: "/s/logs/x.log"}, warnings=("spec.placement: has no effect",), manifest="f.yaml"
    )
    async with place(tmp_path / "s", Fake([one], {"team-a/qwen": [event]}), capfd) as here:
        code, out, _ = await here.tidegate("describe", "qwen")
    lines = [line.rstrip() for line in out.splitlines()]
    assert code == 0
    assert "Name:          qwen" in lines
    assert "Manifest:      f.yaml" in lines
    assert any(line.startswith("Queue:         0 waiting, 0 running of 128 (") for line in lines)
    assert "  spec.placement: has no effect" in lines
    assert any(line.split()[:3] == ["Ready", "True", "Ready"] for line in lines)
    assert f"  {name}" in lines
    assert "    Cores:     2-5 (by affinity: others of this machine may use them too)" in lines
    assert "    Log:       /s/logs/x.log" in lines
    assert any("12s (x3 over 5m)" in line and "EngineFailed" in line for line in lines)


async def test_logs_are_those_of_the_newest_worker_or_of_the_named_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    old, new = scenes.worker("qwen-aaaaa", 500, 400), scenes.worker("qwen-bbbbb", 100, 50)
    logs = {}
    for pod in ("qwen-aaaaa", "qwen-bbbbb"):
        logs[pod] = str(tmp_path / pod)
        (tmp_path / pod).write_text(f"one\n{pod}\n")
    (tmp_path / "qwen-bbbbb.previous").write_text("before\n")
    async with place(tmp_path / "s", Fake([shown(pods=(old, new), logs=logs)]), capfd) as here:
        newest = await here.tidegate("logs", "qwen", "--tail", "1")
        named = await here.tidegate("logs", "qwen", "--worker", "qwen-aaaaa")
        previous = await here.tidegate("logs", "qwen", "--previous")
        none = await here.tidegate("logs", "qwen", "--previous", "--worker", "qwen-aaaaa")
        wrong = await here.tidegate("logs", "qwen", "--worker", "qwen-ccccc")
    assert newest[1] == "qwen-bbbbb\n"
    assert named[1] == "one\nqwen-aaaaa\n"
    assert previous[1] == "before\n"
    assert (none[0], "has not been restarted" in none[2]) == (1, True)
    assert (wrong[0], "qwen-aaaaa, qwen-bbbbb" in wrong[2]) == (1, True)


async def test_the_log_of_the_last_worker_is_there_while_none_runs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "s" / "logs" / "team-a"
    async with place(tmp_path / "s", Fake([shown(pods=())]), capfd) as here:
        none = await here.tidegate("logs", "qwen")
        kept.mkdir(parents=True)
        (kept / "qwen-aaaaa.log").write_text("gone\n")
        (kept / "qwen-other-bbbbb.log").write_text("of another service\n")
        last = await here.tidegate("logs", "qwen")
    assert none[0] == 1
    assert "the next request starts one" in none[2]
    assert last[:2] == (0, "gone\n")
    assert "qwen-aaaaa was its last" in last[2]


async def test_followed_logs_go_on_with_the_next_worker_until_the_up_ends(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("first\n")
    second.write_text("second\n")
    fake = Fake([shown(pods=(scenes.worker("qwen-aaaaa", 500),), logs={"qwen-aaaaa": str(first)})])
    seen = ""
    async with place(tmp_path / "s", fake, capfd) as here:
        following = asyncio.create_task(here.tidegate("logs", "qwen", "--follow"))
        seen += await until_written(capfd, "first\n")
        fake.shown = [shown(pods=(scenes.worker("qwen-bbbbb", 5),), logs={"qwen-bbbbb": str(second)})]
        seen += await until_written(capfd, "second\n")
        fake.shown = []
        code, _, _ = await following
    assert (code, seen) == (0, "first\nsecond\n")


async def until_written(capture: pytest.CaptureFixture[str], wanted: str) -> str:
    """What is on stdout by the time that the wanted text is."""
    seen, deadline = "", time.monotonic() + SECONDS
    while wanted not in seen:
        assert time.monotonic() < deadline, seen
        await asyncio.sleep(0.05)
        seen += capture.readouterr().out
    return seen


async def test_down_says_what_it_waits_for_and_returns_when_the_folder_is_free(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fake, state, listens = Fake([]), tmp_path / "s", asyncio.Event()

    async def ends() -> None:
        with held(state):
            async with control_socket(state, fake):
                listens.set()
                await fake.stop_asked.wait()
                fake.lines.tell("ending: 1 request to finish")
                fake.lines.close()

    up = asyncio.create_task(ends())
    await listens.wait()
    here = Place(state, fake, capfd)
    code, out, err = await here.tidegate("down", "--now")
    await up
    assert (code, out, fake.stopped) == (0, "", [True])
    assert err.splitlines() == ["ending: 1 request to finish", "tidegate: down"]


async def test_a_state_folder_may_have_a_longer_path_than_a_socket(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    async with place(deep, Fake([shown()]), capfd) as here:
        assert (deep / SOCKET).stat().st_mode & 0o777 == 0o600
        code, _, _ = await here.tidegate("get")
    assert code == 0
    assert not (deep / SOCKET).exists()


async def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    fake, state = Fake([shown("qwen")]), tmp_path / "s"
    with held(state):
        async with control_socket(state, fake):
            script = f"{sys.executable} -m tidegate.cli get --watch --state {state} | head -1"
            process = await asyncio.create_subprocess_shell(
                script, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
            telling = asyncio.create_task(_tell_again(fake))
            out, err = await asyncio.wait_for(process.communicate(), SECONDS)
            telling.cancel()
            fake.heard.close()
    assert out.split()[0] == b"NAME"
    assert err == b""


async def _tell_again(fake: Fake) -> None:
    """Changes until whoever watches finds that nobody reads."""
    number = 0
    while True:
        number += 1
        fake.shown[0].service["status"]["phase"] = f"P{number}"
        fake.heard.tell(True)
        await asyncio.sleep(0.1)
