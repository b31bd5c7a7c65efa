"""Which addresses the server may connect to on behalf of its users: public ones, and those that it is told of.

The name is resolved once, every address is judged, and the connection goes to an address that was judged: between the
check and the use there is no second look-up that could answer otherwise.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Self

from imagestreams.upstream.errors import Refused

Address = IPv4Address | IPv6Address
Target = tuple[int, tuple[str, int] | tuple[str, int, int, int]]
"""An address family and a socket address."""

_TRANSLATED = IPv6Network("64:ff9b::/96")
_UNICAST = IPv6Network("2000::/3")


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


@dataclass(frozen=True, slots=True)
class Guard:
    """What may be connected to: public addresses, those of some networks, hosts of some names, or anything."""

    anything: bool = False
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    names: tuple[str, ...] = ()

    @classmethod
    def allowing(cls, places: Sequence[str], *, anything: bool = False) -> Self:
        """Return a guard that lets networks (`10.0.0.0/8`), addresses and names (`a.example`, `*.example`) pass."""
        networks, names = [], []
        for place in places:
            try:
                networks.append(ipaddress.ip_network(place.strip("[]"), strict=False))
            except ValueError:
                names.append(place.lower().rstrip("."))
        return cls(anything, tuple(networks), tuple(names))

    def allowed(self, host: str, targets: Iterable[Target]) -> list[Target]:
        """Return those of the addresses of a host that may be connected to; raises Refused when there is none."""
        if self.anything or self._is_named(host):
            return list(targets)
        open_ones = [target for target in targets if self._passes(_address(target))]
        if not open_ones:
            why = f"the address of {host} is private or local, and this server imports from public registries only"
            raise Refused(why)
        return open_ones

    def check(self, host: str, port: int) -> None:
        """Raise Refused when no address of a host may be connected to; a host that is unknown here passes.

        This is for requests through a proxy, which looks the name up itself.
        """
        if self.anything or self._is_named(host):
            return
        try:
            targets = resolve(host, port)
        except socket.gaierror:
            return
        self.allowed(host, targets)

    def _passes(self, address: Address) -> bool:
        inner = (_wrapped(address) if isinstance(address, IPv6Address) else None) or address
        return is_public(address) or any(
            inner in network for network in self.networks if network.version == inner.version
        )

    def _is_named(self, host: str) -> bool:
        bare = host.lower().rstrip(".")
        return any(bare == name or (name.startswith("*.") and bare.endswith(name[1:])) for name in self.names)


def _address(target: Target) -> Address:
    return ipaddress.ip_address(target[1][0].partition("%")[0])
