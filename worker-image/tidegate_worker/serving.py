"""vLLM's server in this process, by its public functions, with the time of each part of the start."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import signal
import sys
import time
from importlib import import_module
from types import FrameType
from typing import Any

from .drain import ENDED_BY_US
from .engine_ends import EVENT
from .faststart import prepare_forks
from .reclaimable import prepare_memory
from .report import say
from .start_marks import StartMarks

PROBE_SECONDS = 0.02
ENTRY = "vllm.entrypoints.launchers.api_server.entry"  # of vLLM 0.32


class Stopwatch:
    """Seconds of each part since the one before; ``marks`` shows them to the first process."""

    def __init__(self, marks: StartMarks, **before: float) -> None:
        self._last = time.monotonic()
        self._marks = marks
        self.parts: dict[str, float] = {}
        for part, seconds in before.items():
            self._note(part, seconds)

    def mark(self, part: str) -> None:
        """Everything since the last mark was this part."""
        now = time.monotonic()
        self._note(part, now - self._last)
        self._last = now

    def _note(self, part: str, seconds: float) -> None:
        self.parts[part] = round(seconds, 3)
        self._marks.mark(part, seconds)


def serve(words: list[str], watch: Stopwatch) -> None:
    """Run vLLM's OpenAI server until it is told to stop. Whatever vLLM raises comes through."""
    for number in (signal.SIGUSR1, signal.SIGTERM):
        signal.signal(number, _stop_starting)  # until the drain and vLLM take them over
    gc.disable()  # imports make a million objects that stay, and hardly any garbage
    entry = import_entry()
    arguments = parse(words)
    watch.mark("imports")
    engine_arguments = configure(entry, arguments)
    watch.mark("config")
    say("memory", **prepare_memory())  # before a fork takes it over
    say("faststart", **prepare_forks())
    gc.freeze()
    gc.enable()
    import_module("uvloop").run(_serve(entry, engine_arguments, arguments, watch))


def import_entry() -> Any:
    """vLLM's own start of its server. RuntimeError where this vLLM is one that begins otherwise."""
    try:
        return import_module(ENTRY)
    except ModuleNotFoundError as error:
        if not error.name or error.name == "vllm" or not f"{ENTRY}.".startswith(f"{error.name}."):
            raise
        version = getattr(sys.modules.get("vllm"), "__version__", "of an unknown version")
        said = f"vLLM {version} is not supported by this worker, which starts 0.32.x"
        raise RuntimeError(f"{said}: it has no {error.name}") from None


def _stop_starting(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt("told to stop while starting")


def parse(words: list[str]) -> Any:
    """vLLM's own parser and its own checks; a bad option ends the process with its sentence.

    An abbreviated option is a bad one: --max-num-se would pass for --max-num-seqs, which is the operator's.
    """
    import_module("vllm.entrypoints.serve.utils.api_utils").cli_env_setup()
    cli_args = import_module("vllm.entrypoints.launchers.cli_args")
    flexible = import_module("vllm.utils.argparse_utils").FlexibleArgumentParser
    parser = flexible(prog="vllm", allow_abbrev=False)
    arguments = cli_args.make_arg_parser(parser).parse_args(words)
    import_module("vllm.logger").configure_logging_from_args(arguments)
    cli_args.validate_parsed_serve_args(arguments)
    return arguments


def configure(entry: Any, arguments: Any) -> Any:
    """vLLM's engine arguments, which from then on give the configuration that is made here, once."""
    engine_arguments = entry.AsyncEngineArgs.from_cli_args(arguments)
    import_module("vllm.entrypoints.launchers.cli_args").propagate_flash_late_interaction(
        arguments, engine_arguments
    )
    config = engine_arguments.create_engine_config(usage_context=entry.UsageContext.OPENAI_API_SERVER)
    engine_arguments.create_engine_config = lambda **_: config
    return engine_arguments


async def _serve(entry: Any, engine_arguments: Any, arguments: Any, watch: Stopwatch) -> None:
    """What vLLM's run_server does, with a mark after each step."""
    launcher = import_module("vllm.entrypoints.launchers.launcher")
    address, listener = launcher.setup_server(arguments, reuse_port=False)
    async with entry.build_async_engine_client_from_engine_args(engine_arguments) as engine:
        watch.mark("engine")
        processes = multiprocessing.active_children()
        announcing = asyncio.create_task(_announce(listener.getsockname(), watch))
        try:
            closing = await entry.build_and_serve(engine, address, listener, arguments)
        finally:
            announcing.cancel()
            _note_ends(processes)
    try:
        await closing
    finally:
        listener.close()


def _note_ends(processes: list[multiprocessing.process.BaseProcess]) -> None:
    """One JSON line for each of the engine's processes that has ended already, and not well."""
    for process in processes:
        if process.exitcode and not getattr(process, ENDED_BY_US, False):
            say(EVENT, process=process.name, code=process.exitcode)


async def _announce(address: Any, watch: Stopwatch) -> None:
    """Say that the server serves, once a connection to it is accepted."""
    where = address if isinstance(address, str) else address[:2]
    while True:
        try:
            _, writer = await (
                asyncio.open_unix_connection(where)
                if isinstance(where, str)
                else asyncio.open_connection(*where)
            )
        except (ConnectionRefusedError, FileNotFoundError):
            await asyncio.sleep(PROBE_SECONDS)
            continue
        writer.close()
        watch.mark("serving")
        port = None if isinstance(where, str) else where[1]
        say("serving", port=port, seconds=watch.parts, total=round(sum(watch.parts.values()), 3))
        return
