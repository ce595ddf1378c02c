"""The sentence in an engine's output that tells why it failed: pure functions over lines of text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .reasons import BROKEN_MODEL, CORRECT_ARGUMENTS, READ_LOG, Meaning, meaning_of

# "(EngineCore pid=77) ERROR 11-21 01:46:03 [core.py:1210] " in front of a line of a log
PREFIX = re.compile(r"^(\(\w+ pid=\d+\)\s*)?([A-Z]+ [\d-]+ [\d:]+ \[[^\]]+\]\s?)?")
EXCEPTION = re.compile(
    r"^(?:[A-Za-z_]\w*\.)*([A-Z]\w*(?:Error|Exception|Interrupt|NotFound|Exit))(?:: (.*))?$"
)
USAGE = re.compile(r"^\S+(?: \S+)?: error: (.+)$")
# Said by the server when its engine has ended: true, but the cause stands further up.
ECHO = re.compile(r"Engine core initialization failed|EngineCore encountered an issue|See root cause above")
PLAIN = {"Exception", "OSError", "RuntimeError", "ValueError", "KeyError"}  # say no more than the text
FIELD = re.compile(r"^  (?:Value error|Assertion failed), (.*)$")
# What vLLM lists at length behind a cause: every architecture, every parser, where to read on.
LISTS = re.compile(r"(?: for now\.)? (?:Supported architectures: |\(chose from \{ ).*$")
# What Python writes otherwise at each start, and so would be news at each: an address, the order of a set.
ADDRESS = re.compile(r" at 0x[0-9a-f]+(?=>)")
SET = re.compile(r"\{('[^']+'(?:, '[^']+')+)\}")
FRAME = re.compile(r'^\s*File "[^"]+", line \d+, in (\S+)$')
TRACEBACK = "Traceback (most recent call last):"
LOADERS = {"load_weights", "weight_loader", "default_weight_loader"}  # put weights into the model


@dataclass(frozen=True, slots=True)
class Sentence:
    """What was said, and what that means."""

    text: str
    meaning: Meaning


def last_sentence(lines: Iterable[str]) -> Sentence | None:
    """The last error in the lines of a log; not one that only points to an earlier one."""
    plain = [PREFIX.sub("", line.rstrip(), count=1) for line in lines]
    for at in reversed(range(len(plain))):
        found = _sentence(plain, at)
        if found and not ECHO.search(found.text):
            return found
    return None


def _sentence(lines: list[str], at: int) -> Sentence | None:
    usage = USAGE.match(lines[at])
    if usage:
        return Sentence(_steady(usage.group(1)), CORRECT_ARGUMENTS)
    exception = EXCEPTION.match(lines[at])
    if not exception:
        return None
    name, text = exception.group(1), exception.group(2) or ""
    if name == "ValidationError":  # of one of vLLM's configurations, which the arguments make
        return _judged(_invalid_field(text, lines[at + 1 : at + 4]), CORRECT_ARGUMENTS)
    if name == "KeyError":  # its text is a key as Python writes it
        text = text.strip("'\"")
    if text.endswith(":"):
        text = f"{text} {lines[at + 1].strip() if at + 1 < len(lines) else ''}"
    calls = _calls(lines[:at])
    if not text and calls:
        name, text = f"{name} in {calls[-1]}", _last_code(lines[:at])
    told = f"{name}: {text}" if text and name not in PLAIN else text or name
    return _judged(told, BROKEN_MODEL if LOADERS & set(calls) else READ_LOG)


def _last_code(lines: list[str]) -> str:
    """The line of code above an exception; Python may mark a part of it below."""
    return next((line.strip() for line in reversed(lines) if line.strip(" ~^")), "")


def _calls(lines: list[str]) -> list[str]:
    """The functions of the traceback at the end of the lines, the innermost last."""
    begin = next((at for at in reversed(range(len(lines))) if lines[at].strip() == TRACEBACK), len(lines))
    return [match[1] for line in lines[begin:] if (match := FRAME.match(line))]


def _judged(text: str, otherwise: Meaning) -> Sentence:
    return Sentence(_steady(LISTS.sub("", text)), meaning_of(text, otherwise))


def _steady(text: str) -> str:
    """The same words for the same error, whichever process says them."""
    return SET.sub(lambda found: f"{{{', '.join(sorted(found[1].split(', ')))}}}", ADDRESS.sub("", text))


def _invalid_field(text: str, following: list[str]) -> str:
    """pydantic says how many errors, then the field, then what is wrong with it."""
    for line in following:
        value = FIELD.match(line)
        if value:
            return value.group(1).split(" [type=")[0]
    return f"{text}: {' '.join(following[:2])}".split(" [type=")[0]
