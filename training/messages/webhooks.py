"""Send signed webhooks over HTTPS, never to an address inside this network.

The name is resolved once, all its addresses are checked, and the connection uses a checked address.
So a name that resolves to another address later (DNS rebinding) has no effect. Redirects are not
followed and no proxy is used.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

PATIENCE = 5.0  # seconds to connect, and for each read of the response
READ = 512  # bytes of the response that are stored
SIGNATURE = "Inkloop-Signature"
# Not public, though `is_global` of this Python may say so: protocol assignments, documentation,
# and translation to IPv4 addresses that were not checked.
SET_ASIDE = [
    ipaddress.ip_network(each)
    for each in (
        "192.0.0.0/24", "2001::/23", "3fff::/20", "192.88.99.0/24", "64:ff9b::/96",
        "64:ff9b:1::/48",
    )
]  # fmt: skip


class DeliveryRefused(Exception):
    """The address is not allowed, or the receiver did not accept the message."""


@dataclass(frozen=True, slots=True)
class ReceiverAnswer:
    status: int
    text: str


def sign(secrets: Sequence[str], body: bytes, *, at: int) -> str:
    """`t=<seconds since 1970>,v1=<hex>`: HMAC-SHA256 of "t.body", one `v1` for each secret."""
    signed = f"{at}.".encode() + body
    marks = [hmac.new(each.encode(), signed, hashlib.sha256).hexdigest() for each in secrets]
    return ",".join([f"t={at}", *(f"v1={mark}" for mark in marks)])


def post(
    url: str, body: bytes, *, secrets: Sequence[str], headers: dict[str, str]
) -> ReceiverAnswer:
    """Send a signed message; raises Refused unless the response is 2xx."""
    parts = checked(url)
    connection = Straight(parts, safe_address(parts))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {
        "Content-Type": "application/json",
        "User-Agent": "Inkloop",
        SIGNATURE: sign(secrets, body, at=int(time.time())),
        **headers,
    }
    try:
        connection.request("POST", path, body, sent)
        answer = connection.getresponse()
        text = answer.read(READ).decode(errors="replace")
    except (OSError, http.client.HTTPException) as broken:
        raise DeliveryRefused(f"{type(broken).__name__}: {broken}") from broken
    finally:
        connection.close()
    if 300 <= answer.status < 400:
        raise DeliveryRefused(f"{answer.status}: redirects are not followed")
    if not 200 <= answer.status < 300:
        raise DeliveryRefused(f"{answer.status} {text}")
    return ReceiverAnswer(answer.status, text)


def checked(url: str) -> SplitResult:
    """The parsed URL, if it has https, a host, and no user name or password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as broken:
        raise DeliveryRefused("This is not a web address.") from broken
    schemes = {"https", "http"} if settings.WEBHOOKS_INSIDE else {"https"}
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        raise DeliveryRefused("It has to begin with https:// and a host.")
    if parts.username is not None or parts.password is not None:
        raise DeliveryRefused("It must not hold a name or a password.")
    return parts


def safe_address(parts: SplitResult) -> tuple[str, int]:
    """An address of the URL's host, if all its addresses are outside this network."""
    assert parts.hostname is not None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as unknown:
        raise DeliveryRefused(f"{parts.hostname} has no address: {unknown}") from unknown
    addresses = [str(entry[4][0]) for entry in found]
    if not settings.WEBHOOKS_INSIDE:
        for address in addresses:
            if is_inside(address):
                raise DeliveryRefused(f"{parts.hostname} leads to {address}, inside the network")
    return addresses[0], port


def is_inside(address: str) -> bool:
    """Whether an address is not public, also if it is embedded in an IPv6 address."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if any(ip in network for network in SET_ASIDE):
        return True
    if isinstance(ip, ipaddress.IPv6Address):
        carried = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if any(is_inside(str(each)) for each in filter(None, carried)):
            return True
        if ip.ipv4_mapped is not None:
            return False
    return not ip.is_global or ip.is_multicast or ip.is_reserved


class Straight(http.client.HTTPConnection):
    """A connection to a checked address, with the URL's host name for TLS."""

    def __init__(self, parts: SplitResult, address: tuple[str, int]) -> None:
        super().__init__(str(parts.hostname), parts.port, timeout=PATIENCE)
        self.address = address
        self.is_encrypted = parts.scheme == "https"
        if parts.port is None:
            self.port = address[1]
        self.default_port = 443 if self.is_encrypted else 80

    def connect(self) -> None:
        self.sock = socket.create_connection(self.address, PATIENCE)
        if self.is_encrypted:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host)
