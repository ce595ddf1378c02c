"""What the prompts of two requests have in common, as one number: a hash of how they begin."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

# 1 KiB of JSON is about 250 tokens, 16 blocks of vLLM's prefix cache: where less is shared there is little
# to save, and where more is compared, turns of one conversation look alike only when they are longer.
PREFIX_BYTES = 1024
_NONE = msgspec.Raw()


class _Prompt(msgspec.Struct):
    """Where OpenAI's and Anthropic's APIs have the prompt, in the order in which the engine puts it."""

    system: msgspec.Raw = _NONE
    instructions: msgspec.Raw = _NONE
    messages: msgspec.Raw = _NONE
    prompt: msgspec.Raw = _NONE
    input: msgspec.Raw = _NONE


_decode = msgspec.json.Decoder(_Prompt).decode


def prompt_prefix(body: bytes) -> int:
    """64 bits of the first PREFIX_BYTES of the prompt, as the client wrote them; 0 where there is none.

    ``body`` is a JSON object. The number is the same in every process, so that several gateways send one
    prompt to one worker. A prompt that is shorter is hashed whole.
    """
    found = _decode(body)
    digest, left = blake2b(digest_size=8), PREFIX_BYTES
    for part in (found.system, found.instructions, found.messages, found.prompt, found.input):
        if part is not _NONE:
            beginning = memoryview(part)[:left]
            digest.update(beginning)
            left -= len(beginning)
    return int.from_bytes(digest.digest(), "big") or 1 if left < PREFIX_BYTES else 0
