"""Two operators, one certificate: one writes it, both serve it, and the API server trusts what it meets."""

from __future__ import annotations

import asyncio
import base64
import itertools
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest

from tests.component.kube.objects import MANAGER, create_service
from tests.component.kube.webhooks import Installation, answers, depth_and_note, serving
from tests.component.kube.wire import eventually
from tidegate.controller.webhook_tls import WebhookTls
from tidegate.controller.world import World
from tidegate.devcluster.ports import free_ports
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.errors import NotFoundError

NOW = datetime.now(UTC)
ISSUED = NOW - timedelta(days=250)  # of 365: a renewal is due


@asynccontextmanager
async def shared_address(port: int, replicas: Sequence[int]) -> AsyncIterator[None]:
    """What the webhooks' Service does: each connection goes to the next replica."""
    turn = itertools.cycle(replicas)

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        target.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", next(turn))
            await asyncio.gather(copy(reader, up_writer), copy(up_reader, writer))
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", port):
        yield


async def served_certificate(port: int) -> bytes:
    """What a replica shows to who connects now."""
    shown = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port), timeout=60)
    return ssl.PEM_cert_to_DER_cert(shown)


async def stored_certificate(installation: Installation) -> bytes:
    secret = await installation.secret()
    return ssl.PEM_cert_to_DER_cert(base64.b64decode(secret["data"]["tls.crt"]).decode())


async def versions(installation: Installation) -> list[str]:
    """Of everything that replicas share."""
    client = installation.client
    found = [await installation.secret(), *[await client.get(path) for path in installation.configurations]]
    return [item["metadata"]["resourceVersion"] for item in found]


async def test_each_create_gets_its_default_while_the_certificate_of_two_replicas_is_renewed(
    client: KubeClient, namespace: str, installation: Installation
) -> None:
    now, ports = ISSUED, free_ports(2)
    async with (
        shared_address(installation.port, ports),
        serving(installation, World(128), ports[0], now=lambda: now),
        serving(installation, World(128), ports[1], now=lambda: now, acts=lambda: False),
    ):
        await eventually(lambda: _both_serve(installation, ports), "both serve")
        await eventually(lambda: answers(installation), "the API server asks them")
        before, made = await stored_certificate(installation), 0
        now = NOW

        async def renewed() -> bool:
            nonlocal made
            made += 1
            item = await create_service(client, namespace, f"during-{made}")
            assert depth_and_note(item) == (128, "128 from Default"), made
            return before != await stored_certificate(installation) and await _both_serve(installation, ports)

        await eventually(renewed, "both serve the renewed certificate")
        after = [await create_service(client, namespace, f"after-{number}") for number in range(50)]
        assert {depth_and_note(item) for item in after} == {(128, "128 from Default")}


async def _both_serve(installation: Installation, ports: Sequence[int]) -> bool:
    """Whether both replicas serve what is stored."""
    try:
        stored = await stored_certificate(installation)
        return all([stored == await served_certificate(port) for port in ports])
    except (OSError, NotFoundError):
        return False


async def test_a_standby_writes_nothing_and_serves_nothing_before_there_is_something(
    installation: Installation,
) -> None:
    standby = WebhookTls(installation.client, installation.names, lambda: False)
    assert not await standby.ensure(NOW)
    with pytest.raises(NotFoundError):
        await installation.secret()
    assert await installation.ca_bundle() == b""


async def test_a_standby_waits_until_the_api_server_has_had_time_to_trust_a_certificate(
    client: KubeClient, installation: Installation
) -> None:
    leader = WebhookTls(client, installation.names)
    standby = WebhookTls(client, installation.names, lambda: False)
    await leader.ensure(NOW)
    for path in installation.configurations:
        await _wipe(client, path)
        for _ in range(3):
            assert not await standby.ensure(NOW)  # not trusted by both
    await leader.ensure(NOW)
    seen = await versions(installation)
    assert [await standby.ensure(NOW) for _ in range(3)] == [False, True, True]
    assert await versions(installation) == seen


async def _wipe(client: KubeClient, path: str) -> None:
    wiped: list[Json] = [{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]
    await client.json_patch(path, wiped, field_manager=MANAGER)


async def test_a_standby_leaves_an_overdue_or_broken_certificate_to_who_acts(
    client: KubeClient, namespace: str, installation: Installation
) -> None:
    leader = WebhookTls(client, installation.names)
    standby = WebhookTls(client, installation.names, lambda: False)
    await leader.ensure(ISSUED)
    seen = await versions(installation)
    assert [await standby.ensure(NOW) for _ in range(2)] == [False, True]
    path = paths.secret(namespace, installation.names.secret)
    await client.merge_patch(path, {"data": {"tls.key": ""}}, field_manager=MANAGER)
    assert await standby.ensure(NOW)  # it serves on what it has
    assert not await WebhookTls(client, installation.names, lambda: False).ensure(NOW)
    assert (await versions(installation))[1:] == seen[1:]
    for _ in range(2):
        await leader.ensure(NOW)
    assert (await versions(installation))[1:] != seen[1:]


async def test_a_standby_that_comes_to_act_goes_on_where_the_other_stopped(
    client: KubeClient, installation: Installation
) -> None:
    acts = False
    heir = WebhookTls(client, installation.names, lambda: acts)
    await WebhookTls(client, installation.names).ensure(ISSUED)
    for _ in range(2):
        await heir.ensure(ISSUED)
    before = await stored_certificate(installation)
    acts = True
    await heir.ensure(NOW)
    assert await stored_certificate(installation) != before
    assert (await installation.ca_bundle()).count(b"BEGIN CERTIFICATE") == 2
