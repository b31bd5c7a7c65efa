"""Pools of connections that go to the very addresses that the guard allowed, and end when their time is over."""

from __future__ import annotations

import socket
import time
from functools import partial
from typing import Any

from urllib3 import BaseHTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from imagestreams.upstream.guard import Guard, resolve
from imagestreams.upstream.watchdog import Patience


def _connect(connection: HTTPConnection, guard: Guard) -> socket.socket:
    """Return a socket connected to an address of the connection's host that is allowed; raises what urllib3 would.

    All addresses together have the time of the connection.
    """
    try:
        targets = guard.allowed(connection.host, resolve(connection.host, connection.port or connection.default_port))
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    timeout = connection.timeout if isinstance(connection.timeout, int | float) else None
    over = None if timeout is None else time.monotonic() + timeout
    failure: OSError = OSError("no address")
    for family, address in targets:
        left = None if over is None else over - time.monotonic()
        if left is not None and left <= 0:
            break
        try:
            return _connected(connection, family, address, left)
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


class GuardedHTTPConnection(HTTPConnection):
    """A connection to an address that a guard allows."""

    def __init__(self, *arguments: object, guard: Guard, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]  # as the pool calls it
        self._guard = guard

    def _new_conn(self) -> socket.socket:
        return _connect(self, self._guard)


class GuardedHTTPSConnection(HTTPSConnection):
    """A TLS connection to an address that a guard allows."""

    def __init__(self, *arguments: object, guard: Guard, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]  # as the pool calls it
        self._guard = guard

    def _new_conn(self) -> socket.socket:
        return _connect(self, self._guard)


class HTTPPool(HTTPConnectionPool):
    """Connections to one host, all to addresses that a guard allows."""

    ConnectionCls = GuardedHTTPConnection

    def _make_request(self, conn: Any, *arguments: Any, **options: Any) -> BaseHTTPResponse:
        _show(conn, options.get("timeout"))
        return super()._make_request(conn, *arguments, **options)


class HTTPSPool(HTTPSConnectionPool):
    """The same with TLS; connections that verify nothing were asked for, so nobody is warned of them."""

    ConnectionCls = GuardedHTTPSConnection

    def _make_request(self, conn: Any, *arguments: Any, **options: Any) -> BaseHTTPResponse:
        _show(conn, options.get("timeout"))
        return super()._make_request(conn, *arguments, **options)

    def _validate_conn(self, conn: object) -> None:
        if isinstance(conn, HTTPConnection) and conn.is_closed:
            conn.connect()


def _show(connection: object, timeout: object) -> None:
    """Let the watch of a request know which connection serves it."""
    if isinstance(timeout, Patience) and isinstance(connection, HTTPConnection):
        timeout.watch.connection = connection


def guarded(guard: Guard) -> dict[str, type[HTTPConnectionPool]]:
    """Return the pools by scheme that go where a guard allows."""
    made: dict[str, object] = {"http": partial(HTTPPool, guard=guard), "https": partial(HTTPSPool, guard=guard)}
    return made  # type: ignore[return-value]  # what makes a pool serves where its class would
