"""Sessions that speak to one SIS and to nobody else.

What they connect to is looked at before anything is sent, and nothing around them changes what they send.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from include.mingasync.oneroster import limits
from include.mingasync.oneroster.access import is_this_machine
from include.mingasync.oneroster.failures import AccessRefused, PassingError, TooMuchAsked

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_PIECE = 2**20
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an address is of the public internet, also where it is an IPv6 address that stands for an IPv4 one."""
    return all(one.is_global and not one.is_multicast for one in _meant(ipaddress.ip_address(address)))


def _meant(address: Address) -> Iterator[Address]:
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        yield from (one for one in inner if one is not None)


class _Checked:
    """The part of a connection that looks at where it leads, before a byte is sent."""

    private_network = False
    host: str
    _dns_host: str

    def _new_conn(self) -> socket.socket:
        self._check(_addresses(self._dns_host))
        connection: socket.socket = super()._new_conn()  # type: ignore[misc]
        try:
            # A name may lead elsewhere the second time that it is looked up.
            self._check({str(connection.getpeername()[0])})
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, addresses: set[str]) -> None:
        check_addresses(self.host, addresses, private_network=self.private_network, plain=isinstance(self, _PlainConnection))


class _PlainConnection(_Checked, HTTPConnection):
    """Plain http, only ever to this machine."""


class _TlsConnection(_Checked, HTTPSConnection):
    """TLS."""


def check_addresses(host: str, addresses: set[str], *, private_network: bool, plain: bool = False) -> None:
    """Raise AccessRefused where a host's addresses are not to be spoken to."""
    bare = {address.partition("%")[0] for address in addresses}
    if plain and not all(ipaddress.ip_address(address).is_loopback for address in bare):
        raise AccessRefused(
            f"Plain http to {host} leads away from this machine. Use https in the Connection. Nothing was changed."
        )
    if private_network or is_this_machine(host.strip("[]")) or all(is_public(address) for address in bare):
        return
    raise AccessRefused(
        f"{host} is an address inside a private network. If the SIS really stands in your own network, say so in the extra of "
        'the Connection: "private_network": true. Nothing was sent to it and nothing was changed.'
    )


class _Adapter(HTTPAdapter):
    """Connects as ``_Checked`` does."""

    def __init__(self, private_network: bool) -> None:
        self._private_network = private_network
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:
        """Make the pools of connections, of the checked kind."""
        super().init_poolmanager(*arguments, **more)
        own = {"private_network": self._private_network}
        plain = type("_Plain", (_PlainConnection,), own)
        tls = type("_Tls", (_TlsConnection,), own)
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("_PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("_TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
        }


def session_to(url: str, *, private_network: bool) -> requests.Session:
    """A session for one address: no .netrc; the environment's proxies and certificates, as docs/reading.md says.

    requests by itself reads .netrc and puts what stands there in place of the Authorization that was set.
    """
    session = requests.Session()
    session.trust_env = False
    session.headers["Accept"] = "application/json"
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    session.mount("https://", _Adapter(private_network))
    session.mount("http://", _Adapter(private_network))
    host = urlsplit(url).hostname or ""
    if not is_this_machine(host) and (proxies := get_environ_proxies(url)):
        # The proxy connects, so what can be known of the address is looked at here; names that only it knows are left to it.
        check_addresses(host, _addresses(host), private_network=private_network)
        session.proxies.update(proxies)
    return session


def _addresses(host: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return set()


def start_of(answer: requests.Response) -> bytes:
    """The first part of a body, unpacked: enough to see why it is a refusal, or to hold a token."""
    read = bytearray()
    while len(read) < limits.REFUSAL_BYTES and (piece := answer.raw.read1(limits.REFUSAL_BYTES, decode_content=True)):
        read += piece
    return bytes(read)


def body_of(answer: requests.Response) -> bytes:
    """The whole body of an answer, unpacked; counted while it is read, so that a small file cannot become a huge one.

    Raises TooMuchAsked for one that is too large, PassingError for one that takes too long or ends in the middle.
    """
    ends, pieces, size = time.monotonic() + limits.ANSWER_SECONDS, [], 0
    # Piece by piece from the socket: requests' own way hands on ten kilobytes at a time.
    while piece := answer.raw.read1(_PIECE, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > limits.ANSWER_BYTES:
            raise TooMuchAsked(f"an answer of more than {limits.ANSWER_BYTES / 2**20:g} MiB", limits.CURE)
        if time.monotonic() > ends:
            raise PassingError(f"an answer that took more than {limits.ANSWER_SECONDS:.0f} seconds", heavy=True)
    if answer.raw.length_remaining:
        raise PassingError("an answer that ended in the middle")
    return b"".join(pieces)


def cause_of(error: Exception) -> str:
    """Why a request got no answer, in words that hold nothing of what was sent."""
    text = repr(error)
    if "NameResolutionError" in text or "gaierror" in text:
        return "its name is not known (check the host in the Connection)"
    if "CERTIFICATE_VERIFY_FAILED" in text or "CertificateError" in text:
        return "its certificate is not trusted (REQUESTS_CA_BUNDLE may name a file with your own authority's)"
    if "ConnectionRefused" in text or "Connection refused" in text:
        return "it refuses the connection (check host and port in the Connection, and whether the SIS is up)"
    return type(error).__name__
