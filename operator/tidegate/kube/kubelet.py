"""What a node's kubelet says of itself, asked directly.

The right to ``get`` on ``nodes/configz`` is enough for that (Kubernetes 1.33 and later). The API server's
node proxy would need ``nodes/proxy``, whose GET allows exec into every pod of the node.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from tidegate.kube.client import Json, KubeClient
from tidegate.kube.errors import KubeError

STATIC = "static"
NONE = "none"
_DEFAULT_PORT = 10250


@dataclass(frozen=True, slots=True)
class CpuManagerPolicy:
    """A kubelet's answer: ``static`` or ``none``; ``policy`` None where it could not be had, and why."""

    policy: str | None
    why: str = ""


class Kubelets:
    """Asks kubelets. ``insecure`` is the administrator's choice to accept self-signed kubelets, and to
    show them our token."""

    def __init__(self, client: KubeClient, *, insecure: bool = False) -> None:
        self._client = client
        self._insecure = insecure

    async def cpu_manager_policy(self, node: Json) -> CpuManagerPolicy:
        """The policy that a node's kubelet runs with. Never raises."""
        try:
            base = kubelet_url(node)
            if base is None:
                return CpuManagerPolicy(None, "the node has no InternalIP yet")
            answer = await self._client.get_elsewhere(f"{base}/configz", verify=not self._insecure)
        except (KubeError, ValueError) as error:
            return CpuManagerPolicy(None, str(error))
        config = answer.get("kubeletconfig")
        policy = config.get("cpuManagerPolicy") if isinstance(config, dict) else None
        if policy in (STATIC, NONE):
            return CpuManagerPolicy(policy)
        return CpuManagerPolicy(None, f"its kubelet answered with the policy {policy!r}")


def kubelet_url(node: Json) -> str | None:
    """``https://<InternalIP>:<port>`` of a node's kubelet; None before it has registered an address.

    ValueError: the node's InternalIP is none."""
    status = node.get("status") or {}
    for address in status.get("addresses") or []:
        if address.get("type") == "InternalIP":
            endpoint = (status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}
            return f"https://{_host(address['address'])}:{endpoint.get('Port') or _DEFAULT_PORT}"
    return None


def _host(address: str) -> str:
    return f"[{address}]" if isinstance(ip_address(address), IPv6Address) else address
