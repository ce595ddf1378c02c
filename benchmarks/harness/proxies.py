"""The three proxies as a user would set them up: keep-alive upstream, access log, streams unbuffered."""

from __future__ import annotations

import contextlib
import json
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.load import Ground
from harness.processes import free_ports, listening, only_child, running, wait_for

TIDEGATE, NGINX, HAPROXY = "tidegate", "nginx", "haproxy"
NOBODY = 1  # a port that nobody listens on: the worker of a service that holds every request

_SERVICE = """---
apiVersion: tidegate.io/v1alpha1
kind: InferenceService
metadata: {{name: {name}, namespace: bench, annotations: {{tidegate.io/endpoints: "{endpoints}"}}}}
spec:
  model: {{uri: "hf://bench/{name}", servedNames: [{name}]}}
  engine: {{maxConcurrency: 4096}}
  resources: {{cpu: 1, memory: 1Gi}}
  queue: {{maxDepth: {depth}}}
"""
_NGINX = """
daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 16000; }}
http {{
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s; default_type application/json; server_tokens off;
  keepalive_requests 100000000; access_log {dir}/access.log combined buffer=64k flush=1s;
  proxy_http_version 1.1; proxy_set_header Connection '';
  upstream requests {{ server 127.0.0.1:{worker}; keepalive 1000; }}
  upstream streams {{ server 127.0.0.1:{source}; server 127.0.0.2:{source}; keepalive 1000; }}
  server {{ listen 127.0.0.1:{requests} backlog=4096; location / {{ proxy_pass http://requests; }} }}
  server {{
    listen 127.0.0.1:{streams} backlog=4096;
    location / {{ proxy_pass http://streams; proxy_buffering off; }}
  }}
  server {{
    listen 127.0.0.1:{refusals} backlog=4096;
    {fields}
    location / {{ return 429 '{body}'; }}
  }}
}}
"""
_HAPROXY = """
global
  nbthread 1
  maxconn 5200
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  option http-no-delay
  http-reuse always
  timeout connect 3s
  timeout client 300s
  timeout server 300s
frontend requests
  bind 127.0.0.1:{requests} backlog 4096
  default_backend worker
frontend streams
  bind 127.0.0.1:{streams} backlog 4096
  default_backend source
frontend refusals
  bind 127.0.0.1:{refusals} backlog 4096
  http-request return status 429 content-type application/json file {dir}/refusal.json {fields}
backend worker
  server one 127.0.0.1:{worker}
backend source
  server one 127.0.0.1:{source}
  server two 127.0.0.2:{source}
"""


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs: whose CPU counts, and its port for each kind of load."""

    name: str
    pid: int
    requests: int
    streams: int
    refusals: int
    admin: int = 0


@dataclass(frozen=True)
class Refusal:
    """The 429 that all proxies shall give: its body, and the fields beside it."""

    body: bytes = b"{}"
    fields: tuple[tuple[str, str], ...] = ()


@contextlib.contextmanager
def nginx(ground: Ground, refusal: Refusal = Refusal()) -> Iterator[Proxy]:
    """nginx with one worker process."""
    folder = ground.subfolder("nginx")
    requests, streams, refusals = free_ports(3)
    config = folder / "nginx.conf"
    body = refusal.body.decode().replace("\\", "\\\\").replace("'", "\\'")
    fields = " ".join(f"add_header {name} '{value}' always;" for name, value in refusal.fields)
    text = _NGINX.format(
        dir=folder,
        worker=ground.worker,
        source=ground.source,
        requests=requests,
        streams=streams,
        refusals=refusals,
        body=body,
        fields=fields.replace("'{id}'", "$request_id"),
    )
    config.write_text(text)
    command = ("nginx", "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config))
    with running(ground.cores.proxy, *command) as process:
        wait_for("nginx listens", lambda: listening(refusals))
        yield Proxy(NGINX, only_child(process.pid), requests, streams, refusals)


@contextlib.contextmanager
def haproxy(ground: Ground, refusal: Refusal = Refusal()) -> Iterator[Proxy]:
    """HAProxy with one thread; its log goes to a file, a write a line: it has no buffered log."""
    folder = ground.subfolder("haproxy")
    requests, streams, refusals = free_ports(3)
    (folder / "refusal.json").write_bytes(refusal.body)
    fields = " ".join(f'hdr {name} "{value}"' for name, value in refusal.fields).replace(
        '"{id}"', "%[uuid()]"
    )
    text = _HAPROXY.format(
        dir=folder,
        worker=ground.worker,
        source=ground.source,
        requests=requests,
        streams=streams,
        refusals=refusals,
        fields=fields,
    )
    config = folder / "haproxy.cfg"
    config.write_text(text)
    with (folder / "log").open("wb") as log:
        command = ("haproxy", "-db", "-q", "-f", str(config))
        with running(ground.cores.proxy, *command, stdout=log) as process:
            wait_for("HAProxy listens", lambda: listening(refusals))
            yield Proxy(HAPROXY, process.pid, requests, streams, refusals)


@contextlib.contextmanager
def tidegate(
    ground: Ground,
    *,
    core: int | None = None,
    flags: tuple[str, ...] = (),
    launcher: tuple[str, ...] = ("-m", "tidegate.cli"),
) -> Iterator[Proxy]:
    """Our gateway, everything switched on, with four services: ``requests`` and ``streams`` have workers,
    ``held`` has none and a long queue, ``full`` admits one request at a time."""
    port, admin = free_ports(2)
    folder = ground.subfolder(f"tidegate-{port}")
    file = folder / "services.yaml"
    file.write_text(_services(ground))
    listen = ("--listen", f"127.0.0.1:{port}", "--admin-listen", f"127.0.0.1:{admin}")
    command = (sys.executable, *launcher, "--log-level", "ERROR", "gateway", "--file", str(file), *listen)
    on = ground.cores.proxy if core is None else core
    with (folder / "log").open("wb") as log, running(on, *command, *flags, stdout=log) as process:
        wait_for("tidegate listens", lambda: listening(port) and listening(admin))
        wait_for("tidegate reaches the workers", lambda: _reaches(admin, ("requests", "streams", "full")))
        yield Proxy(TIDEGATE, process.pid, port, port, port, admin)


def _services(ground: Ground) -> str:
    source = f"127.0.0.1:{ground.source},127.0.0.2:{ground.source}"
    nobody = f"127.0.0.1:{NOBODY}"
    services = (
        ("requests", f"127.0.0.1:{ground.worker}", 2000),
        ("streams", source, 20000),
        ("held", nobody, 20000),
        ("full", source, 1),
    )
    return "".join(_SERVICE.format(name=n, endpoints=e, depth=d) for n, e, d in services)


def shares(admin: int) -> bool:
    """Whether a gateway's link to the other one is up, so that they have one queue."""
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/status") as answer:
        return [(one["link"], one["ready"]) for one in json.load(answer)["gateways"]] == [("up", True)]


def gateway_status(admin: int) -> dict[str, dict[str, Any]]:
    """What a gateway says of each of its services, by name."""
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/status") as answer:
        services = json.load(answer)["services"]
    return {one["service"].partition("/")[2]: one for one in services}


def _reaches(admin: int, names: tuple[str, ...]) -> bool:
    found = gateway_status(admin)
    return all(name in found and found[name]["endpoints"] for name in names)
