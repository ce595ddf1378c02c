"""kopf's connection to the API server, over which its own listings find nothing.

What exists is listed by controller.resync, which notices what is gone as well. Of a listing kopf needs
nothing but the version from which to watch; each object in it would cost a task, a queue and a record.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import kopf

from tidegate.kube.login import Login, current_login

NOTHING = "tidegate.io/none,!tidegate.io/none"  # there and not there: no object is selected


class Sessions:
    """kopf's sessions, one for each login. ``plurals``: the kinds whose listings find nothing.

    ``listed`` is told of each listing of whatever kind, also where it found nothing: what was deleted before
    it while no watch ran is told by nobody."""

    def __init__(self, plurals: Collection[str], listed: Callable[[], None]) -> None:
        self._plurals = frozenset(plurals)
        self._listed = listed
        self._open: list[aiohttp.ClientSession] = []

    async def login(self) -> kopf.AiohttpSession:
        """The cluster and account that KubeClient uses, read anew. KubeConfigError."""
        found = await current_login()
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=_connection(found).as_ssl_context()),
            headers=_connection(found).as_http_headers(),
        )
        self._open.append(session)
        spoken = _Session(session, self._plurals, self._listed)
        return kopf.AiohttpSession(server=found.server, aiohttp_session=cast("aiohttp.ClientSession", spoken))

    async def close(self) -> None:
        """Close all that were opened, whether kopf did or not."""
        while self._open:
            await self._open.pop().close()


class _Session:
    """What kopf uses of an aiohttp session."""

    def __init__(
        self, session: aiohttp.ClientSession, plurals: frozenset[str], listed: Callable[[], None]
    ) -> None:
        self._session = session
        self._plurals = plurals
        self._listed = listed
        self.headers = session.headers
        self.close = session.close

    @property
    def closed(self) -> bool:
        return self._session.closed

    async def request(self, method: str, url: str, **given: Any) -> aiohttp.ClientResponse:
        if not _lists(method, url):
            return await self._session.request(method, url, **given)
        response = await self._session.request(method, self._listing(url), **given)
        if response.ok:
            self._listed()
        return response

    def _listing(self, url: str) -> str:
        asked = urlsplit(url)
        if asked.path.rpartition("/")[2] not in self._plurals:
            return url
        query = dict(parse_qsl(asked.query)) | {"labelSelector": NOTHING}
        return asked._replace(query=urlencode(query)).geturl()


def _lists(method: str, url: str) -> bool:
    """Whether a request is for the first page of a collection; pages are what only collections have."""
    query = dict(parse_qsl(urlsplit(url).query))
    return method == "get" and "limit" in query and "continue" not in query


def _connection(found: Login) -> kopf.ConnectionInfo:
    return kopf.ConnectionInfo(
        server=found.server,
        ca_path=found.ca_path,
        certificate_path=found.certificate_path,
        private_key_path=found.private_key_path,
        scheme="Bearer" if found.token else None,
        token=found.token,
        insecure=found.insecure,
    )
