"""kind-config.yaml, and what the embedded cluster makes of it."""

from __future__ import annotations

import json
import re
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from tests.unit.devcluster.recording import Recorder
from tidegate.devcluster.addons import addons
from tidegate.devcluster.certificates import new_authority
from tidegate.devcluster.cgroups import Cgroups
from tidegate.devcluster.controlplane import ControlPlane, flags
from tidegate.devcluster.cpus import format_cpus, parse_cpus
from tidegate.devcluster.embedded import Embedded
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.gobuild import MODULES
from tidegate.devcluster.kindconfig import ClusterConfig, default_file, read_config
from tidegate.devcluster.layout import Cache, State
from tidegate.devcluster.node import Node
from tidegate.devcluster.progress import Progress


@pytest.fixture
def config() -> ClusterConfig:
    return read_config(default_file())


@pytest.fixture
def cluster(config: ClusterConfig, tmp_path: Path) -> Embedded:
    state, cache = State(tmp_path / "state"), Cache(tmp_path / "cache")
    return Embedded(state, cache, config, Recorder(), Progress(None), Cgroups(tmp_path / "cgroup"))


def test_kinds_file_is_one_that_kind_reads() -> None:
    document = yaml.safe_load(default_file().read_text())
    assert (document["kind"], document["apiVersion"]) == ("Cluster", "kind.x-k8s.io/v1alpha4")
    assert [node["role"] for node in document["nodes"]] == ["control-plane", "worker"]
    assert set(document) <= {"kind", "apiVersion", "name", "networking", "nodes", "kubeadmConfigPatches"}
    assert document["networking"]["kubeProxyMode"] in ("iptables", "ipvs", "nftables", "none")


def test_its_kubelets_give_whole_cores_away_and_keep_one(config: ClusterConfig) -> None:
    assert config.kubelet["cpuManagerPolicy"] == "static"
    assert config.kubelet["reservedSystemCPUs"] == "0"
    assert config.kubelet["apiVersion"] == "kubelet.config.k8s.io/v1beta1"


def test_the_dns_service_has_the_tenth_address(config: ClusterConfig) -> None:
    assert config.dns_address == IPv4Address("10.96.0.10")


def test_nodes_get_their_ranges_in_the_controllers_order(config: ClusterConfig) -> None:
    assert config.pods_of(1) == IPv4Network("10.244.1.0/24")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"networking": {}}, "has no field 'podSubnet'"),
        ({"kubeadmConfigPatches": []}, r"has no field 'kubeadmConfigPatches\[kind=KubeletConfiguration\]'"),
        (
            {"networking": {"podSubnet": "10.244.0.0/33", "serviceSubnet": "", "kubeProxyMode": ""}},
            "is not a valid configuration",
        ),
    ],
)
def test_a_broken_file_is_named_with_its_field(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    document = yaml.safe_load(default_file().read_text())
    (tmp_path / "kind.yaml").write_text(yaml.safe_dump({**document, **change}))
    with pytest.raises(ClusterError, match=words):
        read_config(tmp_path / "kind.yaml")


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"cannot read .*none\.yaml: No such file"):
        read_config(tmp_path / "none.yaml")


def test_a_kubelet_gets_all_that_the_file_says(config: ClusterConfig, cluster: Embedded) -> None:
    (node,) = cluster.nodes("full")
    written = node.kubelet_configuration(config)
    assert {name: written[name] for name in config.kubelet} == dict(config.kubelet)


def test_a_kubelet_serves_with_a_certificate_of_the_clusters_authority(
    config: ClusterConfig, cluster: Embedded
) -> None:
    (node,) = cluster.nodes("full")
    written = node.kubelet_configuration(config)
    assert written["tlsCertFile"].endswith("node-1-serving.crt")
    assert written["authentication"]["anonymous"] == {"enabled": False}
    assert written["authorization"] == {"mode": "Webhook"}


def test_of_two_nodes_each_reserves_what_the_other_gives_away(
    cluster: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegate.devcluster.embedded.all_cpus", lambda: {0, 1, 2, 3})
    one, two = cluster.nodes("two-nodes")
    assert one.cores == {"reservedSystemCPUs": "0"}
    assert two.cores == {"reservedSystemCPUs": "1,2,3"}


def test_of_two_policies_the_first_node_has_the_kubelets_default(
    cluster: Embedded, config: ClusterConfig
) -> None:
    written = [node.kubelet_configuration(config) for node in cluster.nodes("two-policies")]
    assert [each["cpuManagerPolicy"] for each in written] == ["none", "static"]
    assert [each["reservedSystemCPUs"] for each in written] == ["", ""]
    assert [each["kubeReserved"] for each in written] == [{"cpu": "100m"}] * 2


def files_of(node: Node, config: ClusterConfig) -> Path:
    node.state.make()
    node.write_files(config, new_authority(node.state.pki), "https://10.95.0.1:6443")
    return node.folder


def test_a_nodes_files_are_whole(config: ClusterConfig, cluster: Embedded) -> None:
    (node,) = cluster.nodes("full")
    folder = files_of(node, config)
    network = json.loads((folder / "cni" / "10-tidegate.conflist").read_text())
    assert network["plugins"][0]["type"] == "ptp"
    assert network["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "10.244.0.0/24"}]]
    proxy = yaml.safe_load((folder / "kube-proxy.yaml").read_text())
    assert (proxy["mode"], proxy["clusterCIDR"]) == ("nftables", "10.244.0.0/16")
    assert "restrict_oom_score_adj = true" in (folder / "containerd.toml").read_text()
    assert (folder / "kubelet.kubeconfig").stat().st_mode & 0o077 == 0


def test_the_machines_own_kubelet_folder_is_never_touched(config: ClusterConfig, cluster: Embedded) -> None:
    (node,) = cluster.nodes("full")
    folder = files_of(node, config)
    spec = json.loads((folder / "init.json").read_text())
    assert spec["folders"]["/var/lib/kubelet"] == str(folder / "kubelet")
    assert all(Path(source).is_dir() for source in spec["folders"].values())


def test_the_addons_take_the_dns_address_of_the_file(config: ClusterConfig) -> None:
    found = list(addons(config))
    (service,) = [one for one in found if one["kind"] == "Service"]
    assert service["spec"]["clusterIP"] == "10.96.0.10"
    (storage,) = [one for one in found if one["kind"] == "StorageClass"]
    assert storage["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"


def test_nothing_of_the_cluster_asks_for_a_core_of_the_workers(config: ClusterConfig) -> None:
    (dns,) = [one for one in addons(config) if one["kind"] == "Deployment"]
    (container,) = dns["spec"]["template"]["spec"]["containers"]
    assert "cpu" not in container["resources"]["requests"]


def test_the_api_server_knows_who_may_do_what_and_writes_it_down(tmp_path: Path) -> None:
    service, pods = IPv4Network("10.96.0.0/16"), IPv4Network("10.244.0.0/16")
    plane = ControlPlane(State(tmp_path), "10.95.0.1", service, pods)
    words = plane.api_server()
    assert "--authorization-mode=Node,RBAC" in words
    assert "--enable-admission-plugins=NodeRestriction" in words
    assert f"--audit-log-path={tmp_path}/log/audit.log" in words
    assert f"--kubelet-certificate-authority={tmp_path}/pki/ca.crt" in plane.kubelet_access()


def test_the_api_server_proves_itself_to_those_behind_it_by_an_authority_that_signs_nothing_else(
    tmp_path: Path,
) -> None:
    state = State(tmp_path)
    state.make()
    plane = ControlPlane(state, "10.95.0.1", IPv4Network("10.96.0.0/16"), IPv4Network("10.244.0.0/16"))
    plane.write_files()
    given = dict(word.removeprefix("--").split("=", 1) for word in plane.aggregation())
    assert given["requestheader-allowed-names"] == "front-proxy-client"
    authority = x509.load_pem_x509_certificate(Path(given["requestheader-client-ca-file"]).read_bytes())
    proof = x509.load_pem_x509_certificate(Path(given["proxy-client-cert-file"]).read_bytes())
    proof.verify_directly_issued_by(authority)
    administrator = x509.load_pem_x509_certificate((state.pki / "admin.crt").read_bytes())
    with pytest.raises(InvalidSignature):
        administrator.verify_directly_issued_by(authority)


def test_flags_are_written_as_go_reads_them() -> None:
    assert flags(leader_elect=False, v=2) == ["--leader-elect=false", "--v=2"]


@pytest.mark.parametrize(("text", "cpus"), [("0", {0}), ("0-2,5", {0, 1, 2, 5}), ("", set()), ("3\n", {3})])
def test_lists_of_cores_are_read_as_linux_writes_them(text: str, cpus: set[int]) -> None:
    assert parse_cpus(text) == cpus


def test_lists_of_cores_are_written_in_order() -> None:
    assert format_cpus({10, 2, 0}) == "0,2,10"


def test_our_coredns_has_the_plugins_that_its_configuration_names(config: ClusterConfig) -> None:
    (names,) = [one for one in addons(config) if one["kind"] == "ConfigMap"]
    wanted = set(re.findall(r"^    (\w+)", names["data"]["Corefile"], re.MULTILINE))
    built = set(re.findall(r"coredns/plugin/(\w+)", (MODULES / "coredns" / "main.go").read_text()))
    assert built == wanted
