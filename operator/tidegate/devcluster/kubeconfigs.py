"""Kubeconfig files with everything inside, so that they can be copied anywhere."""

from __future__ import annotations

import base64
from pathlib import Path

import yaml

from tidegate.devcluster.layout import write_private


def write_kubeconfig(file: Path, pki: Path, user: str, server: str, context: str) -> None:
    """Writes a kubeconfig for the certificate `user` in `pki`; only its owner may read it."""
    cluster = {"server": server, "certificate-authority-data": _data(pki / "ca.crt")}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [{"name": context, "context": {"cluster": context, "user": user}}],
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": user, "user": _credentials(pki, user)}],
    }
    write_private(file, yaml.safe_dump(document, sort_keys=False).encode())


def _credentials(pki: Path, user: str) -> dict[str, str]:
    return {
        "client-certificate-data": _data(pki / f"{user}.crt"),
        "client-key-data": _data(pki / f"{user}.key"),
    }


def _data(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
