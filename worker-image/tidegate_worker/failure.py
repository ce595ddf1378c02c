"""From what the engine printed, and how it ended, to one line that names the cause: pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .reasons import reason_of

LONGEST = 500
# "(EngineCore pid=77) ERROR 11-21 01:46:03 [core.py:1210] " in front of a line of a log
PREFIX = re.compile(r"^(\(\w+ pid=\d+\)\s*)?([A-Z]+ [\d-]+ [\d:]+ \[[^\]]+\]\s?)?")
EXCEPTION = re.compile(
    r"^(?:[A-Za-z_]\w*\.)*([A-Z]\w*(?:Error|Exception|Interrupt|NotFound|Exit))(?:: (.*))?$"
)
USAGE = re.compile(r"^\S+(?: \S+)?: error: (.+)$")
# Said by the server when its engine has ended: true, but the cause stands further up.
ECHO = re.compile(r"Engine core initialization failed|EngineCore encountered an issue|See root cause above")
PLAIN = {"Exception", "OSError", "RuntimeError", "ValueError"}  # types that say nothing more than the text
FIELD = re.compile(r"^  (?:Value error|Assertion failed), (.*)$")
SECRETS = (
    re.compile(r"hf_[A-Za-z0-9]{8,}"),
    re.compile(r"(?i)(?<=bearer )\S+"),
    re.compile(
        r"(?i)((?:token|secret|password|passwd|api[_-]?key|signature|credential)[\"']?\s*[=:]\s*[\"']?)[^\s\"'&]+"
    ),
    re.compile(r"(?<=://)[^/@\s]+(?=@)"),
)
SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|KEY|CREDENTIAL", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a worker does not run. ``reason`` is CamelCase, ``message`` one sentence for a person."""

    reason: str
    message: str

    @property
    def line(self) -> str:
        """The termination message: one line of at most 500 characters."""
        text = f"{self.reason}: {' '.join(self.message.split())}"
        return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def find_failure(lines: Iterable[str], code: int, environment: Mapping[str, str]) -> Failure:
    """The cause of an engine's end from the last lines that it printed and its exit code.

    A negative code is the signal that ended it. Tokens, passwords and values of variables whose
    name says that they are secret are blotted out.
    """
    message = last_sentence([PREFIX.sub("", line.rstrip(), count=1) for line in lines])
    if message is None:
        return _wordless(code)
    return Failure(reason_of(message), redact(message, environment))


def last_sentence(lines: list[str]) -> str | None:
    """The last error in the text; not one that only points to an earlier one."""
    found = [text for at, line in enumerate(lines) if (text := _sentence(lines, at, line))]
    return next((text for text in reversed(found) if not ECHO.search(text)), None)


def _sentence(lines: list[str], at: int, line: str) -> str | None:
    usage = USAGE.match(line)
    if usage:
        return usage.group(1)
    exception = EXCEPTION.match(line)
    if not exception:
        return None
    name, text = exception.group(1), exception.group(2) or ""
    if name == "ValidationError":
        return _invalid_field(text, lines[at + 1 : at + 4])
    return f"{name}: {text}" if text and name not in PLAIN else text or name


def _invalid_field(text: str, following: list[str]) -> str:
    """pydantic says how many errors, then the field, then what is wrong with it."""
    for line in following:
        value = FIELD.match(line)
        if value:
            return value.group(1).split(" [type=")[0]
    return f"{text}: {' '.join(following[:2])}".split(" [type=")[0]


def _wordless(code: int) -> Failure:
    how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return Failure("EngineFailed", f"The engine {how} without a message, as when a part of it is killed")


def redact(text: str, environment: Mapping[str, str]) -> str:
    """The text without secrets."""
    for name, value in environment.items():
        if SECRET_NAME.search(name) and len(value) >= 8:
            text = text.replace(value, "***")
    for secret in SECRETS:
        text = secret.sub(lambda match: f"{match.group(1)}***" if match.re.groups else "***", text)
    return text
