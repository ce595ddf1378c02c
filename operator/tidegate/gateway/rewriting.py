"""What is changed in a request's body before a worker gets it: the limit of tokens, and the model's name."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import UNSET

from tidegate.domain.degradation import Degradation, lowered
from tidegate.domain.flow_ticket import Ticket
from tidegate.domain.service import ServiceConfig, ServiceKey
from tidegate.gateway.multipart import replaced, text_fields
from tidegate.gateway.peek import NOTHING, Peek
from tidegate.gateway.splice import appended, splice

if TYPE_CHECKING:
    from tidegate.gateway.exchange import Exchange
    from tidegate.gateway.service import Service

_log = logging.getLogger("tidegate.gateway")


@dataclass(frozen=True, slots=True)
class _Limits:
    """Where an endpoint of the engine reads its limit: the first of ``members`` that has one counts.
    ``usual`` is what it takes where the body has none; None: as many tokens as fit."""

    members: tuple[str, ...]
    usual: int | None = None


_GENERATING = {
    b"/v1/chat/completions": _Limits(("max_completion_tokens", "max_tokens")),
    b"/v1/completions": _Limits(("max_tokens",), usual=16),
    b"/v1/responses": _Limits(("max_output_tokens",)),
    b"/v1/messages": _Limits(("max_tokens",)),
}


def aliases(config: ServiceConfig) -> frozenset[str]:
    """The names of a service that its engine does not know: the resource's own, and those with
    its namespace."""
    key = config.key
    names = {key.name, str(key), *(f"{key.namespace}/{name}" for name in config.served_names)}
    return frozenset(names.difference(config.served_names))


def prepare(x: Exchange, service: Service, ticket: Ticket) -> None:
    """Makes the body what the worker shall get, once: what is sent again later is the same."""
    if x.prepared or x.peeked is NOTHING:
        return
    x.prepared = True
    config, edits = service.config, {}
    if x.peeked.model in service.aliases:
        edits["model"] = msgspec.json.encode(config.served_names[0])
    if config.degradation is not None and x.request.head.degrade and not x.request.head.multipart:
        edits.update(_degrade(x, service, config.degradation, ticket.depth))
    if edits:
        body = x.request.body()
        form = x.request.head.multipart
        x.replace_body(_renamed_form(x, body) if form else splice(body, edits) or appended(body, edits))


def _renamed_form(x: Exchange, body: bytes) -> bytes:
    fields = text_fields(x.request.head.content_type, body, frozenset({b"model"}))
    name = "" if x.service is None else x.service.config.served_names[0]
    return replaced(body, fields[b"model"], name.encode())


def _degrade(x: Exchange, service: Service, degradation: Degradation, depth: int) -> dict[str, bytes]:
    tier = degradation.tier(depth)
    limit = degradation.limit(tier)
    service.tiers.reached(tier, limit, depth)
    edits = {} if limit is None else limiting(x.target, x.peeked, limit)
    if edits:
        x.degraded = f"{tier}; max_tokens={limit}"
        service.meters.degraded(tier)
    return edits


def limiting(target: bytes, peeked: Peek, limit: int) -> dict[str, bytes]:
    """The members of a body that have to change so that its answer has ``limit`` tokens at most.

    Each limit over it is lowered, and a body without any gets one. ``min_tokens`` follows, since an engine
    refuses a request whose least is more than its most.
    """
    path = target.partition(b"?")[0]
    limits = _GENERATING.get(unquote_to_bytes(path) if b"%" in path else path)
    if limits is None:
        return {}
    given = {name: getattr(peeked, name) for name in limits.members}
    value = b"%d" % limit
    edits = {name: value for name, own in given.items() if own not in (None, UNSET) and lowered(own, limit)}
    if not any(own and own is not UNSET for own in given.values()):  # 0 says nothing where another may
        last = given[limits.members[-1]]
        usual = limits.usual if last is UNSET else last
        if lowered(usual, limit):
            edits[limits.members[-1]] = value
    if edits and peeked.min_tokens not in (None, UNSET) and lowered(peeked.min_tokens, limit):
        edits["min_tokens"] = value
    return edits


class TierWatch:
    """Says in the log when a service's tier changes: at once when it rises, within a second when it falls, so
    that a depth around a step is two lines a second and not one a request."""

    __slots__ = ("_key", "_said")

    def __init__(self, key: ServiceKey) -> None:
        self._key = key
        self._said = 0

    def reached(self, tier: int, limit: int | None, depth: int) -> None:
        """A request was admitted in ``tier``."""
        if tier > self._said:
            self._say(tier, limit, depth)

    def sweep(self, degradation: Degradation | None, depth: int) -> None:
        """Once a second: the depth may be less than it was."""
        tier = 0 if degradation is None or not self._said else degradation.tier(depth)
        if tier < self._said:
            self._say(tier, None if degradation is None else degradation.limit(tier), depth)

    def _say(self, tier: int, limit: int | None, depth: int) -> None:
        self._said = tier
        state = "active" if tier else "again, degradation has ended"
        text = "%s: Degradation tier %d %s (queue_depth=%d): max_tokens=%s"
        _log.warning(text, self._key, tier, state, depth, "as asked" if limit is None else limit)
