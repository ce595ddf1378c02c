"""The cluster's certificate authority and the certificates that it signs."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tidegate.devcluster.layout import write_private

VALID = timedelta(days=365)
SKEW = timedelta(minutes=5)  # clocks of two machines that share a cluster may differ so much


@dataclass(frozen=True)
class Authority:
    """A certificate authority whose files lie in one folder: ca.crt, ca.key, and <name>.crt, <name>.key."""

    folder: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def ca(self) -> Path:
        """The file with the authority's own certificate."""
        return self.folder / "ca.crt"

    def client(self, name: str, user: str, groups: Sequence[str] = ()) -> None:
        """Writes a client certificate: Kubernetes reads the user from CN and the groups from O."""
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject.append(x509.NameAttribute(NameOID.COMMON_NAME, user))
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        self._issue(name, x509.Name(subject), [usage])

    def server(self, name: str, user: str, hosts: Sequence[str]) -> None:
        """Writes a serving certificate for host names and IP addresses."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user)])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        self._issue(name, subject, [usage, x509.SubjectAlternativeName([_host(host) for host in hosts])])

    def _issue(self, name: str, subject: x509.Name, extensions: list[x509.ExtensionType]) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(subject, self.certificate.subject, key.public_key())
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        write_key(self.folder / f"{name}.key", key)
        certificate = builder.sign(self.key, hashes.SHA256())
        (self.folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def new_authority(folder: Path) -> Authority:
    """A fresh authority; writes ca.crt and ca.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tidegate-devcluster")])
    builder = _builder(name, name, key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    authority = Authority(folder, builder.sign(key, hashes.SHA256()), key)
    write_key(folder / "ca.key", key)
    authority.ca.write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
    return authority


def new_key(file: Path) -> None:
    """Writes a fresh private key (the API server signs service accounts' tokens with one)."""
    write_key(file, ec.generate_private_key(ec.SECP256R1()))


def write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Writes a private key that only its owner may read."""
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    write_private(file, pem)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + VALID)
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
