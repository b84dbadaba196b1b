"""Client's settings against what a listener asks for: what does not fit, and what would."""

from __future__ import annotations

import pytest

from pbf_ray.errors import AccessDeniedError, BrokerError, TlsError
from pbf_ray.kafka import refusal
from pbf_ray.kafka.listener import Listener, addresses
from pbf_ray.kafka.refusal import explain_refusal

SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
PLAIN, TLS = Listener(False), Listener(True)
SASL, SASL_TLS = Listener(False, SCRAM), Listener(True, SCRAM)
MUTUAL = Listener(True, client_certificate=True)


def explained(
    monkeypatch: pytest.MonkeyPatch, listener: Listener | None, trouble: str = "", **client: str
) -> BrokerError | None:
    monkeypatch.setattr(refusal, "look_at_listener", lambda *_, **__: listener)
    monkeypatch.setattr(refusal, "distrust", lambda *_, **__: trouble)
    settings = {name.replace("_", "."): value for name, value in client.items()}
    return explain_refusal({"bootstrap.servers": "broker-1:9092,broker-2:9092", **settings})


@pytest.mark.parametrize(
    ("listener", "client"),
    [
        (PLAIN, {}),
        (PLAIN, {"security_protocol": "plaintext"}),
        (TLS, {"security_protocol": "ssl"}),
        (SASL, {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-256"}),
        (SASL_TLS, {"security_protocol": "SASL_SSL", "sasl_mechanisms": "SCRAM-SHA-512"}),
        (MUTUAL, {"security_protocol": "SSL", "ssl_certificate_location": "node.pem"}),
        (MUTUAL, {"security_protocol": "SSL", "ssl_keystore_location": "node.p12"}),
        (None, {"security_protocol": "SSL"}),
    ],
)
def test_what_fits_is_not_explained(
    monkeypatch: pytest.MonkeyPatch, listener: Listener | None, client: dict[str, str]
) -> None:
    assert explained(monkeypatch, listener, **client) is None


@pytest.mark.parametrize(
    ("listener", "client", "kind", "words"),
    [
        (SASL_TLS, {}, TlsError, 'to "SASL_SSL", and sasl.mechanism to one of SCRAM-SHA-256, SCR'),
        (TLS, {"security_protocol": "SASL_PLAINTEXT"}, TlsError, 'security.protocol to "SSL"'),
        (PLAIN, {"security_protocol": "SSL"}, TlsError, "it does not speak TLS"),
        (MUTUAL, {"security_protocol": "SSL"}, TlsError, "ssl.certificate.location"),
        (SASL, {}, AccessDeniedError, "asks for a name and a password"),
        (TLS, {"security_protocol": "SASL_SSL"}, AccessDeniedError, 'takes no password'),
        (SASL_TLS, {"security_protocol": "SASL_SSL"}, AccessDeniedError, "mechanism is GSSAPI"),
    ],
)  # fmt: skip
def test_what_does_not_fit_says_what_would(
    monkeypatch: pytest.MonkeyPatch,
    listener: Listener,
    client: dict[str, str],
    kind: type[BrokerError],
    words: str,
) -> None:
    error = explained(monkeypatch, listener, **client)
    assert type(error) is kind
    assert words in str(error)
    assert "broker-1:9092" in str(error)
    assert not error.transient


@pytest.mark.parametrize(
    ("trouble", "advice"),
    [
        ("Hostname mismatch, certificate is not valid for 'b'.", "kafka.bootstrap_servers"),
        ("IP address mismatch, certificate is not valid for '::1'.", "kafka.bootstrap_servers"),
        ("certificate has expired", "renew"),
        ("self-signed certificate in certificate chain", "ssl.ca.location"),
    ],
)
def test_certificates_that_are_not_accepted(
    monkeypatch: pytest.MonkeyPatch, trouble: str, advice: str
) -> None:
    error = explained(monkeypatch, TLS, trouble, security_protocol="SSL")
    assert isinstance(error, TlsError)
    assert trouble.rstrip(".") in error.what
    assert advice in error.advice
    unchecked = {"security_protocol": "SSL", "enable_ssl_certificate_verification": "False"}
    assert explained(monkeypatch, TLS, trouble, **unchecked) is None


def test_addresses_as_people_write_them() -> None:
    assert addresses("a:9093, SSL://b:9094,[::1]:9095,c,bad:port,") == [
        ("a", 9093),
        ("b", 9094),
        ("::1", 9095),
        ("c", 9092),
    ]
