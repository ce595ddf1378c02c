"""Models of the Hugging Face Hub, or of a mirror that speaks the same: HF_ENDPOINT, HF_TOKEN.

Two requests of its API: the files of a revision with their sizes and checksums, and the content of a file at
a commit. What is large comes with a SHA-256, everything else is a git blob with the SHA-1 of one.
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from .causes import FORBIDDEN, NOT_FOUND, UNREACHABLE, FillError
from .pieces import body_of
from .remote import Body, CutOffError, RemoteFile, Snapshot, safe_path
from .wanted import wanted
from .web import Request, Response, StatusError, Web, shown

HUB = "https://huggingface.co"
COMMIT = re.compile("[0-9a-f]{40}")
SHA256 = re.compile("[0-9a-f]{64}")
TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
PLAIN = {"accept-encoding": "identity", "user-agent": "tidegate"}
HIDDEN_MISSING = "RepoNotFound"  # the hub says 401 of what is not there, as of what is private


class Hub:
    """One repository at one revision (empty: its default branch)."""

    def __init__(
        self, web: Web, repository: str, revision: str, environment: Mapping[str, str], *, every_format: bool
    ) -> None:
        self._web = web
        self._repository = repository
        self._revision = revision
        self._every_format = every_format
        self._root = (environment.get("HF_ENDPOINT", "").strip() or HUB).rstrip("/")
        self._shown = shown(self._root)
        token = next(filter(None, (environment.get(name, "").strip() for name in TOKENS)), "")
        self._own = {"authorization": f"Bearer {token}"} if token else {}
        self._commit = revision

    def pinned_key(self) -> str | None:
        """Of a whole commit."""
        return self._key(self._revision) if COMMIT.fullmatch(self._revision) else None

    def snapshot(self) -> Snapshot:
        """The files at the commit that the revision is now."""
        with self._told(self._repository, listing=True):
            answer = json.loads(self._web.read(lambda: self._get(self._listing())))
            self._commit = str(answer.get("sha") or self._revision or "main")
            files = [self._file(each) for each in answer.get("siblings") or ()]
        kept = wanted(files, every_format=self._every_format)
        if not kept:
            raise FillError(NOT_FOUND, f"{self._name()} has no file that an engine could read")
        return Snapshot(self._key(self._commit), tuple(self._sized(file) for file in kept))

    @contextmanager
    def body(self, file: RemoteFile, start: int) -> Iterator[Body]:
        """The content of a file of the snapshot."""
        span = {"range": f"bytes={start}-"} if start else {}
        with self._told(file.path), self._web.ask(lambda: self._get(self._place(file.path), span)) as opened:
            yield body_of(opened, start)

    def _listing(self) -> str:
        revision = f"/revision/{quote(self._revision, safe='')}" if self._revision else ""
        return f"{self._root}/api/models/{quote(self._repository)}{revision}?blobs=true"

    def _place(self, path: str) -> str:
        return f"{self._root}/{quote(self._repository)}/resolve/{quote(self._commit, safe='')}/{quote(path)}"

    def _get(self, url: str, more: Mapping[str, str] | None = None) -> Request:
        return Request(url, {**PLAIN, **(more or {})}, self._own)

    def _key(self, commit: str) -> str:
        more = "+all" if self._every_format else ""  # other files of the same commit are another model
        return f"hf--{self._repository.replace('/', '--')}--{quote(commit, safe='')}{more}"

    def _name(self) -> str:
        return f"hf://{self._repository}" + (f" at {self._revision}" if self._revision else "")

    def _file(self, told: Mapping[str, Any]) -> RemoteFile:
        large = told.get("lfs") or {}
        checks = {"sha256": large.get("sha256"), "git": None if large else told.get("blobId")}
        known = {kind: str(value) for kind, value in checks.items() if value}
        size = large.get("size", told.get("size"))
        return RemoteFile(
            safe_path(str(told["rfilename"])), -1 if size is None else int(size), _tag(known), known
        )

    def _sized(self, file: RemoteFile) -> RemoteFile:
        """Of a mirror that lists names alone each file is asked about."""
        if file.size >= 0:
            return file
        with self._told(file.path, listing=True):
            headers = self._head(file.path)
        size = headers.get("x-linked-size") or headers.get("content-length")
        if size is None:
            raise FillError(UNREACHABLE, f"{self._shown} does not tell the size of {file.path}")
        etag = (headers.get("x-linked-etag") or headers.get("etag") or "").removeprefix("W/").strip('"')
        kind = "sha256" if SHA256.fullmatch(etag) else "git" if COMMIT.fullmatch(etag) else None
        checks = {kind: etag} if kind else {}
        return RemoteFile(file.path, int(size), _tag(checks) or etag, checks)

    def _head(self, path: str) -> Mapping[str, str]:
        request = Request(self._place(path), PLAIN, self._own, "HEAD")
        try:
            with self._web.ask(lambda: request) as answer:
                return _lowered(answer)
        except StatusError as error:
            if "x-linked-size" not in error.headers:
                raise
            return {name.lower(): value for name, value in error.headers.items()}

    @contextmanager
    def _told(self, what: str, *, listing: bool = False) -> Iterator[None]:
        """Answers that are no success as FillErrors; of what is needed for the list, none at all too."""
        try:
            yield
        except StatusError as error:
            raise self._refusal(error, what) from error
        except CutOffError as error:
            if not listing:
                raise
            raise FillError(UNREACHABLE, f"{self._name()} cannot be asked for: {error}") from error
        except (KeyError, TypeError, ValueError) as error:
            sentence = f"{self._shown} does not answer as the Hugging Face Hub does ({error!r})"
            raise FillError(UNREACHABLE, sentence) from error

    def _refusal(self, error: StatusError, what: str) -> FillError:
        code, said = error.headers.get("x-error-code", ""), f"{error.status} for {what}"
        where = f"{self._shown} answers {said}" + (f" ({code})" if code else "")
        if error.status == http.client.NOT_FOUND:
            return FillError(NOT_FOUND, f"{self._name()} does not exist: {where}")
        if code == HIDDEN_MISSING:
            need = "" if self._own else "; a private one needs HF_TOKEN in model.secretRef"
            return FillError(NOT_FOUND, f"{self._name()} does not exist, or is private: {where}{need}")
        if error.status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            need = "the HF_TOKEN that it has is not allowed to" if self._own else "it needs HF_TOKEN"
            return FillError(FORBIDDEN, f"{self._name()} may not be read ({need}, model.secretRef): {where}")
        return FillError(UNREACHABLE, f"{self._name()} cannot be fetched now: {where}")


def _tag(checks: Mapping[str, str]) -> str:
    return next(iter(checks.values()), "")


def _lowered(answer: Response) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.getheaders()}
