"""What the client does with a server that misbehaves, and with its own credentials."""

from __future__ import annotations

import asyncio
import traceback
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from tests.component.kube.https import configuration_for, https_server
from tidegate.devcluster.certificates import Authority, new_authority
from tidegate.kube import errors
from tidegate.kube.client import Budgets, KubeClient, WatchEvent

BUDGETS = Budgets(call=60, silence=60)  # a busy machine is no defect
SHORT = Budgets(call=1)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return new_authority(tmp_path)


async def ask(authority: Authority, answer: web.Response) -> None:
    """One GET that is answered so."""

    async def handler(_: web.BaseRequest) -> web.Response:
        return answer

    async with (
        https_server(authority, handler) as port,
        KubeClient(configuration_for(port, authority.ca), BUDGETS) as client,
    ):
        await client.get("/api/v1/nodes/n")


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        (web.Response(status=502, text="<html>bad gateway</html>"), errors.ServerError, "bad gateway"),
        (web.Response(status=503), errors.ServerError, "without a message"),
        (web.Response(text="hello"), errors.KubeError, "not JSON"),
        (web.Response(text="[1]"), errors.KubeError, "a list, not an object"),
        (web.json_response({"message": "who are you"}, status=401), errors.UnauthorizedError, "who are you"),
    ],
)
async def test_a_strange_answer_is_a_named_error(
    authority: Authority, answer: web.Response, kind: type[errors.KubeError], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        await ask(authority, answer)


async def test_no_error_and_no_traceback_shows_the_token(authority: Authority) -> None:
    client = KubeClient(configuration_for(1, authority.ca), BUDGETS)
    with pytest.raises(errors.UnreachableError) as caught:
        await client.get("/api/v1/nodes/n")
    shown = "".join(traceback.format_exception(caught.value)) + repr(client) + str(caught.value)
    assert "s3cret" not in shown
    assert "no connection" in str(caught.value)
    await client.close()


async def test_a_server_of_another_authority_never_sees_the_token(
    authority: Authority, tmp_path: Path
) -> None:
    seen: list[str] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.json_response({})

    other = tmp_path / "other"
    other.mkdir()
    async with (
        https_server(new_authority(other), handler) as port,
        KubeClient(configuration_for(1, authority.ca), BUDGETS) as client,
    ):
        with pytest.raises(errors.UnreachableError, match="certificate"):
            await client.get_elsewhere(f"https://127.0.0.1:{port}/configz")
        assert seen == []
        await client.get_elsewhere(f"https://127.0.0.1:{port}/configz", verify=False)
        assert seen == ["Bearer s3cret-token"]


async def test_a_pods_token_is_read_anew_when_it_was_rotated(authority: Authority, tmp_path: Path) -> None:
    seen: list[str] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.json_response({})

    token = tmp_path / "token"
    token.write_text("first")
    async with https_server(authority, handler) as port:
        environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port)}
        loader = InClusterConfigLoader(str(token), str(authority.ca), environ=environ)  # type: ignore[no-untyped-call]
        loader._token_refresh_period = timedelta(0)  # a minute, in a pod
        configuration = Configuration()
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
        async with KubeClient(configuration, BUDGETS) as client:
            await client.get("/a")
            token.write_text("second")
            await client.get("/a")
            token.unlink()
            with pytest.raises(errors.UnreachableError, match="token cannot be read"):
                await client.get("/a")
    assert seen == ["bearer first", "bearer second"]


async def test_a_listing_that_expires_between_two_pages_is_read_again_whole(authority: Authority) -> None:
    asked: list[str] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        query = request.rel_url.query
        asked.append(f"{query.get('limit')} {query.get('continue')} {query.get('labelSelector')}")
        if "continue" in query:
            return web.json_response({"reason": "Expired", "message": "too old"}, status=410)
        more = {"continue": "next"} if "limit" in query else {}
        items = [{"a": 1}] if more else [{"a": 1}, {"a": 2}]
        return web.json_response({"metadata": {"resourceVersion": "7", **more}, "items": items})

    async with (
        https_server(authority, handler) as port,
        KubeClient(configuration_for(port, authority.ca), BUDGETS) as client,
    ):
        assert await client.list_all("/x", label_selector="a=b") == ([{"a": 1}, {"a": 2}], "7")
    assert asked == ["100 None a=b", "100 next a=b", "None None a=b"]


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (
            b'{"type":"ERROR","object":{"code":410,"reason":"Expired","message":"too old"}}\n',
            errors.GoneError,
        ),
        (b'{"type":"ERROR","object":{"code":500,"message":"oh"}}\n', errors.ServerError),
        (b'{"type":"MODIF', errors.KubeError),
    ],
)
async def test_a_watch_that_ends_in_an_error_names_it_after_its_events(
    authority: Authority, end: bytes, kind: type[errors.KubeError]
) -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"type":"ADDED","object":{"metadata":{"resourceVersion":"8"}}}\n')
        await response.write(end)
        return response

    seen: list[WatchEvent] = []
    async with (
        https_server(authority, handler) as port,
        KubeClient(configuration_for(port, authority.ca), BUDGETS) as client,
    ):
        with pytest.raises(kind):
            await _collect(client, seen)
    assert [event.resource_version for event in seen] == ["8"]


async def test_an_event_of_three_megabytes_arrives_whole(authority: Authority) -> None:
    blob = "x" * 3_000_000

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        line = f'{{"type":"ADDED","object":{{"metadata":{{"resourceVersion":"8"}},"blob":"{blob}"}}}}\n'
        return web.Response(body=line.encode())

    seen: list[WatchEvent] = []
    async with (
        https_server(authority, handler) as port,
        KubeClient(configuration_for(port, authority.ca), BUDGETS) as client,
    ):
        await _collect(client, seen)
    assert len(seen[0].object["blob"]) == 3_000_000


async def test_a_server_that_accepts_and_says_nothing_costs_the_budget_and_no_more(
    authority: Authority,
) -> None:
    async def handler(_: web.BaseRequest) -> web.Response:
        await asyncio.sleep(600)
        return web.Response()

    async with (
        https_server(authority, handler) as port,
        KubeClient(configuration_for(port, authority.ca), SHORT) as client,
        asyncio.timeout(60),
    ):
        with pytest.raises(errors.UnreachableError, match="no answer within 1 s"):
            await client.get("/a")


async def _collect(client: KubeClient, seen: list[WatchEvent]) -> None:
    async with aclosing(client.watch("/x", "7")) as events:
        async for event in events:
            seen.append(event)  # noqa: PERF401 (an error in between must leave what came before)
