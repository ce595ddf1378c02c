"""Certificates that Kubernetes and TLS accept."""

from __future__ import annotations

import base64
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tidegate.devcluster.certificates import Authority, new_authority, new_key
from tidegate.devcluster.kubeconfigs import write_kubeconfig


def loaded(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """A TLS handshake in memory; raises ssl.SSLError if one side refuses the other."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = server.wrap_bio(to_server, to_client, server_side=True)
    two = client.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(4):
        for side in (two, one):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    one.do_handshake()
    two.do_handshake()


def test_a_client_is_the_user_and_the_groups_that_kubernetes_reads(tmp_path: Path) -> None:
    new_authority(tmp_path).client("node", "system:node:node-1", ["system:nodes"])
    certificate = loaded(tmp_path / "node.crt")
    names = {attribute.oid: attribute.value for attribute in certificate.subject}
    assert names == {NameOID.ORGANIZATION_NAME: "system:nodes", NameOID.COMMON_NAME: "system:node:node-1"}
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_a_server_is_trusted_under_its_addresses_and_no_other(tmp_path: Path) -> None:
    new_authority(tmp_path).server("kubelet", "node-1", ["node-1", "10.95.0.1"])
    names = loaded(tmp_path / "kubelet.crt").extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("10.95.0.1")]
    assert names.value.get_values_for_type(x509.DNSName) == ["node-1"]


def test_both_sides_of_a_connection_accept_each_other(tmp_path: Path) -> None:
    authority = new_authority(tmp_path)
    authority.server("server", "server", ["10.95.0.1"])
    authority.client("admin", "admin", ["system:masters"])
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.ca))
    server.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=str(authority.ca))
    client.load_cert_chain(tmp_path / "admin.crt", tmp_path / "admin.key")
    handshake(server, client, "10.95.0.1")


def test_certificates_hold_a_year_and_forgive_a_slow_clock(tmp_path: Path) -> None:
    certificate = new_authority(tmp_path).certificate
    now = datetime.now(UTC)
    assert certificate.not_valid_before_utc < now - timedelta(minutes=4)
    assert now + timedelta(days=364) < certificate.not_valid_after_utc < now + timedelta(days=366)


def test_keys_are_their_owners_alone(tmp_path: Path) -> None:
    authority: Authority = new_authority(tmp_path)
    authority.client("admin", "admin")
    new_key(tmp_path / "sa.key")
    for key in tmp_path.glob("*.key"):
        assert key.stat().st_mode & 0o077 == 0, key


def test_a_kubeconfig_carries_everything_and_is_its_owners_alone(tmp_path: Path) -> None:
    new_authority(tmp_path).client("admin", "admin")
    file = tmp_path / "admin.kubeconfig"
    write_kubeconfig(file, tmp_path, "admin", "https://127.0.0.1:6443", "tidegate")
    document = yaml.safe_load(file.read_text())
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    assert cluster["server"] == "https://127.0.0.1:6443"
    assert base64.b64decode(user["client-key-data"]) == (tmp_path / "admin.key").read_bytes()
    assert file.stat().st_mode & 0o077 == 0
