"""What comes on the peer port from a gateway that is broken, or from somebody in a gateway's place."""

from __future__ import annotations

import asyncio
import contextlib

import httpx
import pytest

from tests.component.gateway.harness import KEY, config, connection, engine, until, worker
from tests.component.gateway.test_peers import CHAT, Pair, chat, pair
from tidegate.domain.flow_ticket import EndpointKey, Stage
from tidegate.domain.service import ServiceView
from tidegate.domain.shared_flow import Held
from tidegate.gateway import arbiter_link
from tidegate.gateway import peer_frames as frames
from tidegate.gateway.member_link import MemberLink
from tidegate.gateway.mesh import Mesh

HELLO = frames.hello("stranger", 1)
SERVICE = frames.service(0, str(KEY))
JOIN = frames.S_EPOCH.pack(frames.S_EPOCH.size, frames.JOIN, 0, 1)
REPORTED = frames.S_SERVICE.pack(frames.S_SERVICE.size, frames.REPORTED, 0)
ASK = frames.S_ASK.pack(frames.S_ASK.size, frames.ASK, 0, 1, 10, 1, 0, 0)
HELD = Held(Stage.WAITING, True, 10, 0.0, 0.0, 0, 0, None)
REPORT = frames.report(0, 1, HELD, frames.NO_ENDPOINT)
LATE_REPORT = frames.report(0, 2, HELD, frames.NO_ENDPOINT)
MANY = b"".join(frames.service(number, f"n/s{number}") for number in range(frames.NAMES + 1))


def mesh_of(two: Pair) -> Mesh:
    """The arbiter's."""
    mesh = two.arbiter.fleet.mesh
    assert mesh is not None
    return mesh


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(HELLO + HELLO, id="hello-twice"),
        pytest.param(frames.hello("", 1), id="no-id"),
        pytest.param(HELLO + SERVICE + JOIN + REPORTED + ASK + ASK, id="a-ticket-twice"),
        pytest.param(HELLO + SERVICE + JOIN + REPORT + REPORT, id="a-report-twice"),
        pytest.param(HELLO + SERVICE + JOIN + REPORTED + LATE_REPORT, id="a-late-report"),
        pytest.param(HELLO + ASK, id="a-service-without-a-name"),
        pytest.param(HELLO + MANY, id="names-without-end"),
        pytest.param(b"\x02\x00\x00", id="too-short"),
        pytest.param(HELLO + b"\x03\x00\xff", id="no-such-kind"),
    ],
)
async def test_what_is_no_word_of_a_gateway_ends_its_connection_and_holds_nothing(
    said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with pair(ServiceView(config())) as two, connection(mesh_of(two).port) as (reader, writer):
        writer.write(said)
        with contextlib.suppress(ConnectionError):
            while await asyncio.wait_for(reader.read(65536), 60):
                pass
        await until(lambda: two.queue.flow.depth == 0 and not two.queue.flow.frozen)
    assert "the connection to another gateway" in caplog.text


async def test_who_connects_and_never_says_who_it_is_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arbiter_link, "HELLO_SECONDS", 0.1)
    async with pair(ServiceView(config())) as two, connection(mesh_of(two).port) as (reader, _):
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(1), 60) == b""


async def test_a_connection_whose_numbers_are_used_up_begins_anew() -> None:
    async with pair(ServiceView(config())) as two:
        before = two.there.seat and two.there.seat.remote.link
        assert isinstance(before, MemberLink)
        before.name(frames.NAMES, frames.endpoint(1, EndpointKey("w", 0, "h", 1)))
        await until(lambda: two.there.seat is not None and two.there.seat.remote.link not in (before, None))
        async with httpx.AsyncClient(timeout=60) as client, engine(tokens_per_second="0") as quick:
            for substrate in (two.members, two.arbiters):
                substrate.show(ServiceView(config(), (worker(quick.port),)))
            assert (await client.post(chat(two.member), json=CHAT)).status_code == 200
