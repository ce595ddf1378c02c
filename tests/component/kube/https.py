"""Small HTTPS servers with certificates of a test's own authority."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from kubernetes.aio.client.configuration import Configuration

from tidegate.devcluster.certificates import Authority

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def authority_of(pki: Path, folder: Path) -> Authority:
    """An existing authority that from now on writes into ``folder``."""
    key = load_pem_private_key((pki / "ca.key").read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Authority(folder, x509.load_pem_x509_certificate((pki / "ca.crt").read_bytes()), key)


@asynccontextmanager
async def https_server(authority: Authority, handler: Handler) -> AsyncIterator[int]:
    """A server on a free port of 127.0.0.1 that gives every request to ``handler``."""
    authority.server("server", "server", ["127.0.0.1", "localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.folder / "server.crt", authority.folder / "server.key")
    runner = web.ServerRunner(web.Server(handler), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def configuration_for(port: int, ca: Path) -> Configuration:
    """A client's configuration with a token: ``s3cret-token``."""
    configuration = Configuration(host=f"https://127.0.0.1:{port}", ssl_ca_cert=str(ca))
    configuration.api_key["BearerToken"] = "Bearer s3cret-token"
    return configuration
