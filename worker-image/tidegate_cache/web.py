"""HTTP for the sources: proxies and certificates by environment, redirects, and several tries."""

from __future__ import annotations

import http.client
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from urllib.parse import urljoin, urlsplit

from .remote import CutOffError, GaveUpError

Response = http.client.HTTPResponse

REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 6
PASSING = (408, 425, 429, 500, 502, 503, 504)  # may be another answer the next time
LONGEST_PAUSE = 60.0


@dataclass(frozen=True, slots=True)
class Patience:
    """``tries`` in a row that bring nothing; seconds to wait for a byte, and before the second try (twice as
    long before each further one)."""

    tries: int = 6
    silence: float = 60.0
    pause: float = 1.0

    def wait(self, attempt: int, asked: str | None = None) -> None:
        """Between try ``attempt`` (1, 2, …) and the next; ``asked``: the server's Retry-After."""
        seconds = self.pause * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)  # noqa: S311  not for secrets
        if asked and asked.isdecimal():
            seconds = max(seconds, float(asked))
        time.sleep(min(LONGEST_PAUSE, seconds))


class StatusError(Exception):
    """An answer that is no success. ``body``: its first 64 KiB."""

    def __init__(self, url: str, status: int, headers: Message, body: bytes) -> None:
        super().__init__(f"{urlsplit(url).netloc} answers {status}")
        self.url, self.status, self.headers, self.body = url, status, headers, body


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask. Headers named in ``own`` are for this host alone, and not for where it redirects to."""

    url: str
    headers: Mapping[str, str]
    own: Mapping[str, str]
    method: str = "GET"


class Web:
    """Requests with one patience."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._opener = urllib.request.build_opener(_NoRedirects())

    def ask(self, make: Callable[[], Request]) -> Response:
        """The answer, open; ``make`` is called for each try, since a signature has its time.

        StatusError of an answer that is no success, GaveUpError where none came in all tries.
        """
        for attempt in range(1, self.patience.tries):
            try:
                return self._once(make())
            except StatusError as error:
                if error.status not in PASSING:
                    raise
                self.patience.wait(attempt, error.headers.get("retry-after"))
            except CutOffError:
                self.patience.wait(attempt)
        try:
            return self._once(make())
        except CutOffError as error:
            raise GaveUpError(f"no answer after {self.patience.tries} tries: {error}") from error

    def read(self, make: Callable[[], Request]) -> bytes:
        """The whole body of the answer."""
        with self.ask(make) as response:
            try:
                return response.read()
            except (OSError, http.client.HTTPException) as error:
                raise CutOffError(_why(error)) from error

    def _once(self, request: Request) -> Response:
        url, headers = request.url, {**request.headers, **request.own}
        for _ in range(MOST_REDIRECTS):
            try:
                return self._open(url, headers, request.method)
            except StatusError as error:
                target = error.headers.get("location")
                if error.status not in REDIRECTS or not target or _tells_all(request, error):
                    raise
                target = urljoin(url, target)
                if urlsplit(target)[:2] != urlsplit(request.url)[:2]:
                    headers = dict(request.headers)
                url = target
        raise CutOffError(f"{urlsplit(request.url).netloc} redirects in a circle")

    def _open(self, url: str, headers: Mapping[str, str], method: str) -> Response:
        asked = urllib.request.Request(url, headers=dict(headers), method=method)  # noqa: S310
        try:
            opened: Response = self._opener.open(asked, timeout=self.patience.silence)
        except urllib.error.HTTPError as error:
            with error:
                raise StatusError(url, error.code, error.headers, _first(error)) from None
        except (OSError, http.client.HTTPException) as error:
            raise CutOffError(f"{urlsplit(url).netloc}: {_why(error)}") from error
        return opened


def _tells_all(request: Request, error: StatusError) -> bool:
    """A HEAD whose redirect already has what is asked for: of the file, not of where it lies."""
    return request.method == "HEAD" and "x-linked-size" in error.headers


def _first(error: urllib.error.HTTPError) -> bytes:
    try:
        return error.read(65536)
    except (OSError, http.client.HTTPException):
        return b""


def _why(error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return " ".join(str(reason).split()) or type(reason).__name__


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The library's own would show a token to whomever it is redirected to."""

    def redirect_request(self, *_: object) -> None:
        return None
