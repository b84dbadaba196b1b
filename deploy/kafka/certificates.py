"""Makes the certificates of the secure cluster: an authority of its own, and one per node.

    pip install cryptography
    python certificates.py secrets broker-1=broker-1,localhost broker-2=broker-2,localhost ...

Each node gets a folder: ``node.pem`` (its key and certificate), ``ca.pem`` (the authority), and
``admin.properties`` with which Kafka's own tools log in as that node. ``secrets/ca.pem`` is what
clients trust (``ssl.ca.location``). ``secrets/ca-key.pem`` signs further certificates: a second run
uses it again, so that a node can be added; keep it off the brokers.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Authority", "main", "write_node"]

_ADMIN = """\
# kafka-configs.sh --command-config /etc/kafka/secrets/admin.properties --bootstrap-server ...
security.protocol=SSL
ssl.keystore.type=PEM
ssl.keystore.location=/etc/kafka/secrets/node.pem
ssl.truststore.type=PEM
ssl.truststore.location=/etc/kafka/secrets/ca.pem
"""


class Authority:
    """A certificate authority: a key and a certificate that it has signed itself.

    Args:
        folder: Where ``ca-key.pem`` and ``ca.pem`` are, or go.
        days: How long its certificates are good for.
    """

    def __init__(self, folder: Path, *, days: int = 3650) -> None:
        self._validity = timedelta(days=days)
        key_file, certificate_file = folder / "ca-key.pem", folder / "ca.pem"
        if key_file.exists():
            key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise SystemExit(f"{key_file} is not a key that this program has made")
            self._key = key
            self.pem = certificate_file.read_bytes()
            self._name = x509.load_pem_x509_certificate(self.pem).subject
            return
        folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("pbf-lbm-cluster authority")
        usage = x509.KeyUsage(
            key_cert_sign=True,
            crl_sign=True,
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)
        _write_secret(key_file, _key_pem(self._key))
        certificate_file.write_bytes(self.pem)

    def node(self, name: str, hosts: list[str]) -> bytes:
        """A new key and its certificate, as one PEM file.

        Args:
            name: Its common name: the user that it is to Kafka.
            hosts: Names and addresses under which it is reached.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            self._builder(_named(name), key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(both), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        return _key_pem(key) + certificate.public_bytes(serialization.Encoding.PEM)

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            # Clocks differ; a certificate of this minute is to be good everywhere.
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + self._validity)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )


def write_node(authority: Authority, folder: Path, name: str, hosts: list[str]) -> None:
    """Write what one node needs into ``folder/name``."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    _write_secret(place / "node.pem", authority.node(name, hosts))
    (place / "ca.pem").write_bytes(authority.pem)
    (place / "admin.properties").write_text(_ADMIN, encoding="utf-8")


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write_secret(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def main() -> None:
    """Make the authority, unless it is there, and a certificate for each node."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("nodes", nargs="+", metavar="NAME=HOST,HOST...")
    parser.add_argument("--days", type=int, default=3650)
    arguments = parser.parse_args()
    authority = Authority(arguments.folder, days=arguments.days)
    for node in arguments.nodes:
        name, _, hosts = node.partition("=")
        write_node(authority, arguments.folder, name, (hosts or name).split(","))


if __name__ == "__main__":
    main()
