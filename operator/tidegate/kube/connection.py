"""How to reach the cluster: the pod's service account, else the kubeconfig's current context."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path
from urllib.request import getproxies

import aiohttp
import yaml
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import (
    ConfigException,
    list_kube_config_contexts,
    load_incluster_config,
    load_kube_config,
)

from tidegate.kube.errors import KubeConfigError

SERVICE_ACCOUNT_DIR = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# A peer that vanished without a FIN is noticed after 15 + 3 x 5 = 30 s, also on a silent watch.
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)

# How long an unused connection is kept for the next call, which then has no handshake to make. API servers
# close theirs after 90 s, and what one has closed is not used again.
_IDLE_SECONDS = 60.0

# What the Kubernetes client raises for files that are missing, no YAML, empty, or of another shape.
_UNREADABLE = (ConfigException, OSError, yaml.YAMLError, TypeError, AttributeError, KeyError, ValueError)


async def load_configuration() -> Configuration:
    """The client's configuration; inside a pod its token is read anew every minute.

    The order (service account first, then ``KUBECONFIG``, then ``~/.kube/config``) is kopf's, so that
    both speak to the same cluster. Raises KubeConfigError.
    """
    configuration = Configuration()
    try:
        if in_cluster():
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            await load_kube_config(  # type: ignore[no-untyped-call]
                config_file=kubeconfig_files(), client_configuration=configuration, persist_config=False
            )
    except _UNREADABLE as error:
        raise _unreadable(error) from error
    # Where it heeds the environment, each request has a thread look for a .netrc: a tenth of what it costs.
    configuration.client_session_kwargs = {"trust_env": bool(getproxies())}
    return configuration


def default_namespace() -> str:
    """The namespace that is meant where none is named, as kubectl has it: the pod's own, or that of the
    kubeconfig's current context, else ``default``. KubeConfigError."""
    try:
        if in_cluster():
            return (SERVICE_ACCOUNT_DIR / "namespace").read_text("utf-8").strip() or "default"
        _, active = list_kube_config_contexts(kubeconfig_files())  # type: ignore[no-untyped-call]
    except _UNREADABLE as error:
        raise _unreadable(error) from error
    return str((active.get("context") or {}).get("namespace") or "default")


def _unreadable(error: Exception) -> KubeConfigError:
    where = "the pod's service account" if in_cluster() else os.environ.get("KUBECONFIG") or "~/.kube/config"
    return KubeConfigError(
        f"cannot read how to reach the cluster from {where}: {' '.join(str(error).split())}"
    )


def in_cluster() -> bool:
    """Whether this process runs in a pod with a service account."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (SERVICE_ACCOUNT_DIR / "token").is_file()


def _users_own() -> str:
    try:
        return str(Path.home() / ".kube" / "config")
    except RuntimeError:
        raise KubeConfigError(
            "this user has no home folder to look for a kubeconfig in; set KUBECONFIG"
        ) from None


def kubeconfig_files() -> str:
    """The kubeconfig's path or paths, joined as kubectl does; KubeConfigError where none exists."""
    paths = os.environ.get("KUBECONFIG") or _users_own()
    if not any(Path(path).expanduser().is_file() for path in paths.split(os.pathsep) if path):
        raise KubeConfigError(
            f"no cluster to talk to: not in a pod, and no kubeconfig at {paths}; set KUBECONFIG"
        )
    return paths


class Transport(RESTClientObject):
    """The Kubernetes client's own TLS set-up, on sockets that notice a vanished peer."""

    def _create_connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(
            limit=self.maxsize,
            ssl=self.ssl_context,
            socket_factory=_socket_with_keepalive,
            keepalive_timeout=_IDLE_SECONDS,
        )

    def session(self) -> aiohttp.ClientSession:
        """The session that all requests share, made on first use."""
        if self.pool_manager is None:
            self.pool_manager = self._create_pool_manager()
        return self.pool_manager

    def tls(self, *, verify: bool) -> ssl.SSLContext:
        """TLS with our client certificate, if we have one; unverified only where that is asked for."""
        if verify:
            return self.ssl_context
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if self.configuration.cert_file:
            context.load_cert_chain(self.configuration.cert_file, self.configuration.key_file)
        return context


def _socket_with_keepalive(address: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, _, _ = address
    sock = socket.socket(family=family, type=kind, proto=protocol)
    for level, option, value in _KEEPALIVE:
        sock.setsockopt(level, option, value)
    return sock
