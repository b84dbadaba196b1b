"""What a broker's listener asks for: TLS or not, a password or not, and by which mechanism.

librdkafka says of most mistakes only that the connection was closed. So where it fails, one
``SaslHandshake`` request is sent by hand, over TCP or over TLS, whichever the listener takes: any
listener answers it, with the mechanisms that it offers, or that it wants none. No name and no
password is sent.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Listener", "addresses", "distrust", "look_at_listener"]

_SASL_HANDSHAKE: Final = 17
_ILLEGAL_SASL_STATE: Final = 34
_CORRELATION: Final = 0x70626679
_MOST_BYTES: Final = 65_536
_ENDPOINT: Final = "ssl.endpoint.identification.algorithm"


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener as it has shown itself.

    Attributes:
        tls: Whether it speaks TLS.
        mechanisms: SASL mechanisms that it offers; empty where it asks for none.
        client_certificate: Whether it asks for a certificate of the client; what lies behind
            that is then not known.
    """

    tls: bool
    mechanisms: tuple[str, ...] = ()
    client_certificate: bool = False

    @property
    def protocol(self) -> str:
        """The ``security.protocol`` that fits it."""
        return ("SASL_" if self.mechanisms else "") + ("SSL" if self.tls else "PLAINTEXT")


def addresses(bootstrap_servers: str) -> list[tuple[str, int]]:
    """Host and port of each of the bootstrap servers; what cannot be read is left out."""
    found = []
    for server in bootstrap_servers.split(","):
        host, colon, port = server.strip().rpartition("://")[2].rpartition(":")
        if not colon:
            host, port = port, "9092"
        if host and port.isdecimal():
            found.append((host.strip("[]"), int(port)))
    return found


def look_at_listener(host: str, port: int, *, timeout_s: float = 3.0) -> Listener | None:
    """Find out what a listener asks for.

    Args:
        host: Its name or address.
        port: Its port.
        timeout_s: Longest wait for each answer, seconds.

    Returns:
        What it is; None if nothing there answers as a Kafka broker does.
    """
    with (
        contextlib.suppress(OSError, ValueError),
        socket.create_connection((host, port), timeout_s) as plain,
    ):
        return Listener(False, _handshake(plain))
    # It closed the connection: perhaps it waits for TLS. Whom it is is looked at elsewhere.
    unchecked = ssl.create_default_context()
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout_s) as plain,
            unchecked.wrap_socket(plain, server_hostname=host) as secure,
        ):
            try:
                return Listener(True, _handshake(secure))
            except ssl.SSLError:
                # TLS 1.3 tells only after the handshake that a certificate is missing.
                return Listener(True, client_certificate=True)
    except ssl.SSLError as error:
        required = "CERTIFICATE_REQUIRED" in str(error) or "handshake failure" in str(error)
        return Listener(True, client_certificate=True) if required else None
    except (OSError, ValueError):
        return None


def distrust(host: str, port: int, config: Mapping[str, Any], *, timeout_s: float = 3.0) -> str:
    """Why a broker's certificate is not accepted, in the words of OpenSSL; empty if it is.

    Args:
        host: The broker's name or address, as the client knows it.
        port: Its port.
        config: The client's settings; ``ssl.ca.location`` and ``ssl.ca.pem`` are looked at.
        timeout_s: Longest wait for each answer, seconds.
    """
    try:
        context = ssl.create_default_context(
            cafile=config.get("ssl.ca.location"), cadata=config.get("ssl.ca.pem")
        )
        # librdkafka looks at the name as well, unless it is told not to.
        context.check_hostname = str(config.get(_ENDPOINT, "https")).lower() != "none"
        with (
            socket.create_connection((host, port), timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return ""
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except (OSError, ValueError):
        return ""


def _handshake(connection: socket.socket) -> tuple[str, ...]:
    """Ask for SASL with no mechanism that there is; the mechanisms that are offered instead."""
    client, mechanism = b"pbf_ray", b"-"
    request = struct.pack(">hhih", _SASL_HANDSHAKE, 1, _CORRELATION, len(client)) + client
    request += struct.pack(">h", len(mechanism)) + mechanism
    connection.sendall(struct.pack(">i", len(request)) + request)
    (size,) = struct.unpack(">i", _exactly(connection, 4))
    if not 10 <= size <= _MOST_BYTES:
        raise ValueError("not Kafka")
    answer = _exactly(connection, size)
    correlation, code, count = struct.unpack_from(">ihi", answer)
    if correlation != _CORRELATION:
        raise ValueError("not Kafka")
    if code == _ILLEGAL_SASL_STATE:
        return ()
    names, at = [], 10
    for _ in range(count):
        (length,) = struct.unpack_from(">h", answer, at)
        names.append(answer[at + 2 : at + 2 + length].decode("ascii", "replace"))
        at += 2 + length
    return tuple(sorted(names))


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = b""
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            raise ConnectionError("closed")
        parts += part
    return parts
