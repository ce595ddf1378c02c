"""Making, judging and renewing the webhook's certificate; time is an argument."""

from __future__ import annotations

import base64
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from tidegate.controller.certificates import Certificate, make_certificate, renewal_is_due, service_names
from tidegate.controller.webhook_tls import ca_operations, load

NOW = datetime(2026, 11, 1, tzinfo=UTC)
NAMES = service_names("tidegate-webhook", "tidegate-system")
YEAR = timedelta(days=365)


def trusts(authorities: bytes, certificate: Certificate, at: datetime, name: str = NAMES[0]) -> bool:
    """Whether a client that trusts ``authorities`` accepts the certificate at that time under that name."""
    store = Store(x509.load_pem_x509_certificates(authorities))
    verifier = PolicyBuilder().store(store).time(at).build_server_verifier(x509.DNSName(name))
    try:
        verifier.verify(x509.load_pem_x509_certificate(certificate.certificate), [])
    except VerificationError:
        return False
    return True


def test_it_is_trusted_under_every_name_of_the_service_and_no_other() -> None:
    made = make_certificate(NAMES, NOW)
    assert all(trusts(made.authorities, made, NOW, name) for name in NAMES)
    assert not trusts(made.authorities, made, NOW, "tidegate-webhook.elsewhere.svc")


def test_a_clock_that_is_some_minutes_behind_trusts_it_and_an_expired_one_is_not_trusted() -> None:
    made = make_certificate(NAMES, NOW)
    assert trusts(made.authorities, made, NOW - timedelta(minutes=9))
    assert not trusts(made.authorities, made, NOW + YEAR + timedelta(seconds=1))


def test_it_is_renewed_at_two_thirds_of_its_life() -> None:
    made = make_certificate(NAMES, NOW)
    assert not renewal_is_due(made, NAMES, NOW)
    assert not renewal_is_due(made, NAMES, NOW + YEAR * 0.66)
    assert renewal_is_due(made, NAMES, NOW + YEAR * 0.67)


@pytest.mark.parametrize("field", ["certificate", "key", "authorities"])
@pytest.mark.parametrize(
    "content", [b"", b"not PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_a_foreign_hand_wrote_is_replaced(field: str, content: bytes) -> None:
    broken = replace(make_certificate(NAMES, NOW), **{field: content})
    assert renewal_is_due(broken, NAMES, NOW)
    assert not renewal_is_due(make_certificate(NAMES, NOW, previous=broken), NAMES, NOW)


def test_parts_that_do_not_belong_together_are_replaced() -> None:
    one, other = make_certificate(NAMES, NOW), make_certificate(NAMES, NOW)
    assert renewal_is_due(replace(one, key=other.key), NAMES, NOW)
    assert renewal_is_due(replace(one, authorities=other.authorities), NAMES, NOW)
    assert renewal_is_due(one, (*NAMES, "moved.elsewhere.svc"), NOW)


def test_a_renewal_keeps_the_old_certificate_trusted_while_it_is_still_served() -> None:
    old = make_certificate(NAMES, NOW)
    later = NOW + YEAR * 0.7
    new = make_certificate(NAMES, later, previous=old)
    assert trusts(new.authorities, old, later)
    assert trusts(new.authorities, new, later)
    assert not trusts(old.authorities, new, later)


def test_renewals_do_not_pile_up_old_authorities() -> None:
    certificate, now = make_certificate(NAMES, NOW), NOW
    for _ in range(5):
        now += YEAR * 0.7
        certificate = make_certificate(NAMES, now, previous=certificate)
    assert len(x509.load_pem_x509_certificates(certificate.authorities)) == 2
    long_after = make_certificate(NAMES, now + 2 * YEAR, previous=certificate)
    assert len(x509.load_pem_x509_certificates(long_after.authorities)) == 1


def test_the_key_that_signed_is_nowhere() -> None:
    made = make_certificate(NAMES, NOW)
    assert made.key.count(b"PRIVATE KEY-----") == 2
    assert b"PRIVATE" not in made.certificate + made.authorities
    assert "PRIVATE" not in repr(made)


def test_the_private_key_does_not_stay_on_disk(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("tmp")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), make_certificate(NAMES, NOW))
    assert list(folder.iterdir()) == []


def test_trust_is_written_only_where_it_differs() -> None:
    bundle = base64.b64encode(b"CA").decode()
    configuration = {
        "webhooks": [
            {"name": "a", "clientConfig": {"caBundle": bundle}},
            {"name": "b", "clientConfig": {}},
            {"name": "c", "clientConfig": {"caBundle": "b2xk"}},
        ]
    }
    assert [operation["path"] for operation in ca_operations(configuration, b"CA")] == [
        "/webhooks/1/name",
        "/webhooks/1/clientConfig/caBundle",
        "/webhooks/2/name",
        "/webhooks/2/clientConfig/caBundle",
    ]
    configuration["webhooks"] = configuration["webhooks"][:1]
    assert ca_operations(configuration, b"CA") == []
