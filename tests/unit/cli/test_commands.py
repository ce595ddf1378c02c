"""What a command loads, and how it is started."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tidegate.cli import main
from tidegate.cli.entry import COMMANDS

LOADED = """
import sys
from tidegate.cli import main
try:
    main({arguments!r})
except SystemExit:
    pass
import tidegate.cli.__main__
print(*sorted(sys.modules), file=sys.stderr)
"""


def loaded(*arguments: str) -> set[str]:
    """The modules that a fresh process holds after ``tidegate ARGUMENTS``."""
    code = LOADED.format(arguments=list(arguments))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_a_command_that_is_not_the_operator_loads_neither_kopf_nor_the_operator() -> None:
    modules = loaded("gateway", "--help")
    assert "tidegate.cli.gateway" in modules
    assert not {"kopf", "kubernetes", "tidegate.controller", "tidegate.gateway.server"} & modules


def test_a_table_of_what_runs_here_waits_for_no_library() -> None:
    modules = loaded("get", "--state", "/nowhere")
    assert "tidegate.cli.get" in modules
    slow = {"aiohttp", "asyncio", "httpx", "kopf", "kubernetes", "msgspec", "pydantic", "uvloop", "yaml"}
    assert not slow & modules


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_is_listed_has_its_own_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"tidegate {name}" in capsys.readouterr().out


def test_an_option_before_the_command_does_not_hide_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--log-level", "ERROR", "get", "--help"])
    assert ended.value.code == 0
    assert "--no-headers" in capsys.readouterr().out


@pytest.mark.parametrize(
    "start", [("-m", "tidegate.cli"), ("-c", "from tidegate.cli import main; raise SystemExit(main())")]
)
def test_the_module_and_the_entry_point_are_the_same_command(start: tuple[str, str]) -> None:
    done = subprocess.run([sys.executable, *start, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("tidegate ")
