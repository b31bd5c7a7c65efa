"""Which addresses the server may connect to on behalf of its users: public ones, unless it is told otherwise.

The name is resolved once, every address is judged, and the connection goes to an address that was judged: between the
check and the use there is no second look-up that could answer otherwise.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from imagestreams.upstream.errors import Refused

Address = IPv4Address | IPv6Address
Target = tuple[int, tuple[str, int] | tuple[str, int, int, int]]
"""An address family and a socket address."""

_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST = ipaddress.IPv6Network("2000::/3")


def is_public(address: Address) -> bool:
    """Return whether an address belongs to the open internet, seen through the ways to wrap IPv4 in IPv6."""
    if isinstance(address, IPv6Address):
        inner = _wrapped(address)
        return is_public(inner) if inner is not None else address in _UNICAST and address.is_global
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address inside a mapped, 6to4 or translated (RFC 6052) one."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _TRANSLATED else None


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
