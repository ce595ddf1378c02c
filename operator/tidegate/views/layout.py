"""An explanation as text of a fixed width, and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from typing import Any, Final

from tidegate.domain.timestamps import to_timestamp
from tidegate.views.topic import Expected, Explanation, Topic

WIDTH: Final = 100  # columns
_INDENT: Final = 12  # of the sentences; titles stand before it


def as_text(explanation: Explanation) -> str:
    """Lines of at most WIDTH columns, without colours, each sentence on a line of its own."""
    head = textwrap.fill(explanation.headline, WIDTH)
    return "\n".join([head, "", *(line for topic in explanation.topics for line in _lines(topic)), ""])


def _lines(topic: Topic) -> Iterable[str]:
    for number, sentence in enumerate(topic.sentences):
        title = topic.title if number == 0 else ""
        yield textwrap.fill(
            sentence,
            WIDTH,
            initial_indent=f"{title:<{_INDENT}}",
            subsequent_indent=" " * _INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )


def as_json(explanation: Explanation) -> str:
    """The same for programs: times are RFC 3339, and the status is the service's own."""
    document: dict[str, Any] = {
        "name": explanation.name,
        "namespace": explanation.namespace,
        "summary": explanation.headline,
        "topics": [{"title": topic.title, "sentences": topic.sentences} for topic in explanation.topics],
        "expected": [_expected(each) for each in explanation.expected],
        "status": explanation.status,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _expected(each: Expected) -> dict[str, Any]:
    told = {
        "what": each.what,
        "workers": each.workers,
        "notBefore": None if each.not_before is None else to_timestamp(each.not_before),
        "atLatest": None if each.at_latest is None else to_timestamp(each.at_latest),
    }
    return {name: value for name, value in told.items() if value is not None}
