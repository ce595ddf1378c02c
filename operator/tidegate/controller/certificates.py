"""The webhook's certificate: a CA for one certificate only, whose key is thrown away at once.

So no key that could sign anything is ever stored. A renewal makes a new pair; the old CA stays in the
bundle until it expires, so that replicas which still serve the old certificate are trusted meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=365)
_CLOCK_SKEW = timedelta(minutes=10)  # between us and the API server

# What cryptography raises for a Secret that a foreign hand wrote.
_UNREADABLE = (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A serving certificate, its key, and the CAs that clients are to trust; all PEM."""

    certificate: bytes
    key: bytes
    authorities: bytes

    def __repr__(self) -> str:
        return "Certificate(…)"


def service_names(service: str, namespace: str) -> tuple[str, ...]:
    """The names by which the API server calls a Service, the one that it really uses first."""
    return (
        f"{service}.{namespace}.svc",
        f"{service}.{namespace}",
        f"{service}.{namespace}.svc.cluster.local",
    )


def make_certificate(
    names: Sequence[str], now: datetime, previous: Certificate | None = None, lifetime: timedelta = LIFETIME
) -> Certificate:
    """A new certificate for ``names`` by a new CA; the CA of ``previous`` stays trusted until it expires."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _authority(ca_key, now, lifetime)
    certificate = _serving(names, key, ca, ca_key)
    return Certificate(
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        ca.public_bytes(Encoding.PEM) + (_newest_authority(previous, now) if previous else b""),
    )


def renewal_is_due(certificate: Certificate, names: Sequence[str], now: datetime) -> bool:
    """Whether it must be replaced: two thirds of its life are over, or it is unfit for ``names``."""
    if not is_usable(certificate, names):
        return True
    return now >= renew_at(x509.load_pem_x509_certificate(certificate.certificate))


def is_usable(certificate: Certificate, names: Sequence[str]) -> bool:
    """Whether its parts belong together and it is for ``names``, however old it is."""
    try:
        return _is_fit(certificate, x509.load_pem_x509_certificate(certificate.certificate), names)
    except _UNREADABLE:
        return False


def _is_fit(certificate: Certificate, leaf: x509.Certificate, names: Sequence[str]) -> bool:
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificates(certificate.authorities)[0])
    key = load_pem_private_key(certificate.key, password=None)
    alternatives = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    served = alternatives.get_values_for_type(x509.DNSName)
    return key.public_key() == leaf.public_key() and set(names) <= set(served)


def renew_at(leaf: x509.Certificate) -> datetime:
    """When two thirds of a certificate's life are over."""
    begin, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    return begin + (end - begin) * 2 / 3


def _authority(key: ec.EllipticCurvePrivateKey, now: datetime, lifetime: timedelta) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tidegate webhook CA")])
    usage = _usage(key_cert_sign=True)
    return (
        _builder(name, name, now - _CLOCK_SKEW, now + lifetime)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _serving(
    names: Sequence[str],
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    return (
        _builder(subject, ca.subject, ca.not_valid_before_utc, ca.not_valid_after_utc)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _newest_authority(previous: Certificate, now: datetime) -> bytes:
    try:
        newest = x509.load_pem_x509_certificates(previous.authorities)[0]
    except ValueError:
        return b""
    return newest.public_bytes(Encoding.PEM) if newest.not_valid_after_utc > now else b""
