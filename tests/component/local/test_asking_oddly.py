"""The commands that ask a running `tidegate up`: what is gone or missing, and streams that are closed."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.component.local.test_asking import SECONDS, Fake, Json, place, shown, until_written
from tests.component.local.waiting import until
from tests.unit.views import scenes
from tidegate.local.asking.control_socket import control_socket
from tidegate.local.state.state_folder import held


@dataclass
class Counting(Fake):
    """Knows how often it has told its services."""

    told: int = 0

    def services(self) -> Json:
        """See Answers."""
        self.told += 1
        return super().services()


async def test_followed_logs_begin_with_the_last_worker_of_a_service_that_sleeps(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept, second = tmp_path / "s" / "logs" / "team-a" / "qwen-aaaaa.log", tmp_path / "b"
    second.write_text("second\n")
    fake = Fake([shown(pods=())])
    async with place(tmp_path / "s", fake, capfd) as here:
        kept.parent.mkdir(parents=True)
        kept.write_text("gone\n")
        following = asyncio.create_task(here.tidegate("logs", "qwen", "-f"))
        seen = await until_written(capfd, "gone\n")
        fake.shown = [shown(pods=(scenes.worker("qwen-bbbbb", 5),), logs={"qwen-bbbbb": str(second)})]
        seen += await until_written(capfd, "second\n")
        fake.shown = []
        code, _, err = await following
    assert (code, seen) == (0, "gone\nsecond\n")
    assert "Traceback" not in err


async def test_a_named_worker_that_has_gone_is_followed_to_its_end(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "s" / "logs" / "team-a" / "qwen-aaaaa.log"
    async with place(tmp_path / "s", Fake([shown(pods=())]), capfd) as here:
        kept.parent.mkdir(parents=True)
        kept.write_text("gone\n")
        code, out, _ = await here.tidegate("logs", "qwen", "-f", "--worker", "qwen-aaaaa")
    assert (code, out) == (0, "gone\n")


async def test_get_shows_those_that_there_are_and_then_complains_about_the_others(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with place(tmp_path / "s", Fake([shown("qwen"), shown("phi")]), capfd) as here:
        table = await here.tidegate("get", "qwen", "missing", "gone", "--no-headers")
        listed = await here.tidegate("get", "qwen", "missing", "-o", "name")
        none = await here.tidegate("get", "missing", "-o", "json")
    assert (table[0], table[1].split()[0], table[1].count("\n")) == (1, "qwen", 1)
    assert [line.split()[3] for line in table[2].splitlines()] == ["missing", "gone"]
    assert listed[:2] == (1, "inferenceservice.tidegate.io/qwen\n")
    assert none[:2] == (1, "")
    assert none[2].count("\n") == 1


async def test_a_watch_outlives_what_it_watches_and_shows_nothing_else(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fake = Counting([shown("qwen"), shown("qwen", namespace="team-b")])
    async with place(tmp_path / "s", fake, capfd) as here:
        watching = asyncio.create_task(here.tidegate("get", "team-a/qwen", "-w", "-o", "name"))
        seen = await until_written(capfd, "qwen\n")
        fake.shown = [shown("other"), shown("qwen", namespace="team-b")]
        before = fake.told

        async def told_again() -> bool:
            return fake.told > before

        fake.heard.tell(True)
        await until(told_again, "what is left is told")
        fake.shown = [shown("other"), shown("qwen"), shown("qwen", namespace="team-b")]
        fake.heard.tell(True)
        seen += await until_written(capfd, "qwen\n")
        fake.heard.close()
        code, rest, err = await watching
    assert (code, seen + rest) == (0, "inferenceservice.tidegate.io/qwen\n" * 2)
    assert "has ended" in err


async def test_a_watch_of_what_is_not_there_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with place(tmp_path / "s", Fake([shown("qwen")]), capfd) as here:
        code, out, err = await here.tidegate("get", "qwen", "missing", "-w")
    assert (code, out) == (1, "")
    assert "no InferenceService missing" in err


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-", "<&- >&- 2>&-"])
async def test_closed_streams_are_no_error(tmp_path: Path, closed: str) -> None:
    state = tmp_path / "s"
    with held(state):
        async with control_socket(state, Fake([shown("qwen")])):
            process = await asyncio.create_subprocess_shell(
                f"{sys.executable} -m tidegate.cli get --state {state} {closed}",
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await asyncio.wait_for(process.communicate(), SECONDS)
    assert (process.returncode, err) == (0, b"")
    assert (b"qwen" in out) == (">&-" not in closed.split())


async def test_local_means_this_machine_also_where_gateways_are_to_be_asked(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    async with place(tmp_path / "s", Fake([shown("qwen")]), capfd) as here:
        code, out, err = await here.tidegate("explain", "qwen", "--local", "--ask-gateways")
    assert (code, err) == (0, "")
    assert "qwen in namespace team-a is running" in out
