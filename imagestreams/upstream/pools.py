"""Pools of connections that go to the very addresses that the guard allowed."""

from __future__ import annotations

import socket

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from imagestreams.upstream.guard import allowed, resolve


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


class Pool(HTTPSConnectionPool):
    """TLS connections to one host; those that verify nothing were asked for, so nobody is warned of them."""

    def _validate_conn(self, conn: object) -> None:
        if isinstance(conn, HTTPConnection) and conn.is_closed:
            conn.connect()


class PublicHTTPPool(HTTPConnectionPool):
    """Connections to one host, all to public addresses."""

    ConnectionCls = PublicHTTPConnection


class PublicHTTPSPool(Pool):
    """TLS connections to one host, all to public addresses."""

    ConnectionCls = PublicHTTPSConnection


ANY: dict[str, type[HTTPConnectionPool]] = {"http": HTTPConnectionPool, "https": Pool}
PUBLIC: dict[str, type[HTTPConnectionPool]] = {"http": PublicHTTPPool, "https": PublicHTTPSPool}
"""The classes of pools by scheme, for any address and for public ones only."""
