"""nginx and HAProxy, each as Debian ships it, as a proxy in front of a recording backend."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from tidegate.devcluster.ports import free_ports

# Their own defaults decide what is accepted; set is only what a proxy in front of a worker needs: kept
# connections, and a body limit as large as tidegate's.
_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{}}
http {{
  access_log off; client_max_body_size 64m;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{backend}; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
  }}
}}
"""
_HAPROXY = """
global
  maxconn 200
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend f
  bind 127.0.0.1:{port}
  default_backend b
backend b
  server s 127.0.0.1:{backend}
"""


def missing() -> str:
    """Which of the two is not installed; empty where both are."""
    return ", ".join(name for name in ("nginx", "haproxy") if _program(name) is None)


def _program(name: str) -> str | None:
    return shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


KNOWN = (
    "nginx 1.22.",
    "haproxy 2.6.",
)  # Debian 12's, whose verdicts the reasons explain; others judge otherwise


@contextlib.asynccontextmanager
async def nginx(backend: int, folder: Path) -> AsyncIterator[int]:
    """The port of an nginx before ``backend``."""
    [port] = free_ports(1)
    path = folder / "nginx.conf"
    path.write_text(_NGINX.format(folder=folder, port=port, backend=backend))
    async with _running("nginx", "-c", str(path), "-e", str(folder / "nginx.log"), port=port):
        yield port


@contextlib.asynccontextmanager
async def haproxy(backend: int, folder: Path) -> AsyncIterator[int]:
    """The port of a HAProxy before ``backend``."""
    [port] = free_ports(1)
    path = folder / "haproxy.cfg"
    path.write_text(_HAPROXY.format(port=port, backend=backend))
    async with _running("haproxy", "-q", "-db", "-f", str(path), port=port):
        yield port


async def version(name: str) -> str:
    """What ``name`` says of itself: ``nginx 1.22.1``."""
    process = await asyncio.create_subprocess_exec(
        _program(name) or name,
        "-v",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    words = said.decode().replace("/", " ").replace("-", " ").split()
    return f"{name} {next(word for word in words if word[0].isdigit())}"


@contextlib.asynccontextmanager
async def _running(name: str, *arguments: str, port: int) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        _program(name) or name, *arguments, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(20):
            while not await _listens(port):
                if process.returncode is not None:
                    raise RuntimeError(f"{name} ended with {process.returncode} before it listened")
                await asyncio.sleep(0.02)
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return False
    writer.close()
    return True
