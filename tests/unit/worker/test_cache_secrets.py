"""Credentials as they come by environment: what is sent of them, and that nothing of them is printed."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tidegate_cache import command
from tidegate_cache.causes import FillError
from tidegate_cache.hub import Hub
from tidegate_cache.sigv4 import Keys, keys_of, signed
from tidegate_cache.web import Patience, Web
from tidegate_worker.failure import redact

QUICK = ("--tries", "2", "--pause-seconds", "0.01", "--silence-seconds", "30")


class Listener:
    """A server on loopback that keeps what it is asked and answers with ``answer``: status, headers, body."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.status, self.headers, self.body = 403, dict[str, str](), b""
        self.answers_head = True
        self.address = ""


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Quiet."""

        def do_HEAD(self) -> None:
            if found.answers_head:
                self.do_GET()

        def do_GET(self) -> None:
            found.asked.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(found.status)
            for name, value in {**found.headers, "content-length": str(len(found.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(found.body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    found.address = f"127.0.0.1:{server.server_port}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def message(tmp_path: Path, environment: dict[str, str], model: str = "hf://acme/chat") -> str:
    """The termination message of a filling that fails."""
    file = tmp_path / "message"
    words = ["--model", model, "--cache", str(tmp_path / "cache"), "--link", str(tmp_path / "link"), *QUICK]
    with kept_signals():
        assert command.main(words, {**environment, "TIDEGATE_TERMINATION_MESSAGE": str(file)}) == 1
    return file.read_text()


@contextmanager
def kept_signals() -> Iterator[None]:
    """The command is a process of its own elsewhere: it changes handlers and the umask."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signal, "signal", lambda *_: None)
        patch.setattr(os, "umask", lambda _: 0)
        yield


def test_white_space_around_a_token_is_not_sent(listener: Listener, tmp_path: Path) -> None:
    message(tmp_path, {"HF_ENDPOINT": f" http://{listener.address}/ ", "HF_TOKEN": "some-token-of-mine\n"})
    assert listener.asked[0]["authorization"] == "Bearer some-token-of-mine"


def test_white_space_around_keys_is_not_signed_with() -> None:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION")
    assert keys_of({name: f"{name}\n" for name in names}) == Keys(*names)
    assert keys_of(dict.fromkeys(names, " \n")) is None


def test_a_secret_is_blotted_out_without_the_white_space_that_it_was_given_with() -> None:
    assert redact("said some-token-of-mine", {"MY_TOKEN": "some-token-of-mine\n"}) == "said ***"
    assert redact("a short 1 stays", {"MY_TOKEN": "short  \n\n"}) == "a short 1 stays"


@pytest.mark.parametrize("token", ["two\nlines-of-it", "schlüssel-für-alles"])
def test_a_token_that_no_header_can_carry_is_named_and_not_printed(
    listener: Listener, tmp_path: Path, token: str, capfd: pytest.CaptureFixture[str]
) -> None:
    said = message(tmp_path, {"HF_ENDPOINT": f"http://{listener.address}", "HF_TOKEN": token})
    assert said.startswith("ModelForbidden: the header authorization cannot be sent")
    for part in ("lines-of-it", "alles"):
        assert part not in said + "".join(capfd.readouterr())


@pytest.mark.parametrize("model", ["hf://acme/chat", "s3://acme/chat"])
def test_a_name_and_a_password_in_an_address_are_sent_and_never_printed(
    listener: Listener, tmp_path: Path, model: str, capfd: pytest.CaptureFixture[str]
) -> None:
    address = f"http://joe:pa%40ss@word@{listener.address}"
    said = message(tmp_path, {"HF_ENDPOINT": address, "AWS_ENDPOINT_URL": address}, model)
    assert said.startswith("ModelForbidden: ")
    assert listener.asked[0]["authorization"] == "Basic am9lOnBhQHNzQHdvcmQ="
    assert listener.asked[0]["host"] == listener.address
    listener.status, listener.body = 200, b"no json"
    said += message(tmp_path, {"HF_ENDPOINT": address, "AWS_ENDPOINT_URL": address}, model)
    assert "word" not in said + "".join(capfd.readouterr())


def test_a_signature_is_for_the_host_without_what_stands_before_it() -> None:
    keys = Keys("access", "secret", "", "us-east-1")
    assert signed("https://joe:pass@a.example/b", keys, 0.0) == signed("https://a.example/b", keys, 0.0)


def test_a_token_is_not_in_the_log_of_a_model_that_is_taken_unasked(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "cache" / "models" / "hf--acme--chat--one"
    key.mkdir(parents=True)
    (key / ".tidegate.json").write_text(json.dumps({"files": {}}))
    (tmp_path / "cache" / "refs").mkdir()
    (tmp_path / "cache" / "refs" / "link").write_text(key.name)

    def snapshot(_: Hub) -> None:
        raise FillError("ModelUnreachable", "the proxy said some-token-of-mine")

    monkeypatch.setattr(Hub, "snapshot", snapshot)
    words = [
        "--model",
        "hf://acme/chat",
        "--cache",
        str(tmp_path / "cache"),
        "--link",
        str(tmp_path / "link"),
    ]
    with kept_signals():
        assert command.main(words, {"HF_TOKEN": "some-token-of-mine"}) == 0
    assert "the proxy said ***" in capfd.readouterr().out


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/a", "data:,a"])
def test_a_redirect_to_what_is_no_http_is_not_followed(
    listener: Listener, tmp_path: Path, target: str
) -> None:
    listener.status, listener.headers = 302, {"location": target}
    said = message(tmp_path, {"HF_ENDPOINT": f"http://{listener.address}"})
    scheme = target.partition(":")[0]
    assert f"redirects from http:// to {scheme}://, which is not followed" in said


def test_what_was_asked_for_by_https_is_not_fetched_without(
    listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a certificate: only the connection itself is made to be one without TLS."""
    listener.status, listener.headers = 302, {"location": f"http://{listener.address}/elsewhere"}
    real = Web._open

    def without_tls(web: Web, url: str, headers: dict[str, str], method: str) -> object:
        return real(web, url.replace("https://", "http://"), headers, method)

    monkeypatch.setattr(Web, "_open", without_tls)
    said = message(tmp_path, {"HF_ENDPOINT": f"https://{listener.address}"})
    assert "redirects from https:// to http://, which is not followed" in said
    assert len(listener.asked) == 1


@pytest.mark.parametrize("address", ["file:///etc", "mirror.example.org", "http://"])
def test_an_address_that_is_no_http_is_refused_with_a_sentence(tmp_path: Path, address: str) -> None:
    said = message(tmp_path, {"HF_ENDPOINT": address})
    assert said.startswith("ModelUnreachable: ")
    assert "is no address that begins with http:// or https://" in said


def test_a_mirror_that_tells_no_sizes_and_then_nothing_is_one_that_is_away(
    listener: Listener, tmp_path: Path
) -> None:
    listener.status, listener.answers_head = 200, False
    listener.body = json.dumps({"sha": "a" * 40, "siblings": [{"rfilename": "config.json"}]}).encode()
    said = message(tmp_path, {"HF_ENDPOINT": f"http://{listener.address}"})
    assert said.startswith("ModelUnreachable: hf://acme/chat cannot be asked for: ")


def test_the_files_of_every_format_are_another_model_of_the_same_commit() -> None:
    sources = [Hub(Web(Patience()), "acme/chat", "c" * 40, {}, every_format=every) for every in (True, False)]
    assert len({source.pinned_key() for source in sources}) == 2


@pytest.mark.parametrize(
    ("error", "start"),
    [
        (OSError(errno.EIO, "Input/output error", "models"), "CacheNotWritable: "),
        (RuntimeError("some-token-of-mine"), "InitContainerFailed: the container cache, "),
    ],
)
def test_what_nobody_thought_of_is_a_sentence_too(
    tmp_path: Path,
    error: Exception,
    start: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(command, "fill", broken)
    said = message(tmp_path, {})
    assert said.startswith(start)
    assert "some-token-of-mine" not in said
    assert "Traceback" not in "".join(capfd.readouterr())
