"""Fetching published builds, where this machine can reach them; otherwise quickly and quietly not."""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tidegate.devcluster.progress import Progress
from tidegate.devcluster.tools import Download, Tool, download_of

TIMEOUT = httpx.Timeout(30.0, connect=2.0)  # a host behind a firewall must not hold the build up
CHUNK = 1024 * 1024
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Downloader:
    """Downloads programs. A host that could not be reached once is not tried again."""

    client: httpx.Client
    progress: Progress
    place_of: Callable[[Tool], Download] = download_of
    _unreachable: set[str] = field(default_factory=set, init=False)

    def fetch(self, tool: Tool, target: Path) -> bool:
        """Whether `tool` now lies at `target`. False: unreachable, or not what was published."""
        place = self.place_of(tool)
        host = httpx.URL(place.url).host
        if host in self._unreachable:
            return False
        partial = target.with_name(f".{target.name}.download.{os.getpid()}")
        try:
            return self._fetch(tool, place, partial, target)
        except (httpx.HTTPError, OSError, tarfile.TarError, KeyError):
            self._unreachable.add(host)
            return False
        finally:
            partial.unlink(missing_ok=True)

    def _fetch(self, tool: Tool, place: Download, partial: Path, target: Path) -> bool:
        expected = self._checksum(place)
        if expected is None:  # what answered is not the publisher: a proxy's page, say
            return False
        self.progress.say(f"downloading {tool.name} {tool.version} from {httpx.URL(place.url).host}")
        actual = self._save(place.url, partial)
        if actual != expected:
            self.progress.say(f"{place.url} has sha256 {actual}, published is {expected}: not used")
            return False
        _install(partial, place, target)
        return True

    def _checksum(self, place: Download) -> str | None:
        answer = self.client.get(place.checksum, timeout=TIMEOUT, follow_redirects=True)
        answer.raise_for_status()
        name = place.url.rpartition("/")[2]
        for line in answer.text.splitlines():  # `<sha256>` alone, or `<sha256>  <file>` for one or several
            digest, _, file = line.strip().partition(" ")
            if SHA256.fullmatch(digest.lower()) and file.strip().lstrip("*") in ("", name):
                return digest.lower()
        return None

    def _save(self, url: str, partial: Path) -> str:
        partial.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with self.client.stream("GET", url, timeout=TIMEOUT, follow_redirects=True) as answer:
            answer.raise_for_status()
            with partial.open("wb") as out:
                for chunk in answer.iter_bytes(CHUNK):
                    digest.update(chunk)
                    out.write(chunk)
        return digest.hexdigest()


def _install(partial: Path, place: Download, target: Path) -> None:
    if place.member is not None:
        _extract(partial, place.member)
    partial.chmod(0o755)
    partial.rename(target)


def _extract(archive: Path, member: str) -> None:
    """Replaces the archive by the one file in it that is wanted."""
    inner = archive.with_name(f"{archive.name}.member")
    with tarfile.open(archive) as tar:
        source = tar.extractfile(member)
        if source is None:
            raise KeyError(member)
        with source, inner.open("wb") as out:
            while chunk := source.read(CHUNK):
                out.write(chunk)
    inner.rename(archive)
