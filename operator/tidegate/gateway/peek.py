"""Reads the few fields of a body that the gateway must know, without building the rest."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from tidegate.domain import api_errors as errors
from tidegate.gateway.request import Refusal


class Peek(msgspec.Struct):
    """Only ``model`` is judged here; whether the others make sense is the engine's to say."""

    model: str | None = None
    stream: Any = None
    max_tokens: Any = UNSET  # some endpoints have a default, so that null is another thing than nothing
    max_completion_tokens: Any = UNSET
    max_output_tokens: Any = UNSET
    min_tokens: Any = UNSET
    priority: Any = None


NOTHING = Peek()
_decode = msgspec.json.Decoder(Peek).decode


def peek(body: bytes) -> Peek:
    """The fields of a JSON body; Refusal (400) where it is not a JSON object or ``model`` is no string."""
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        raise Refusal(_wrong_field(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(errors.bad_body(f"the body is not valid JSON: {error}")) from None
    except RecursionError:
        raise Refusal(errors.bad_body("the body nests its arrays and objects too deeply")) from None


def _wrong_field(text: str) -> errors.ApiError:
    if "$.model" in text:
        return errors.bad_body("model: must be a string, the name of a model", param="model")
    if text.endswith("`") and " - at `$." in text:
        reason, _, name = text[:-1].partition(" - at `$.")
        return errors.bad_body(f"{name}: {reason[0].lower()}{reason[1:]}", param=name)
    return errors.bad_body("the body is not a JSON object: send {...} with model and messages or prompt")
