"""The command lines of etcd, API server, controller manager and scheduler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

import yaml

from tidegate.devcluster.certificates import Authority, new_authority, new_key
from tidegate.devcluster.kubeconfigs import write_kubeconfig
from tidegate.devcluster.layout import State

CONTEXT = "tidegate"  # the name of the kubeconfigs' context and cluster
ADMIN = "admin"
AUDIT_MEGABYTES = 200  # the log is then rotated; one old file is kept
FRONT_PROXY = "front-proxy-client"  # the API server, as the API servers behind it know it

# certificate → (user, groups)
CLIENTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    ADMIN: ("admin", ("system:masters",)),
    "apiserver-kubelet-client": ("apiserver-kubelet-client", ("system:masters",)),
    "kube-controller-manager": ("system:kube-controller-manager", ()),
    "kube-scheduler": ("system:kube-scheduler", ()),
    "kube-proxy": ("system:kube-proxy", ()),
}


@dataclass(frozen=True)
class ControlPlane:
    """Addresses, ports and ranges of one control plane. Its files lie in `state`."""

    state: State
    address: str  # what the API server binds to and advertises
    service_range: IPv4Network
    pod_range: IPv4Network
    port: int = 6443
    etcd_port: int = 2379
    etcd_peer_port: int = 2380

    @property
    def url(self) -> str:
        """Where clients reach the API server."""
        return f"https://{self.address}:{self.port}"

    @property
    def etcd_url(self) -> str:
        """Where the API server reaches etcd: on the loopback of its own network."""
        return f"http://127.0.0.1:{self.etcd_port}"

    def write_files(self) -> Authority:
        """Writes fresh certificates, kubeconfigs and the audit policy; the authority that signed them."""
        pki = self.state.pki
        authority = new_authority(pki)
        names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        hosts = [*names, "127.0.0.1", str(self.service_range[1]), self.address]
        authority.server("apiserver", "kube-apiserver", hosts)
        new_key(pki / "sa.key")
        for name, (user, groups) in CLIENTS.items():
            authority.client(name, user, groups)
            write_kubeconfig(self.kubeconfig_of(name), pki, name, self.url, CONTEXT)
        new_authority(self.state.front_proxy).client(FRONT_PROXY, FRONT_PROXY)
        (self.state.root / "audit-policy.yaml").write_text(yaml.safe_dump(audit_policy()))
        return authority

    def kubeconfig_of(self, name: str) -> Path:
        """The kubeconfig of one client certificate."""
        return self.state.root / f"{name}.kubeconfig"

    def etcd(self) -> list[str]:
        """etcd's arguments: nothing survives a crash of the machine, and nothing has to."""
        peer = f"http://127.0.0.1:{self.etcd_peer_port}"
        return flags(
            data_dir=self.state.etcd,
            listen_client_urls=self.etcd_url,
            advertise_client_urls=self.etcd_url,
            listen_peer_urls=peer,
            initial_advertise_peer_urls=peer,
            initial_cluster=f"default={peer}",
            unsafe_no_fsync=True,
        )

    def api_server(self) -> list[str]:
        """The arguments that every mode shares."""
        pki = self.state.pki
        return flags(
            etcd_servers=self.etcd_url,
            service_cluster_ip_range=self.service_range,
            bind_address=self.address,
            advertise_address=self.address,
            secure_port=self.port,
            tls_cert_file=pki / "apiserver.crt",
            tls_private_key_file=pki / "apiserver.key",
            client_ca_file=pki / "ca.crt",
            service_account_key_file=pki / "sa.key",
            service_account_signing_key_file=pki / "sa.key",
            service_account_issuer="https://kubernetes.default.svc.cluster.local",
            authorization_mode="Node,RBAC",
            enable_admission_plugins="NodeRestriction",
            # Tests fit many small workers on one node by a MutatingAdmissionPolicy, off by default in 1.34.
            feature_gates="MutatingAdmissionPolicy=true",
            runtime_config="admissionregistration.k8s.io/v1beta1=true",
            allow_privileged=True,
            audit_log_path=self.state.audit_log,
            audit_log_maxsize=AUDIT_MEGABYTES,
            audit_log_maxbackup=1,
            audit_policy_file=self.state.root / "audit-policy.yaml",
        )

    def aggregation(self) -> list[str]:
        """How the API server speaks to the API servers behind it that an APIService names.

        It tells them in headers for whom it asks, and proves itself with a certificate of an authority that
        signs nothing else: with the cluster's own, any client of the cluster could write such headers.
        """
        pki = self.state.front_proxy
        return flags(
            requestheader_client_ca_file=pki / "ca.crt",
            requestheader_allowed_names=FRONT_PROXY,
            requestheader_username_headers="X-Remote-User",
            requestheader_group_headers="X-Remote-Group",
            requestheader_extra_headers_prefix="X-Remote-Extra-",
            proxy_client_cert_file=pki / f"{FRONT_PROXY}.crt",
            proxy_client_key_file=pki / f"{FRONT_PROXY}.key",
        )

    def kubelet_access(self) -> list[str]:
        """How the API server reaches kubelets: by IP (names are in no DNS), and verified."""
        pki = self.state.pki
        return flags(
            kubelet_preferred_address_types="InternalIP",
            kubelet_certificate_authority=pki / "ca.crt",
            kubelet_client_certificate=pki / "apiserver-kubelet-client.crt",
            kubelet_client_key=pki / "apiserver-kubelet-client.key",
        )

    def autoscaler(self, period: float) -> list[str]:
        """The controller of HorizontalPodAutoscalers alone, which looks every `period` seconds."""
        return flags(
            kubeconfig=self.kubeconfig_of("kube-controller-manager"),
            controllers="horizontal-pod-autoscaler-controller",
            horizontal_pod_autoscaler_sync_period=f"{period:g}s",
            use_service_account_credentials=True,
            leader_elect=False,
            secure_port=0,  # any number side by side
        )

    def controller_manager(self) -> list[str]:
        """The controllers, among them the one that fulfils volume claims with folders of this machine."""
        pki = self.state.pki
        return flags(
            kubeconfig=self.kubeconfig_of("kube-controller-manager"),
            service_account_private_key_file=pki / "sa.key",
            root_ca_file=pki / "ca.crt",
            cluster_signing_cert_file=pki / "ca.crt",
            cluster_signing_key_file=pki / "ca.key",
            use_service_account_credentials=True,
            leader_elect=False,
            allocate_node_cidrs=True,
            cluster_cidr=self.pod_range,
            service_cluster_ip_range=self.service_range,
            enable_hostpath_provisioner=True,
        )

    def scheduler(self) -> list[str]:
        """The scheduler's arguments."""
        return flags(kubeconfig=self.kubeconfig_of("kube-scheduler"), leader_elect=False)


def flags(**values: object) -> list[str]:
    """`tls_cert_file="x"` → `--tls-cert-file=x`; booleans in lower case, as Go reads them."""
    return [f"--{name.replace('_', '-')}={_text(value)}" for name, value in values.items()]


def audit_policy() -> dict[str, object]:
    """Who did what to which object and how it ended, once for each request, without bodies.

    With bodies only where kubelets ask what somebody may do: that shows which rights are used on a node.
    """
    reviews = {"group": "authorization.k8s.io", "resources": ["subjectaccessreviews"]}
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "RequestResponse", "resources": [reviews]}, {"level": "Metadata"}],
    }


def command(program: Path, arguments: Sequence[str]) -> list[str]:
    """A whole command line."""
    return [str(program), *arguments]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
