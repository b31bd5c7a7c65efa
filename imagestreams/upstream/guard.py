"""Which addresses the server may connect to on behalf of its users: public ones, unless it is told otherwise.

The name is resolved once, every address is judged, and the connection goes to an address that was judged: between the
check and the use there is no second look-up that could answer otherwise.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from imagestreams.upstream.errors import Refused

Address = IPv4Address | IPv6Address
Target = tuple[int, tuple[str, int] | tuple[str, int, int, int]]
"""An address family and a socket address."""

_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
_LOCALLY_TRANSLATED = ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


def is_public(address: Address) -> bool:
    """Return whether an address belongs to the open internet, seen through the ways to wrap IPv4 in IPv6."""
    inner = _wrapped(address) if isinstance(address, IPv6Address) else None
    if inner is not None:
        return is_public(inner)
    if address in _LOCALLY_TRANSLATED:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address inside a mapped, compatible, 6to4 or translated (RFC 6052) one."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _TRANSLATED or address in _COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def resolve(host: str, port: int) -> list[Target]:
    """Return the socket addresses of a host, in the order of the resolver; raises socket.gaierror."""
    name = host.strip("[]")
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, "the host name is malformed") from error
    return [(family, address) for family, _, _, _, address in found if isinstance(address[0], str)]


def allowed(host: str, targets: Iterable[Target]) -> list[Target]:
    """Return the public ones of the addresses of a host; raises Refused when there is none."""
    public = [target for target in targets if is_public(_address(target))]
    if not public:
        raise Refused(f"the address of {host} is private or local, and this server imports from public registries only")
    return public


def _address(target: Target) -> Address:
    return ipaddress.ip_address(target[1][0].partition("%")[0])


def check(host: str, port: int) -> None:
    """Raise Refused when a host has only addresses that are not public; one that is unknown here passes.

    This is for requests through a proxy, which looks the name up itself.
    """
    try:
        targets = resolve(host, port)
    except socket.gaierror:
        return
    allowed(host, targets)


def _connect(connection: HTTPConnection) -> socket.socket:
    """Return a socket connected to a public address of the connection's host; raises what urllib3 would."""
    try:
        targets = allowed(connection.host, resolve(connection.host, connection.port or connection.default_port))
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    timeout = connection.timeout if isinstance(connection.timeout, int | float) else None
    failure: OSError = OSError("no address")
    for family, address in targets:
        try:
            return _connected(connection, family, address, timeout)
        except OSError as error:
            failure = error
    if isinstance(failure, TimeoutError):
        raise ConnectTimeoutError(connection, f"connection to {connection.host} timed out") from failure
    raise NewConnectionError(connection, f"failed to connect: {failure}") from failure


def _connected(
    connection: HTTPConnection, family: int, address: tuple[str | int, ...], timeout: float | None
) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        for option in connection.socket_options or ():
            made.setsockopt(*option)
        made.settimeout(timeout)
        made.connect(address)
    except OSError:
        made.close()
        raise
    return made


class PublicHTTPConnection(HTTPConnection):
    """A connection to a public address."""

    def _new_conn(self) -> socket.socket:
        return _connect(self)


class PublicHTTPSConnection(HTTPSConnection):
    """A TLS connection to a public address."""

    def _new_conn(self) -> socket.socket:
        return _connect(self)


class PublicHTTPPool(HTTPConnectionPool):
    """Connections to one host, all to public addresses."""

    ConnectionCls = PublicHTTPConnection


class PublicHTTPSPool(HTTPSConnectionPool):
    """TLS connections to one host, all to public addresses."""

    ConnectionCls = PublicHTTPSConnection


POOLS: dict[str, type[HTTPConnectionPool]] = {"http": PublicHTTPPool, "https": PublicHTTPSPool}
