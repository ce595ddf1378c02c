"""What the environment says about sleep, and what the worker makes of it before vLLM is imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tidegate_worker.arguments import Arguments, added
from tidegate_worker.preparation import prepare
from tidegate_worker.sleeping import Rhythm, check_rhythm, read_rhythm
from tidegate_worker.supervisor import supervise

AFTER, LEVEL, WAKE = "TIDEGATE_SLEEP_AFTER_SECONDS", "TIDEGATE_SLEEP_LEVEL", "TIDEGATE_WAKE_SECONDS"
DOZE = "--middleware=tidegate_worker.doze.Doze"
DRAIN = "--middleware=tidegate_worker.drain.Drain"


@pytest.mark.parametrize(
    ("environment", "rhythm"),
    [
        ({}, None),
        ({AFTER: ""}, None),
        ({LEVEL: "2"}, None),
        ({AFTER: "60"}, Rhythm(60, 1, 900)),
        ({AFTER: "0.5", LEVEL: "2", WAKE: "30"}, Rhythm(0.5, 2, 30)),
    ],
)
def test_an_engine_sleeps_only_where_it_is_said_after_how_long(
    environment: Mapping[str, str], rhythm: Rhythm | None
) -> None:
    assert read_rhythm(environment) == rhythm
    assert check_rhythm(environment) is None


@pytest.mark.parametrize(
    "environment",
    [
        {AFTER: "soon"},
        {AFTER: "0"},
        {AFTER: "-5"},
        {AFTER: "nan"},
        {AFTER: "9", LEVEL: "3"},
        {AFTER: "9", WAKE: "inf"},
    ],
)
def test_a_variable_that_cannot_be_obeyed_is_named_before_anything_is_imported(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text("{}")
    message = tmp_path / "message"
    told = {"TIDEGATE_TERMINATION_MESSAGE": str(message), **environment}
    assert supervise(["--model", str(tmp_path)], told) == 1
    wrong = list(environment)[-1]
    assert message.read_text().startswith(f"BadArgument: {wrong}={environment[wrong]} must be ")


def test_the_drain_stays_outermost_so_that_what_it_refuses_wakes_nobody() -> None:
    """Of several, vLLM makes the last one outermost."""
    awake = added(Arguments(()), None, compiler=True, drain_seconds=9)
    assert awake[-1] == DRAIN
    assert DOZE not in awake
    assert added(Arguments(()), None, compiler=True, drain_seconds=9, sleeps=True)[-2:] == [DOZE, DRAIN]


def test_the_worker_gets_the_middleware_and_the_folders_that_the_environment_asks_for(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), AFTER: "60", "TIDEGATE_COMPILE_CACHE": str(tmp_path / "cache")}
    own = {"TRITON_CACHE_DIR": "/mine"}
    environment |= own
    assert prepare(Arguments(("--model", "a/b")), environment)[-2:] == [DOZE, DRAIN]
    assert environment["VLLM_CACHE_ROOT"].startswith(str(tmp_path / "cache"))
    assert environment["TRITON_CACHE_DIR"] == "/mine"
    plain = {"HOME": str(tmp_path)}
    assert DOZE not in prepare(Arguments(("--model", "a/b")), plain)
    assert not {"VLLM_CACHE_ROOT", "TRITON_CACHE_DIR"} & set(plain)
