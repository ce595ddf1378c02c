"""What the proxies stand between: workers that answer at once or stream, and the clients that ask."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.processes import Cores, free_ports, listening, running, wait_for

CONNECTIONS = 64
ANSWER = json.dumps({"id": "c", "choices": [{"message": {"role": "assistant", "content": "y" * 300}}]})
_STREAM_LOAD = str(Path(__file__).parents[1] / "stream_load.py")
_WORKER = """
daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 4096; }}
http {{
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s; access_log off; keepalive_requests 100000000;
  server {{
    listen 127.0.0.1:{port} backlog=4096; default_type application/json;
    location / {{ return 200 '{answer}'; }}
  }}
}}
"""
_SCRIPT = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = '%s'
"""


@dataclass(frozen=True)
class Ground:
    """Where everything runs, and the ports of the two workers."""

    folder: Path
    cores: Cores
    worker: int  # answers each request at once
    source: int  # streams, on two addresses

    def subfolder(self, name: str) -> Path:
        """A folder for one process's files."""
        path = self.folder / name
        path.mkdir(exist_ok=True)
        return path


@contextlib.contextmanager
def workers(folder: Path, cores: Cores) -> Iterator[Ground]:
    """Both workers, on the load's core."""
    worker, source = free_ports(2)
    ground = Ground(folder, cores, worker, source)
    where = ground.subfolder("worker")
    config = where / "nginx.conf"
    config.write_text(_WORKER.format(dir=where, port=worker, answer=ANSWER))
    answers = ("nginx", "-p", str(where), "-e", str(where / "error.log"), "-c", str(config))
    with (
        running(cores.load, *answers),
        running(cores.load, sys.executable, _STREAM_LOAD, "serve", str(source)),
    ):
        wait_for("the workers listen", lambda: listening(worker) and listening(source))
        yield ground


def chat_body(model: str) -> str:
    """A chat request of 2.5 KB."""
    prompt = "x" * 2400
    return json.dumps({"model": model, "max_tokens": 16, "messages": [{"role": "user", "content": prompt}]})


def chat_request(model: str) -> bytes:
    """The same as it goes over the wire."""
    body = chat_body(model).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


@dataclass(frozen=True)
class Requests:
    """What a run of wrk came to."""

    count: int
    refused: int  # answers other than 2xx and 3xx
    per_second: float


def ask(ground: Ground, port: int, model: str, seconds: float) -> Requests:
    """Asks over 64 kept connections, as fast as answers come; ends the benchmark where connections break."""
    script = ground.folder / f"{model}.lua"
    script.write_text(_SCRIPT % chat_body(model))
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    command = ["taskset", "-c", str(ground.cores.load), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s"]
    out = subprocess.run(
        [*command, "-s", str(script), url], capture_output=True, text=True, check=True
    ).stdout
    if "Socket errors" in out:
        raise SystemExit(f"bench: connections to port {port} broke\n{out}")
    count = int(_word(out, " requests in ", 0))
    refused = int(_word(out, "Non-2xx", -1)) if "Non-2xx" in out else 0
    return Requests(count, refused, float(_word(out, "Requests/sec", -1)))


def _word(text: str, line: str, place: int) -> str:
    return next(one for one in text.splitlines() if line in one).split()[place]


@contextlib.contextmanager
def reading(
    ground: Ground, port: int, streams: int, interval_ms: int, seconds: float
) -> Iterator[subprocess.Popen[bytes]]:
    """Clients that read streams: inside the block all have begun, or failed."""
    what = (str(port), "streams", str(streams), str(interval_ms), str(seconds))
    command = (sys.executable, _STREAM_LOAD, "read", *what)
    with running(ground.cores.load, *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        if _line(process) != b"running\n":
            raise SystemExit("bench: the streams' reader failed")
        yield process


def begin(process: subprocess.Popen[bytes]) -> None:
    """The clients measure from now on."""
    if process.stdin is not None:
        process.stdin.write(b"go\n")
        process.stdin.flush()


def told(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What the clients read in their time; waits for its end. Their streams still run then."""
    found: dict[str, Any] = json.loads(_line(process))
    return found


def _line(process: subprocess.Popen[bytes]) -> bytes:
    return b"" if process.stdout is None else process.stdout.readline()


@contextlib.contextmanager
def held_requests(port: int, model: str, count: int) -> Iterator[list[socket.socket]]:
    """So many requests that wait for their answer, each on a connection of its own."""
    request = chat_request(model)
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(count):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            client.sendall(request)
            clients.append(client)
        yield clients
