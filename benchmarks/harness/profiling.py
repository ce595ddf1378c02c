"""Which functions of the gateway cost what under one of the benchmark's loads."""

from __future__ import annotations

import pstats
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from harness.load import Ground, ask, begin, held_requests, reading, told
from harness.plan import Plan
from harness.processes import timed
from harness.proxies import Proxy, tidegate
from harness.stream_scenarios import INTERVAL_MS, STREAMS

TOP = 40
SAMPLES_PER_SECOND = 500
_LINE = re.compile(r":\d+\)$")  # of a C function, which py-spy would tell line by line


def profile(ground: Ground, plan: Plan, name: str) -> str:
    """A table of functions by their own time.

    By py-spy's samples where it is on PATH, which also sees what is written in C; else by cProfile, which
    makes every call dearer and so overstates small functions.
    """
    return _sampled(ground, plan, name) if shutil.which("py-spy") else _counted(ground, plan, name)


def _sampled(ground: Ground, plan: Plan, name: str) -> str:
    file = ground.folder / "samples"
    rate, seconds = ("-r", str(SAMPLES_PER_SECOND)), ("-d", str(max(1, int(plan.seconds))))
    quiet = subprocess.DEVNULL
    with tidegate(ground) as proxy:
        command = ("py-spy", "record", "-n", "-t", "-F", "-f", "raw", "-o", str(file), "-p", str(proxy.pid))
        alone = LOADS[name](ground, proxy, plan.seconds)
        with subprocess.Popen([*command, *rate, *seconds], stdout=quiet, stderr=quiet) as sampler:
            LOADS[name](ground, proxy, plan.seconds + 1)
            sampler.wait()
    return _by_samples(file, *alone)


def _by_samples(file: Path, count: float, cpu: float) -> str:
    """The samples' shares of the CPU time that one request or chunk takes when nobody looks."""
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for line in file.read_text().splitlines():
        stack, _, number = line.rpartition(" ")
        thread, *lines = stack.split(";")
        frames = [_LINE.sub(")", frame) for frame in lines]
        if "MainThread" not in thread or not frames:
            continue  # the thread that writes the access log is mostly asleep
        own[frames[-1]] += int(number)
        total.update(dict.fromkeys(frames, int(number)))
    samples, each = own.total(), cpu / count * 1e6
    head = f"{each:.1f} µs CPU each; {samples} samples\n{'own µs':>8} {'all µs':>8}"
    table = (
        f"{n / samples * each:8.2f} {total[frame] / samples * each:8.2f}  {frame}"
        for frame, n in own.most_common(TOP)
    )
    return "\n".join([head, *table])


def _counted(ground: Ground, plan: Plan, name: str) -> str:
    file = ground.folder / "profile"
    launcher = ("-m", "cProfile", "-o", str(file), "-m", "tidegate.cli")
    with tidegate(ground, launcher=launcher, flags=("--drain-seconds", "1")) as proxy:
        count, _ = LOADS[name](ground, proxy, plan.seconds)
    return _by_calls(file, count)


def _by_calls(file: Path, count: float) -> str:
    stats = pstats.Stats(str(file)).stats  # type: ignore[attr-defined]
    rows = sorted(
        ((own, calls, all_, where) for where, (_, calls, own, all_, _) in stats.items()), reverse=True
    )
    head = f"{count:.0f} requests or chunks, under cProfile\n{'own µs':>8} {'all µs':>8} {'calls':>7}"
    lines = (
        f"{own / count * 1e6:8.2f} {all_ / count * 1e6:8.2f} {calls / count:7.2f}  {_named(where)}"
        for own, calls, all_, where in rows[:TOP]
    )
    return "\n".join([head, *lines])


def _named(where: tuple[str, int, str]) -> str:
    file, line, function = where
    return function if file == "~" else f"{'/'.join(Path(file).parts[-2:])}:{line} {function}"


def _requests(ground: Ground, proxy: Proxy, seconds: float) -> tuple[float, float]:
    with timed(proxy.pid) as used:
        count = ask(ground, proxy.requests, "requests", seconds).count
    return count, used.cpu or 0.0


def _refusals(ground: Ground, proxy: Proxy, seconds: float) -> tuple[float, float]:
    with held_requests(proxy.refusals, "full", 1), timed(proxy.pid) as used:
        count = ask(ground, proxy.refusals, "full", seconds).count
    return count, used.cpu or 0.0


def _streams(ground: Ground, proxy: Proxy, seconds: float) -> tuple[float, float]:
    clients = reading(ground, proxy.streams, STREAMS, INTERVAL_MS, seconds)
    with clients as reader, timed(proxy.pid) as used:
        begin(reader)
        count = told(reader)["chunks"]
    return count, used.cpu or 0.0


LOADS: dict[str, Callable[[Ground, Proxy, float], tuple[float, float]]] = {
    "requests": _requests,
    "streams": _streams,
    "refusals": _refusals,
}
PROFILED = tuple(LOADS)
