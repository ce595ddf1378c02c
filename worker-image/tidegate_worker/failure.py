"""From what the engine printed, and how it ended, to one line that names the cause: pure functions."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .engine_ends import killed, killed_part
from .reasons import READ_LOG
from .sentences import last_sentence

LONGEST = 500
SENTENCE_ENDS = (".", "!", "?", "…")
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
    """Why a worker does not run: one word in CamelCase, what is wrong, and what to do about it."""

    reason: str
    message: str
    advice: str = ""

    @property
    def line(self) -> str:
        """The termination message: one line of at most 500 characters, the advice always whole."""
        said = f"{self.reason}: {' '.join(self.message.split())}"
        if not self.advice:
            return _cut(said, LONGEST)
        said = _cut(said, LONGEST - len(self.advice) - 2)
        return f"{said}{'' if said.endswith(SENTENCE_ENDS) else '.'} {self.advice}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def find_failure(lines: Iterable[str], code: int, environment: Mapping[str, str]) -> Failure:
    """The cause of an engine's end from the last lines that it printed and its exit code.

    A negative code is the signal that ended it. Tokens, passwords and values of variables whose
    name says that they are secret are blotted out.
    """
    tail = list(lines)
    part = ("The engine", -code) if code < 0 else killed_part(tail)
    said = last_sentence(tail)
    if part and (said is None or part[1] != signal.SIGABRT):  # who aborts says why
        return Failure(*killed(*part))
    if said is None:
        return Failure(
            READ_LOG.reason, f"The engine ended with code {code} without a message", READ_LOG.advice
        )
    return Failure(said.meaning.reason, redact(said.text, environment), said.meaning.advice)


def redact(text: str, environment: Mapping[str, str]) -> str:
    """The text without secrets."""
    for name, value in environment.items():
        if SECRET_NAME.search(name) and len(value) >= 8:
            text = text.replace(value, "***")
    for secret in SECRETS:
        text = secret.sub(lambda match: f"{match.group(1)}***" if match.re.groups else "***", text)
    return text
