"""HTTP for the sources: proxies and certificates by environment, redirects, and several tries."""

from __future__ import annotations

import base64
import http.client
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from urllib.parse import unquote, urljoin, urlsplit

from .causes import FORBIDDEN, UNREACHABLE, FillError
from .remote import CutOffError, GaveUpError

Response = http.client.HTTPResponse

REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 6
PASSING = (408, 425, 429, 500, 502, 503, 504)  # may be another answer the next time
LONGEST_PAUSE = 60.0
SCHEMES = ("http", "https")


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
        super().__init__(f"{host_of(url)} answers {status}")
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
                _check_redirect(request.url, target)
                if _origin(target) != _origin(request.url):
                    headers = dict(request.headers)
                url = target
        raise CutOffError(f"{host_of(request.url)} redirects in a circle")

    def _open(self, url: str, headers: Mapping[str, str], method: str) -> Response:
        place, given = _authorized(url, headers)
        _check_headers(given)
        asked = urllib.request.Request(place, headers=given, method=method)  # noqa: S310  it is HTTP
        try:
            opened: Response = self._opener.open(asked, timeout=self.patience.silence)
        except urllib.error.HTTPError as error:
            with error:
                raise StatusError(url, error.code, error.headers, _first(error)) from None
        except (OSError, http.client.HTTPException) as error:
            raise CutOffError(f"{host_of(url)}: {_why(error)}") from error
        return opened


def host_of(url: str) -> str:
    """Host and port, without the name and the password that a URL may carry."""
    return urlsplit(url).netloc.rpartition("@")[2]


def shown(url: str) -> str:
    """The URL as it may be printed."""
    return urlsplit(url)._replace(netloc=host_of(url)).geturl()


def _origin(url: str) -> tuple[str, str]:
    return urlsplit(url).scheme, host_of(url)


def _authorized(url: str, headers: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Name and password of a URL become a header, as everywhere else, unless there is a better one."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise FillError(UNREACHABLE, f"{shown(url)} is no address that begins with http:// or https://")
    if parts.username is None:
        return url, dict(headers)
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return shown(url), {"authorization": f"Basic {base64.b64encode(pair).decode()}", **headers}


def _check_headers(headers: Mapping[str, str]) -> None:
    """The library's own refusals print the value, which may be a token."""
    for name, value in headers.items():
        if not value.isprintable() or not value.isascii():
            sentence = (
                f"the header {name} cannot be sent: it would have a line break or a character that is not "
                "ASCII; look at the credentials in model.secretRef"
            )
            raise FillError(FORBIDDEN, sentence)


def _check_redirect(first: str, target: str) -> None:
    """Only to where HTTP goes, and not from what is encrypted to what is not."""
    scheme, begun = urlsplit(target).scheme, urlsplit(first).scheme
    if scheme not in SCHEMES or (begun == "https" and scheme != "https"):
        sentence = f"{host_of(first)} redirects from {begun}:// to {scheme}://, which is not followed"
        raise FillError(UNREACHABLE, sentence)


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
