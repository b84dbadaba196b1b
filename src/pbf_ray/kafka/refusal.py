"""Why a broker and a client that reach each other do not come together, and what would help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pbf_ray.errors import AccessDeniedError, BrokerError, TlsError
from pbf_ray.kafka.listener import Listener, addresses, distrust, look_at_listener

__all__ = ["explain_refusal"]

_MOST_ADDRESSES: Final = 3


def explain_refusal(config: Mapping[str, Any], *, timeout_s: float = 3.0) -> BrokerError | None:
    """Compare what the client's settings offer with what the brokers' listener asks for.

    Opens a connection or two of its own, without a name or a password.

    Args:
        config: From ``client_config``.
        timeout_s: Longest wait for each answer, seconds.

    Returns:
        The error to raise; None if nobody answers, or nothing is found to be wrong (a name and
        password that are wrong are found out only by the client itself).
    """
    for host, port in addresses(str(config["bootstrap.servers"]))[:_MOST_ADDRESSES]:
        listener = look_at_listener(host, port, timeout_s=timeout_s)
        if listener is not None:
            return _compared(f"{host}:{port}", listener, config) or (
                _distrusted(host, port, config, timeout_s) if listener.tls else None
            )
    return None


def _compared(address: str, listener: Listener, config: Mapping[str, Any]) -> BrokerError | None:
    protocol = str(config.get("security.protocol", "plaintext")).upper()
    wanted = f'set kafka.client.security.protocol to "{listener.protocol}"'
    offered = ", ".join(listener.mechanisms)
    if listener.mechanisms:
        wanted += f", and sasl.mechanism to one of {offered}"
    if listener.tls != protocol.endswith("SSL"):
        speaks = "speaks TLS" if listener.tls else "does not speak TLS"
        return TlsError(
            address, f"it {speaks}, but kafka.client.security.protocol is {protocol}", advice=wanted
        )
    if listener.client_certificate:
        if any(key.startswith(("ssl.certificate.", "ssl.keystore.")) for key in config):
            return None
        return TlsError(
            address,
            "it asks for a certificate of the client",
            advice="set kafka.client.ssl.certificate.location and ssl.key.location",
        )
    if bool(listener.mechanisms) != protocol.startswith("SASL"):
        asks = "asks for a name and a password" if listener.mechanisms else "takes no password"
        problem = f"it {asks}, but kafka.client.security.protocol is {protocol}"
        return AccessDeniedError("the cluster", address, problem, advice=wanted)
    mechanism = str(config.get("sasl.mechanism", config.get("sasl.mechanisms", "GSSAPI")))
    if listener.mechanisms and mechanism not in listener.mechanisms:
        return AccessDeniedError(
            "the cluster",
            address,
            f"kafka.client.sasl.mechanism is {mechanism}, but it offers {offered}",
            advice="set it to one of them",
        )
    return None


def _distrusted(
    host: str, port: int, config: Mapping[str, Any], timeout_s: float
) -> TlsError | None:
    if str(config.get("enable.ssl.certificate.verification", "true")).lower() == "false":
        return None
    why = distrust(host, port, config, timeout_s=timeout_s).rstrip(".")
    if not why:
        return None
    if "ostname mismatch" in why or "IP address mismatch" in why:
        advice = (
            "use a name of the certificate in kafka.bootstrap_servers, or make a certificate "
            "for this one"
        )
    elif "expired" in why or "not yet valid" in why:
        advice = "renew the broker's certificate, or set the clock right"
    else:
        advice = "set kafka.client.ssl.ca.location to the PEM file of the authority that signed it"
    return TlsError(f"{host}:{port}", f"its certificate is not accepted: {why}", advice=advice)
