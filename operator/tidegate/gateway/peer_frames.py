"""The frames between gateways: bytes on a standing connection, little-endian, each with its length first.

::

    length (2)  kind (1)  [service (4)  [ticket (4)  …]]     a request: ask 29, go 24, done 11 bytes

Services and endpoints are named once on each connection and are small numbers from then on.
"""

from __future__ import annotations

import struct
from math import isfinite
from typing import Final

import msgspec

from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow_ticket import EndpointKey, Stage
from tidegate.domain.outcome import Outcome
from tidegate.domain.shared_flow import Held

VERSION: Final = 1  # of all of this; a gateway of another version is refused, and the log says so
LONGEST: Final = 0xFFFF
_REASON: Final = 2000  # bytes of a reason at most
_LONGEST_ID: Final = 64
# Services, or endpoints, that one side of a connection may name. After the last one the connection is made
# anew, and both sides have forgotten those that are gone: some 20 MB, whatever comes and goes over the years.
NAMES: Final = 65536

HEAD: Final = struct.Struct("<HB")
(
    HELLO,
    STATE,
    PING,
    SERVICE,
    ENDPOINT,
    JOIN,
    REPORT,
    REPORTED,
    LEAVE,
    ASK,
    GROW,
    BODY_READ,
    GIVE_BACK,
    DONE,
    FOUND,
    JOINED,
    UNKNOWN,
    GO,
    ADMITTED,
    END,
) = range(20)
KINDS: Final = 20

S_STATE: Final = struct.Struct("<HBB")  # flags
S_SERVICE: Final = struct.Struct("<HBI")  # and its name: SERVICE; REPORTED, LEAVE, UNKNOWN
S_EPOCH: Final = struct.Struct("<HBII")  # service, epoch: JOIN, JOINED
S_TICKET: Final = struct.Struct("<HBII")  # service, ticket: GIVE_BACK, DONE; END and its error
S_ASK: Final = struct.Struct("<HBIIQBbQ")  # bytes, state of its body, priority, prefix
S_GROW: Final = struct.Struct("<HBIIQ")  # bytes
S_BODY_READ: Final = struct.Struct("<HBIIbQ")  # priority, prefix
S_REPORT: Final = struct.Struct(
    "<HBIIBBQddbQI"
)  # stage, state of its body, bytes, warm, cold, priority, prefix, endpoint
S_FOUND: Final = struct.Struct("<HBIIBf")  # service, endpoint, finding, age
S_GO: Final = struct.Struct("<HBIIIIf?")  # endpoint, depth, cold wait, on trial
S_ADMITTED: Final = struct.Struct("<HBIII")  # depth

READY, LEAVING, ENDS = 1, 2, 4  # flags of STATE
_WHOLE, _QUIET = 1, 2  # flags of a body's state; quiet: no worker is started for its request's sake
_STAGES: Final = (Stage.ASKED, Stage.READING, Stage.WAITING, Stage.RUNNING)
NO_ENDPOINT: Final = 0xFFFFFFFF


def body_state(*, whole: bool, wakes: bool) -> int:
    """How far a body is and what its request may do, as a number. A gateway of before takes any but 0 for
    whole, so one that is not whole is not quiet either."""
    return 0 if not whole else _WHOLE if wakes else _WHOLE | _QUIET


def may_wake(state: int) -> bool:
    """Whether a worker may be started for the sake of a request with this body's state."""
    return not state & _QUIET


class FrameError(ValueError):
    """What came is not a frame of this version; the message says what."""


class Hello(msgspec.Struct, frozen=True, array_like=True):
    """The first frame of each side: who it is, and (from the one that connects) where it can be reached."""

    version: int
    id: str
    port: int


def with_payload(kind: int, payload: bytes) -> bytes:
    """A frame of ``kind`` with bytes behind its head."""
    return HEAD.pack(HEAD.size + len(payload), kind) + payload


def hello(own: str, port: int) -> bytes:
    """The frame HELLO."""
    return with_payload(HELLO, msgspec.msgpack.encode(Hello(VERSION, own, port)))


def read_hello(payload: bytes) -> Hello:
    """The other side's; FrameError where it does not speak this version."""
    try:
        found = msgspec.msgpack.decode(payload, type=Hello)
    except msgspec.MsgspecError as error:
        raise FrameError(f"not a gateway's hello: {error}") from None
    if found.version != VERSION:
        raise FrameError(f"it speaks version {found.version}, this gateway {VERSION}: upgrade the older one")
    if not 0 < len(found.id) <= _LONGEST_ID:
        raise FrameError(f"an id of {len(found.id)} characters is no gateway's")
    return found


def service(number: int, name: str) -> bytes:
    """The frame SERVICE: from now on ``number`` means ``name``."""
    data = name.encode()
    return S_SERVICE.pack(S_SERVICE.size + len(data), SERVICE, number) + data


def endpoint(number: int, key: EndpointKey) -> bytes:
    """The frame ENDPOINT: from now on ``number`` means ``key``."""
    data = msgspec.msgpack.encode((key.uid, key.incarnation, key.host, key.port))
    return S_SERVICE.pack(S_SERVICE.size + len(data), ENDPOINT, number) + data


def read_endpoint(data: bytes, at: int, size: int) -> tuple[int, EndpointKey]:
    """An ENDPOINT's number and its key; FrameError where too many are named."""
    number = S_SERVICE.unpack_from(data, at)[2]
    if number >= NAMES:
        raise FrameError(f"endpoint {number} is one too many")
    payload = data[at + S_SERVICE.size : at + size]
    return number, EndpointKey(*msgspec.msgpack.decode(payload, type=tuple[str, int, str, int]))


def end(number: int, ticket: int, error: ApiError) -> bytes:
    """The frame END: everything of which the other gateway makes the same answer."""
    reason = None if error.reason is None else error.reason[:_REASON]
    fields = (
        *(error.status, error.type, error.code, error.message[:_REASON], error.outcome.value),
        *(error.param, reason, error.retry_after),
    )
    data = msgspec.msgpack.encode(fields)
    return S_TICKET.pack(S_TICKET.size + len(data), END, number, ticket) + data


_Error = tuple[int, str, str, str, str, str | None, str | None, int | None]


def read_error(payload: bytes) -> ApiError:
    """The error of an END."""
    status, type_, code, message, outcome, param, reason, after = msgspec.msgpack.decode(payload, type=_Error)
    return ApiError(status, type_, code, message, _OUTCOMES[outcome], param, reason, after)


_OUTCOMES: Final = {outcome.value: outcome for outcome in Outcome}


def report(number: int, ticket: int, held: Held, endpoint_number: int) -> bytes:
    """The frame REPORT."""
    state = body_state(whole=held.whole, wakes=held.wakes)
    return S_REPORT.pack(
        *(S_REPORT.size, REPORT, number, ticket, _STAGES.index(held.stage), state, held.size),
        *(held.warm, held.cold, held.priority, held.prefix, endpoint_number),
    )


def read_report(data: bytes, at: int) -> tuple[int, int, Held, int]:
    """Service, ticket, what is held, and the number of its endpoint (whose key the caller knows). FrameError
    where no time can be reckoned with what it has waited."""
    fields = S_REPORT.unpack_from(data, at)
    number, ticket, stage, state, size, warm, cold, priority, prefix, endpoint_number = fields[2:]
    if not isfinite(warm + cold):
        raise FrameError(f"a ticket cannot have waited {warm:g} and {cold:g} s")
    place = warm, cold, priority, prefix
    held = Held(_STAGES[stage], bool(state), size, *place, None, may_wake(state))
    return number, ticket, held, endpoint_number
