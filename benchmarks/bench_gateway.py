"""What the gateway costs: CPU of its process for a 2.5 KB chat request and a streamed chunk, beside nginx.

The proxy has one core, load and workers another; rounds of both proxies alternate, medians count. CPU time
is the kernel's account of the proxy's threads, so a busy machine changes it little. Needs nginx and wrk:
``apt-get install nginx wrk`` on Debian (their services need not run).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ROUNDS, SECONDS, CONNECTIONS, STREAMS, INTERVAL_MS = 5, 4, 64, 400, 20
PROXY_CORE, LOAD_CORE = 0, 1
ANSWER = json.dumps({"id": "c", "choices": [{"message": {"role": "assistant", "content": "y" * 300}}]})
SERVICE = """
apiVersion: tidegate.io/v1alpha1
kind: InferenceService
metadata:
  {{name: {name}, namespace: bench, annotations: {{tidegate.io/endpoints: "127.0.0.1:{port}"}}}}
spec:
  model: {{uri: "hf://bench/bench", servedNames: [{name}]}}
  engine: {{maxConcurrency: 1000}}
  resources: {{cpu: 1, memory: 1Gi}}
  queue: {{maxDepth: 2000}}
"""
NGINX = """
daemon off; worker_processes 1; pid {dir}/{name}.pid; error_log {dir}/{name}.error.log;
events {{ worker_connections 4096; }}
http {{
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s; {http}
}}
"""
WORKER = """
access_log off; keepalive_requests 100000000;
server {{
  listen 127.0.0.1:{port} backlog=4096; default_type application/json;
  location / {{ return 200 '{answer}'; }}
}}
"""
WRK = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = '{"model": "bench", "max_tokens": 16, "messages": [{"role": "user", "content": "%s"}]}'
"""


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs: whose CPU counts, and its ports for requests and for streams."""

    name: str
    pid: int
    request_port: int
    stream_port: int

    def cpu_seconds(self) -> float:
        """CPU time so far, of all its threads."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def running(core: int, *command: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process on one core; it ends with the block."""
    process = subprocess.Popen(["taskset", "-c", str(core), *command], **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def wait_for(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not ready():
        if time.monotonic() > end:
            raise SystemExit("a process of the benchmark did not start within 20 s")
        time.sleep(0.05)


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def nginx(where: Path, name: str, core: int, http: str) -> contextlib.AbstractContextManager[Any]:
    config = where / f"{name}.conf"
    config.write_text(NGINX.format(dir=where, name=name, http=http))
    return running(core, "nginx", "-p", str(where), "-e", str(where / f"{name}.error.log"), "-c", str(config))


def nginx_proxy(where: Path, ports: dict[str, int]) -> str:
    """nginx as a proxy: keep-alive upstream, access log buffered, streams unbuffered."""
    server = (
        "upstream {u} {{ server 127.0.0.1:{to}; keepalive 1000; }} "
        "server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://{u}; "
        "proxy_http_version 1.1; proxy_set_header Connection ''; {more} }} }}"
    )
    requests = server.format(u="requests", to=ports["worker"], port=ports["nginx"], more="")
    streams = server.format(
        u="streams", to=ports["stream"], port=ports["nginx_stream"], more="proxy_buffering off;"
    )
    log = f"access_log {where}/access.log combined buffer=64k flush=1s; keepalive_requests 100000000;"
    return f"{log} {requests} {streams}"


@contextlib.contextmanager
def everything(where: Path) -> Iterator[list[Proxy]]:
    """Workers and both proxies."""
    ports = {
        n: free_port() for n in ("worker", "stream", "nginx", "nginx_stream", "a", "b", "admin", "admin_b")
    }
    worker = WORKER.format(port=ports["worker"], answer=ANSWER)
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        enter(nginx(where, "worker", LOAD_CORE, worker))
        load = str(Path(__file__).with_name("stream_load.py"))
        enter(running(LOAD_CORE, sys.executable, load, "serve", str(ports["stream"]), str(INTERVAL_MS)))
        theirs = enter(nginx(where, "proxy", PROXY_CORE, nginx_proxy(where, ports)))
        ours = [
            enter(gateway(where, ports[a], ports[b], ports[to]))
            for a, b, to in (("a", "admin", "worker"), ("b", "admin_b", "stream"))
        ]
        wait_for(lambda: all(listening(port) for port in ports.values()))
        wait_for(lambda: all(_awake(ports[name]) for name in ("a", "b")))
        child = int(Path(f"/proc/{theirs.pid}/task/{theirs.pid}/children").read_text().split()[0])
        yield [
            Proxy("nginx", child, ports["nginx"], ports["nginx_stream"]),
            Proxy("tidegate", ours[0].pid, ports["a"], 0),
            Proxy("tidegate", ours[1].pid, 0, ports["b"]),
        ]


def gateway(where: Path, port: int, admin: int, to: int) -> contextlib.AbstractContextManager[Any]:
    """Our proxy, with everything switched on, the access log too."""
    file, log = where / f"{port}.yaml", (where / f"{port}.log").open("wb")
    file.write_text(SERVICE.format(name="bench", port=to))
    command = (sys.executable, "-m", "tidegate.cli", "--log-level", "WARNING", "gateway", "--file", str(file))
    listen = ("--listen", f"127.0.0.1:{port}", "--admin-listen", f"127.0.0.1:{admin}")
    return running(PROXY_CORE, *command, *listen, stdout=log)


def _awake(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as answer:
        return bool(json.load(answer)["worker_state"] == "running")


def request_round(proxy: Proxy, script: Path) -> dict[str, float]:
    """CPU µs a request, and requests a second."""
    before = proxy.cpu_seconds()
    url = f"http://127.0.0.1:{proxy.request_port}/v1/chat/completions"
    command = ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s"]
    out = subprocess.run([*command, str(script), url], capture_output=True, text=True, check=True).stdout
    used = proxy.cpu_seconds() - before
    if "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit(f"{proxy.name}: requests failed\n{out}")
    count = int(next(line for line in out.splitlines() if " requests in " in line).split()[0])
    return {"cpu_us": used / count * 1e6, "per_second": count / SECONDS}


def stream_round(proxy: Proxy) -> dict[str, float]:
    """CPU µs a chunk, and chunks a second."""
    load = [sys.executable, str(Path(__file__).with_name("stream_load.py")), "read"]
    arguments = [str(proxy.stream_port), str(STREAMS), str(SECONDS)]
    with running(LOAD_CORE, *load, *arguments, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None  # noqa: S101 - it is a pipe
        reader.stdout.readline()
        before = proxy.cpu_seconds()
        told = json.loads(reader.stdout.readline())
        used = proxy.cpu_seconds() - before
    return {"cpu_us": used / told["chunks"] * 1e6, "per_second": told["chunks"] / told["seconds"]}


def main() -> int:
    """Runs all rounds; prints a table and writes benchmarks/results/gateway.json."""
    missing = [tool for tool in ("nginx", "wrk", "taskset") if shutil.which(tool) is None]
    if missing or (os.cpu_count() or 1) < 2:
        print(f"bench_gateway needs two cores and {', '.join(missing)}: apt-get install nginx wrk util-linux")
        return 1
    rounds: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, everything(Path(folder)) as proxies:
        script = Path(folder) / "chat.lua"
        script.write_text(WRK % ("x" * 2400))
        for number in range(ROUNDS):
            for proxy in proxies:
                if proxy.request_port:
                    rounds.append(
                        {"round": number, "what": "request", "proxy": proxy.name}
                        | request_round(proxy, script)
                    )
                if proxy.stream_port:
                    rounds.append(
                        {"round": number, "what": "chunk", "proxy": proxy.name} | stream_round(proxy)
                    )
                print(json.dumps(rounds[-1]), flush=True)
    report(rounds)
    return 0


def report(rounds: list[dict[str, Any]]) -> None:
    """The table and the file."""
    figures = []
    for what, goal in (("request", 1.5), ("chunk", 1.3)):
        cpu = {
            name: statistics.median(r["cpu_us"] for r in rounds if (r["what"], r["proxy"]) == (what, name))
            for name in ("nginx", "tidegate")
        }
        for name, value in cpu.items():
            print(f"{name:10} {value:6.1f} µs CPU a {what}")
            figures.append(figure(f"{name}_cpu_per_{what}", value, "µs", None))
        ratio = cpu["tidegate"] / cpu["nginx"]
        print(f"{'ratio':10} {ratio:6.2f} (goal {goal})")
        figures.append(figure(f"cpu_per_{what}_over_nginx", ratio, "ratio", goal))
    result = {
        "name": "gateway",
        "when": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "kernel": platform.release(),
            "python": platform.python_version(),
        },
        "figures": figures,
        "rounds": rounds,
    }
    path = ROOT / "benchmarks" / "results" / "gateway.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


def figure(name: str, value: float, unit: str, goal: float | None) -> dict[str, Any]:
    """One figure as the results' format has it; one without a goal is met by being there."""
    met = goal is None or value <= goal
    return {
        "name": name,
        "value": round(value, 2),
        "unit": unit,
        "goal": goal,
        "direction": "max",
        "met": met,
    }


if __name__ == "__main__":
    sys.exit(main())
