"""What an engine says about tokens, read from the last bytes of its answer.

OpenAI's and Anthropic's answers carry a ``usage`` object near their end, a stream of events in one of its
last events. Nothing before it is parsed, and nothing is looked at before the answer has been passed on.

What the model wrote cannot pass for it. The last ``"usage":`` counts, and what follows it up to the end of
the JSON document must close exactly the objects around it: one for an answer or an event, two for the event
that ends a response. What a model wrote stands in a string, where each quote has a backslash before it,
or in an object within an array (choices, content, output), which has a bracket more to close.

Not seen: a ``usage`` of which the worker's last three writes have only a part, one that more than ``TAIL``
bytes follow, and one in a compressed answer.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec

TAIL: Final = 1024  # bytes from the end of an answer; usage and what vLLM writes after it have some 300
_KEY: Final = b'"usage":'
_BRACE: Final = ord("}")
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # 1 KiB has room for 1,000 "["

_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None


class _Details(msgspec.Struct, gc=False):
    cached_tokens: _Count = None


class Usage(msgspec.Struct, gc=False):
    """Tokens of one request; None where the engine did not tell. ``cached_tokens`` are among the prompt's.

    Chat, completions and embeddings use the first three fields; what responses and messages say in the
    words of the others is moved there.
    """

    prompt_tokens: _Count = None
    completion_tokens: _Count = None
    cached_tokens: _Count = None
    prompt_tokens_details: _Details | None = None
    input_tokens: _Count = None
    output_tokens: _Count = None
    input_tokens_details: _Details | None = None
    cache_read_input_tokens: _Count = None


class _Answer(msgspec.Struct, gc=False):
    usage: Usage | None = None


class _Ending(msgspec.Struct, gc=False):
    """The last event of a response: the response itself stands in it."""

    response: _Answer


_answer = msgspec.json.Decoder(_Answer).decode
_ending = msgspec.json.Decoder(_Ending).decode


def usage_of(tail: bytes) -> Usage | None:
    """The tokens that the last bytes of an answer tell; None where they tell nothing."""
    at = tail.rfind(_KEY)
    if at < 0:
        return None
    # An event or a chunk ends with its line, and engines write JSON without line ends.
    usage = _read(tail[at:] if tail[-1] == _BRACE else tail[at : tail.find(b"\n", at)])
    if usage is None:
        return None
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        _translate(usage)
        if usage.prompt_tokens is None and usage.completion_tokens is None:
            return None
    if usage.prompt_tokens_details is not None:
        usage.cached_tokens = usage.prompt_tokens_details.cached_tokens
    return usage


def _translate(usage: Usage) -> None:
    """From the words of responses and messages."""
    if usage.prompt_tokens is None:
        usage.prompt_tokens, usage.cached_tokens = usage.input_tokens, usage.cache_read_input_tokens
        if usage.input_tokens_details is not None:
            usage.cached_tokens = usage.input_tokens_details.cached_tokens
    if usage.completion_tokens is None:
        usage.completion_tokens = usage.output_tokens


def _read(rest: bytes) -> Usage | None:
    try:
        return _answer(b"{" + rest).usage
    except _UNREADABLE:
        pass
    try:
        return _ending(b'{"response":{' + rest).response.usage
    except _UNREADABLE:
        return None
