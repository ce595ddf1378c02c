"""The base of every model, and the field types that carry their own schema."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, WithJsonSchema

from tidegate.domain.quantity import parse_quantity

Rule = Mapping[str, str]  # one entry of x-kubernetes-validations

# 1Ei; the API server itself cuts off at 8Ei, and an object would never be what was asked.
_MOST_BYTES = 1 << 60


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


class Model(BaseModel):
    """A frozen record whose fields are spelled in camelCase on the wire."""

    model_config = ConfigDict(frozen=True, strict=True, alias_generator=_camel, populate_by_name=True)


def with_rules(*rules: Rule, **extensions: Any) -> dict[str, Any]:
    """What a model or a field adds to its schema: CEL rules and other x-kubernetes extensions."""
    extra: dict[str, Any] = {
        f"x-kubernetes-{name.replace('_', '-')}": value for name, value in extensions.items()
    }
    return {"x-kubernetes-validations": [dict(rule) for rule in rules], **extra} if rules else extra


def rule(cel: str, message: str, field_path: str | None = None) -> Rule:
    """A CEL rule with the sentence that a refused user reads; ``message`` is plain text."""
    extra = {"fieldPath": field_path} if field_path else {}
    return {"rule": cel, "message": message, **extra}


def form(pattern: str, message: str) -> Rule:
    """The rule that a whole text has a form. Unlike a schema's ``pattern`` it says so in a sentence."""
    return rule(f"self.matches(r'{pattern}')", message)


def require(holds: bool, violated: Rule) -> None:
    """The same rule where there is no API server: ValueError with its sentence where it does not hold."""
    if not holds:
        raise ValueError(violated["message"])


def formed(pattern: str, violated: Rule) -> AfterValidator:
    """For a text: ValueError with the rule's sentence where it does not match ``pattern``."""

    def check(text: str) -> str:
        require(re.fullmatch(pattern, text) is not None, violated)
        return text

    return AfterValidator(check)


def each_once(key: str | None = None) -> AfterValidator:
    """For a list: ValueError where two items are equal, or have the same ``key``."""

    def check(items: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        seen: set[object] = set()
        for item in items or ():
            name = item if key is None else getattr(item, key)
            if name in seen:
                raise ValueError(f"{name!r} is there twice")
            seen.add(name)
        return items

    return AfterValidator(check)


def _whole_cores(value: int | str) -> int:
    if not str(value).isdigit() or not 1 <= int(value) <= 1024:
        raise ValueError("must be a whole number of cores from 1 to 1024; an exclusive core cannot be halved")
    return int(value)


def _size(value: int | str) -> int | str:
    if not 1 <= parse_quantity(value) <= _MOST_BYTES:
        raise ValueError("must be a size from one byte to 1Ei, such as 512Mi or 16Gi")
    return value


def _quantity_schema(cel: str, message: str) -> dict[str, Any]:
    return {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "x-kubernetes-int-or-string": True,
        "maxLength": 24,
        "x-kubernetes-validations": [rule(cel, message)],
    }


WholeCores = Annotated[
    int | str,
    AfterValidator(_whole_cores),
    WithJsonSchema(
        _quantity_schema(
            (
                "type(self) == int ? self >= 1 && self <= 1024 : self.matches('^[1-9][0-9]{0,3}$') && "
                "int(self) <= 1024"
            ),
            "must be a whole number of cores from 1 to 1024; an exclusive core cannot be halved",
        )
    ),
]

Size = Annotated[
    int | str,
    AfterValidator(_size),
    WithJsonSchema(
        _quantity_schema(
            (
                f"type(self) == int ? self >= 1 && self <= {_MOST_BYTES} : isQuantity(self) && "
                "quantity(self).compareTo(quantity('1')) >= 0 && "
                "quantity(self).compareTo(quantity('1Ei')) <= 0"
            ),
            "must be a size from one byte to 1Ei, such as 512Mi or 16Gi",
        )
    ),
]


def error_sentences(errors: Sequence[Mapping[str, Any]], prefix: str = "") -> str:
    """pydantic's errors as sentences that each start with the field's path."""
    told = [error for error in errors if not _follows(error, errors)]
    return "; ".join(f"{_path(error['loc'], prefix)}: {_reason(error)}" for error in told)


def _follows(error: Mapping[str, Any], errors: Sequence[Mapping[str, Any]]) -> bool:
    """A list is too short for pydantic where its items are wrong, and they are told already."""
    place = error["loc"]
    inside = any(other["loc"][: len(place)] == place for other in errors if other is not error)
    return bool(error["type"] == "too_short") and inside


def _path(location: Sequence[int | str], prefix: str) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location if part not in _UNIONS]
    return (prefix + "".join(parts)).lstrip(".")


_UNIONS = ("int", "str", "function-after[_whole_cores(), union[int,str]]")


def _reason(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "no such field"
    text = str(error["msg"]).removeprefix("Value error, ")
    whole = isinstance(
        error["input"], Mapping | list | tuple
    )  # an object: too much to read, and all that is in it
    return text if error["type"] == "missing" or whole else f"{text} (got {error['input']!r})"
