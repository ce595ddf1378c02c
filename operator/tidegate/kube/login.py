"""The cluster's address and credentials as plain values, for those who bring a client of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidegate.kube.connection import load_configuration


@dataclass(frozen=True, slots=True)
class Login:
    """Paths are files that live as long as the process. ``token`` without its scheme; None: not used."""

    server: str
    ca_path: str | None
    certificate_path: str | None
    private_key_path: str | None
    token: str | None
    insecure: bool


async def current_login() -> Login:
    """The same cluster and account that KubeClient uses, read anew. KubeConfigError."""
    configuration = await load_configuration()
    settings: dict[str, Any] = dict(await configuration.auth_settings())
    header = str((settings.get("BearerToken") or {}).get("value") or "")
    scheme, _, token = header.partition(" ")  # a pod's is written "bearer"
    return Login(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        token=token if scheme.lower() == "bearer" else None,
        insecure=not configuration.verify_ssl,
    )
