"""Coverage-guided fuzzing: ``run.py reading|answering|splicing|all SECONDS``; all: a process for each."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tidegate.gateway"]):
    from tests.fuzz import answering, reading, splicing

from tests.component.gateway.corpus.all_cases import CASES
from tests.component.gateway.corpus.case import LAST

# The tokens that a mutation may put in: without them it seldom gets past a header's name.
_WORDS = (
    b"GET / HTTP/1.1\\r\\n", b"PUT / HTTP/1.1\\r\\n", b"HTTP/1.0", b"HTTP/1.1 200 OK\\r\\n", b"Host: g\\r\\n",
    b"Content-Length: ", b"Transfer-Encoding: chunked\\r\\n", b"Connection: close\\r\\n", b"Connection: ",
    b"Upgrade: h2c\\r\\n", b"Expect: 100-continue\\r\\n", b"\\r\\n\\r\\n", b"\\r\\n", b"0\\r\\n\\r\\n",
    b"chunked", b"%00",
)  # fmt: skip

_TARGETS = {"reading": reading.check, "answering": answering.check, "splicing": splicing.check}


def _seeds(target: str) -> list[bytes]:
    if target == "answering":
        return list(answering.SEEDS)
    if target == "splicing":
        return list(splicing.SEEDS)
    return [data for case in CASES.values() for data in (case.data, case.data + case.data + LAST)]


def main(target: str, seconds: int) -> None:
    """Fuzzes until the time is over; the process ends with an input in the current folder at a crash."""
    check = _TARGETS[target]
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(_seeds(target)):
            (corpus / str(number)).write_bytes(seed)
        words = Path(folder) / "words"
        words.write_text("".join(f'"{_quoted(word)}"\n' for word in _WORDS))
        limits = ["-timeout=20", "-rss_limit_mb=2048", "-max_len=4096", "-print_final_stats=1"]
        arguments = [sys.argv[0], f"-max_total_time={seconds}", *limits, f"-dict={words}", str(corpus)]
        atheris.Setup(arguments, lambda data: _run(check, data))
        atheris.Fuzz()


def _run(check: object, data: bytes) -> None:
    if data and callable(check):
        check(data)


def _quoted(word: bytes) -> str:
    return word.decode().replace("\\r", "\\x0d").replace("\\n", "\\x0a")


def everything(seconds: str) -> int:
    """Fuzzes all targets at once; 0 where none of them has crashed."""
    command = [sys.executable, "-m", "tests.fuzz.run"]
    running = [subprocess.Popen([*command, target, seconds]) for target in _TARGETS]
    return max(abs(process.wait()) for process in running)


if __name__ == "__main__":
    if sys.argv[1] == "all":
        sys.exit(everything(sys.argv[2]))
    main(sys.argv[1], int(sys.argv[2]))
