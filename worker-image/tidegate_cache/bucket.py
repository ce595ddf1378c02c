"""Models in object storage that speaks S3: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
AWS_REGION, and AWS_ENDPOINT_URL for another store than AWS. Without keys requests are not signed."""

from __future__ import annotations

import hashlib
import http.client
import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import quote, urlencode

from .causes import FORBIDDEN, NOT_FOUND, UNREACHABLE, FillError
from .pieces import body_of
from .remote import Body, CutOffError, RemoteFile, Snapshot, safe_path
from .sigv4 import keys_of, region_of, signed
from .wanted import wanted
from .web import Request, StatusError, Web

MD5 = re.compile("[0-9a-f]{32}")  # an object that was put in parts has another kind of tag
PLAIN = {"accept-encoding": "identity", "user-agent": "tidegate"}
CODE = re.compile(rb"<Code>([A-Za-z]+)</Code>")
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
REGION = "x-amz-bucket-region"


class Bucket:
    """The objects below one prefix."""

    def __init__(self, web: Web, place: str, environment: Mapping[str, str], *, every_format: bool) -> None:
        self._web = web
        self._bucket, _, prefix = place.strip("/").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._every_format = every_format
        self._keys = keys_of(environment)
        self._region = region_of(environment)
        named = (environment.get(name, "").strip() for name in ENDPOINTS)
        self._endpoint = next(filter(None, named), "")

    def pinned_key(self) -> str | None:
        """None: what is in a bucket may change."""
        return None

    def snapshot(self) -> Snapshot:
        """What there is below the prefix now; its version is the tags of all objects."""
        files = wanted(self._listed(), every_format=self._every_format)
        if not files:
            raise FillError(NOT_FOUND, f"{self._name()} has no file that an engine could read")
        text = "\n".join(f"{file.path} {file.size} {file.tag}" for file in files)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        name = quote(f"{self._bucket}/{self._prefix}".strip("/"), safe="").replace("%2F", "--")[:160]
        return Snapshot(f"s3--{name}--{digest}", files)

    @contextmanager
    def body(self, file: RemoteFile, start: int) -> Iterator[Body]:
        """The content of an object of the snapshot, and of none that was put in its place meanwhile."""
        more = {"range": f"bytes={start}-"} if start else {}
        more |= {"if-match": f'"{file.tag}"'} if file.tag else {}
        url = f"{self._root()}/{quote(self._prefix + file.path)}"
        with self._told(file.path), self._web.ask(lambda: self._get(url, more)) as opened:
            yield body_of(opened, start)

    def _root(self) -> str:
        if self._endpoint:
            return f"{self._endpoint.rstrip('/')}/{self._bucket}"
        if "." in self._bucket:  # the certificate of *.s3… has no second level
            return f"https://s3.{self._region}.amazonaws.com/{self._bucket}"
        return f"https://{self._bucket}.s3.{self._region}.amazonaws.com"

    def _get(self, url: str, more: Mapping[str, str] | None = None) -> Request:
        own = signed(url, self._keys, time.time()) if self._keys else {}
        return Request(url, {**PLAIN, **(more or {})}, own)

    def _listed(self) -> list[RemoteFile]:
        found: list[RemoteFile] = []
        token = ""
        while True:
            page = self._page(token)
            found += [file for each in page.iterfind("{*}Contents") if (file := self._object(each))]
            token = page.findtext("{*}NextContinuationToken") or ""
            if page.findtext("{*}IsTruncated") != "true" or not token:
                return found

    def _page(self, token: str) -> ET.Element:
        query = {"list-type": "2", "prefix": self._prefix} | ({"continuation-token": token} if token else {})
        with self._told(""):
            for _ in range(2):
                url = f"{self._root()}/?{urlencode(query, quote_via=quote)}"
                try:
                    answer = self._web.read(lambda url=url: self._get(url))  # type: ignore[misc]
                    return ET.fromstring(answer)  # noqa: S314  expat bounds what entities may grow to
                except StatusError as error:
                    if not self._moves_to(error.headers.get(REGION, "")):
                        raise
            raise FillError(UNREACHABLE, f"{self._name()} is in no region that can be found")

    def _moves_to(self, region: str) -> bool:
        """Whether a bucket's region is another one than was thought, and now is asked there."""
        if self._endpoint or not region or region == self._region:
            return False
        self._region = region
        self._keys = replace(self._keys, region=region) if self._keys else None
        return True

    def _object(self, told: ET.Element) -> RemoteFile | None:
        key, tag = told.findtext("{*}Key") or "", (told.findtext("{*}ETag") or "").strip('"')
        if key.endswith("/"):
            return None  # a folder, as consoles make them
        checks = {"md5": tag} if MD5.fullmatch(tag) else {}
        size = int(told.findtext("{*}Size") or 0)
        return RemoteFile(safe_path(key.removeprefix(self._prefix)), size, tag, checks)

    def _name(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Answers that are no success as FillErrors; ``what`` empty: of the list."""
        try:
            yield
        except StatusError as error:
            raise self._refusal(error, what) from error
        except CutOffError as error:
            if what:
                raise
            raise FillError(UNREACHABLE, f"{self._name()} cannot be asked for: {error}") from error
        except (ET.ParseError, ValueError) as error:
            sentence = f"the store of {self._name()} does not answer as S3 does ({error})"
            raise FillError(UNREACHABLE, sentence) from error

    def _refusal(self, error: StatusError, what: str) -> FillError:
        code = CODE.search(error.body)
        said = f"{error} for {what or 'the list of objects'}" + (f" ({code[1].decode()})" if code else "")
        if error.status in (http.client.NOT_FOUND, http.client.PRECONDITION_FAILED):
            changed = error.status == http.client.PRECONDITION_FAILED
            why = "was changed while it was fetched" if changed else "does not exist"
            return FillError(UNREACHABLE if changed else NOT_FOUND, f"{self._name()} {why}: {said}")
        if error.status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            need = "the keys that it has are not allowed to" if self._keys else "it needs AWS_ACCESS_KEY_ID"
            return FillError(FORBIDDEN, f"{self._name()} may not be read ({need}, model.secretRef): {said}")
        return FillError(UNREACHABLE, f"{self._name()} cannot be fetched now: {said}")
