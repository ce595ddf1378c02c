"""GET /isolation and /start: small, bounded, and never in the engine's way."""

from __future__ import annotations

import json
import socket
import threading
import urllib.request
from collections.abc import Mapping

import pytest

from tidegate_worker.isolation_server import answer, serve_isolation

FREE = {"TIDEGATE_ISOLATION_PORT": "0"}


def evidence() -> Mapping[str, object]:
    return {"containerCpus": "2-3"}


def start() -> Mapping[str, object]:
    return {"loadsAfterSeconds": 1.5}


def failing() -> Mapping[str, object]:
    raise OSError("no such file")


ANSWERS = {"/isolation": evidence, "/start": start}


@pytest.fixture
def port() -> int:
    found = serve_isolation(ANSWERS, FREE)
    assert found
    return found


def test_the_times_of_the_start_are_served_beside_it(port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/start", timeout=60) as response:
        assert json.load(response) == {"loadsAfterSeconds": 1.5}


def test_the_evidence_is_served_as_json(port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/isolation", timeout=60) as response:
        assert response.headers["content-type"] == "application/json"
        assert json.load(response) == {"containerCpus": "2-3"}


def test_a_worker_with_an_address_of_its_own_listens_there_and_nowhere_else() -> None:
    port = serve_isolation(ANSWERS, {**FREE, "TIDEGATE_ISOLATION_HOST": "127.84.0.9"})
    with urllib.request.urlopen(f"http://127.84.0.9:{port}/isolation", timeout=60) as response:
        assert json.load(response) == {"containerCpus": "2-3"}
    with socket.socket() as another:  # would fail where all addresses were listened on
        another.bind(("127.84.0.10", port or 0))  # on 127.0.0.1 somebody may have this port


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET /isolation HTTP/1.1", b"200 "),
        (b"GET / HTTP/1.1", b"404 "),
        (b"GET /starts HTTP/1.1", b"404 "),
        (b"POST /isolation HTTP/1.1", b"405 "),
        (b"GET /isolation", b"400 "),
        (b"", b"400 "),
        (b"\x16\x03\x01 a b", b"400 "),
    ],
)
def test_only_these_requests_are_known(line: bytes, status: bytes) -> None:
    assert answer(line, ANSWERS).startswith(b"HTTP/1.1 " + status)


def test_evidence_that_cannot_be_had_is_an_error_and_not_the_end() -> None:
    assert answer(b"GET /isolation HTTP/1.1", {"/isolation": failing}).startswith(b"HTTP/1.1 500 ")


def test_a_pod_without_a_thread_left_has_its_engine_and_no_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert serve_isolation(ANSWERS, FREE) is None


@pytest.mark.parametrize("sent", [b"", b"GET /iso", b"G" * 5000])
def test_a_client_that_dawdles_or_floods_keeps_nobody_out(port: int, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as bad:
        bad.sendall(sent)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/isolation", timeout=60) as response:
            assert response.status == 200


def test_a_taken_port_costs_the_evidence_and_not_the_worker(port: int) -> None:
    assert serve_isolation(ANSWERS, {"TIDEGATE_ISOLATION_PORT": str(port)}) is None
    assert serve_isolation(ANSWERS, {"TIDEGATE_ISOLATION_PORT": "99999"}) is None
