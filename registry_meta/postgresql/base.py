"""Django's database backend of PostgreSQL, which asks a connection whether it still works only when that is in doubt.

Django asks each time that a connection leaves the pool. That is a statement more of every request, of which most make
two or three, while the pool hands over a connection again within milliseconds.
"""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool

FRESH_SECONDS = 0.5
"""How long a connection that was handed over is taken to work, unless its other end has closed it."""


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to PostgreSQL, from a pool where the settings name one; they leave health checks to this class."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a connection that works, as far as can be told; raises when there is none in time."""
        connection = super().get_new_connection(conn_params)
        pool = self.pool
        if pool is None:
            return connection
        while not _works(connection):
            # The pool finds that it is broken, and makes another one.
            pool.putconn(connection)
            connection = pool.getconn()
        connection.handed_over = time.monotonic()
        return connection


def _works(connection: Any) -> bool:
    """Return whether a connection works: looked at only, or asked when it has rested or something came unasked."""
    rested = time.monotonic() - getattr(connection, "handed_over", 0.0)
    try:
        if rested > FRESH_SECONDS or _has_news(connection):
            ConnectionPool.check_connection(connection)
    except psycopg.Error:
        connection.close()
        return False
    return True


def _has_news(connection: Any) -> bool:
    """Return whether there is something to read on a connection that nobody has asked anything: its end, most often."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
