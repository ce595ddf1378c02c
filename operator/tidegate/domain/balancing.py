"""Which of a service's endpoints a request gets: plain functions over the endpoints and what runs on them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from tidegate.domain.flow_ticket import Endpoint

# An endpoint takes at most this many times its even share of what runs while another one is below that:
# with 4 endpoints and 15 requests, the arriving 16th included in 16, the share is 4 and the bound 5.
# Mirrokni et al. show that a smaller factor evens the load and a larger one keeps more prefixes at home.
LOAD_PERCENT: Final = 125
_MIX: Final = 0x9E3779B97F4A7C15  # 2^64 / the golden ratio, odd: spreads what differs in few bits
_MANY: Final = 1 << 30  # more requests than ever run on one endpoint
_WORD: Final = 0xFFFFFFFFFFFFFFFF


def least_in_flight(endpoints: Sequence[Endpoint], turn: int) -> Endpoint | None:
    """The endpoint with the fewest in flight that has a free slot, None where none has.

    Among equals the first from ``turn`` on (any whole number, taken modulo their count), round the end.
    """
    count = len(endpoints)
    best, least = None, _MANY
    for place in range(turn, turn + count):
        candidate = endpoints[place % count]
        load = candidate.in_flight
        if not load:
            return candidate
        if load < least and load < candidate.limit:
            best, least = candidate, load
    return best


def by_prefix(endpoints: Sequence[Endpoint], prefix: int) -> Endpoint | None:
    """The endpoint at which ``prefix`` (64 bits) is at home, or the next in its order that has room.

    Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam: Consistent Hashing with
    Bounded Loads, 2016): a request goes to the first endpoint in its order that runs less than
    LOAD_PERCENT of the even share. The order is rendezvous hashing's instead of a ring's: nothing is to
    be rebuilt when endpoints come and go, only the prefixes of the one that went move, and they move to
    all others evenly. Where everyone below the bound is full, the fewest in flight: nobody waits beside
    a free slot. Costs one multiplication for each endpoint with room.
    """
    running = 1  # the arriving one
    for endpoint in endpoints:
        running += endpoint.in_flight
    bound = running * LOAD_PERCENT / (100 * max(len(endpoints), 1))
    best, highest = None, -1
    for candidate in endpoints:
        load = candidate.in_flight
        if load < bound and load < candidate.limit:
            weight = (prefix ^ candidate.salt) * _MIX & _WORD
            if weight > highest:
                best, highest = candidate, weight
    return best or least_in_flight(endpoints, prefix)


def salt(uid: str) -> int:
    """64 bits that stand for a worker in every process and after every restart."""
    return int.from_bytes(blake2b(uid.encode(), digest_size=8).digest(), "big")
