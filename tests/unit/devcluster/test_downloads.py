"""Downloads: verified, quickly given up where nothing can be reached."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import httpx

from tidegate.devcluster.download import Downloader
from tidegate.devcluster.progress import Progress
from tidegate.devcluster.tools import Download, all_tools, download_of

ETCD = all_tools()["etcd"]
BODY = b"#!/bin/sh\necho etcd\n"


def serving(pages: Mapping[str, bytes], calls: list[str] | None = None) -> httpx.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        if calls is not None:
            calls.append(request.url.path)
        content = pages.get(request.url.path)
        return httpx.Response(404) if content is None else httpx.Response(200, content=content)

    return httpx.Client(transport=httpx.MockTransport(answer))


def downloader(client: httpx.Client, member: str | None = None) -> Downloader:
    place = Download("https://example.test/etcd", "https://example.test/sums", member)
    return Downloader(client, Progress(None), lambda _: place)


def sums(content: bytes) -> bytes:
    return f"{'0' * 64}  another\n{hashlib.sha256(content).hexdigest()}  etcd\n".encode()


def test_a_program_whose_checksum_fits_is_kept_and_can_be_run(tmp_path: Path) -> None:
    loader = downloader(serving({"/etcd": BODY, "/sums": sums(BODY)}))
    assert loader.fetch(ETCD, tmp_path / "etcd")
    assert (tmp_path / "etcd").read_bytes() == BODY
    assert (tmp_path / "etcd").stat().st_mode & 0o111


def test_a_bare_checksum_counts_for_the_one_file(tmp_path: Path) -> None:
    bare = hashlib.sha256(BODY).hexdigest().encode() + b"\n"
    assert downloader(serving({"/etcd": BODY, "/sums": bare})).fetch(ETCD, tmp_path / "etcd")


def test_a_program_with_another_checksum_is_not_used(tmp_path: Path) -> None:
    loader = downloader(serving({"/etcd": b"tampered", "/sums": sums(BODY)}))
    assert not loader.fetch(ETCD, tmp_path / "etcd")
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_is_no_checksum_is_not_taken_for_one(tmp_path: Path) -> None:
    loader = downloader(serving({"/etcd": BODY, "/sums": b"<html>sign in, please</html>"}))
    assert not loader.fetch(ETCD, tmp_path / "etcd")


def test_a_host_that_cannot_be_reached_is_tried_once(tmp_path: Path) -> None:
    calls: list[str] = []
    loader = downloader(serving({}, calls))
    assert not loader.fetch(ETCD, tmp_path / "etcd")
    assert not loader.fetch(ETCD, tmp_path / "etcd")
    assert len(calls) == 1


def test_the_program_is_taken_out_of_its_archive(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        entry = tarfile.TarInfo("etcd-v3/etcd")
        entry.size = len(BODY)
        tar.addfile(entry, io.BytesIO(BODY))
    archive = packed.getvalue()
    loader = downloader(serving({"/etcd": archive, "/sums": sums(archive)}), "etcd-v3/etcd")
    assert loader.fetch(ETCD, tmp_path / "etcd")
    assert (tmp_path / "etcd").read_bytes() == BODY


def test_every_program_has_a_place_and_a_checksum_by_https() -> None:
    for tool in all_tools().values():
        place = download_of(tool)
        assert place.url.startswith("https://")
        assert place.checksum.startswith("https://")
        assert tool.version.removeprefix("v") in place.url
