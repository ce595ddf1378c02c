"""A runner that records command lines and answers from a table, instead of running anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.devcluster.commands import Finished, failure_of
from tidegate.devcluster.errors import ClusterError

OK = Finished(0, "", "")
Answer = Finished | Callable[[list[str]], Finished]


@dataclass
class Recorder:
    """`answers` maps the beginning of a command line to how it ends; what is not there succeeds silently."""

    answers: Mapping[str, Answer] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    stdins: list[str | None] = field(default_factory=list)
    envs: list[Mapping[str, str] | None] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        timeout: float = 60,
        check: bool = True,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Finished:
        words = [str(word) for word in argv]
        self.lines.append(" ".join(words))
        self.stdins.append(stdin)
        self.timeouts.append(timeout)
        self.envs.append(env)
        finished = self._answer(words)
        if check and finished.code != 0:
            raise ClusterError(failure_of(words, finished))
        return finished

    def _answer(self, words: list[str]) -> Finished:
        line = " ".join(words)
        for beginning, answer in self.answers.items():
            if line.startswith(beginning):
                return answer if isinstance(answer, Finished) else answer(words)
        return OK


def printed(text: str) -> Finished:
    """A success that printed something."""
    return Finished(0, text, "")
