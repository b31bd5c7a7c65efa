"""Connections to PostgreSQL leave the pool without a question, and those that are broken do not leave it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db.utils import ConnectionHandler
from pytest_django.plugin import DjangoDbBlocker

from registry_meta import databases
from registry_meta.postgresql.base import FRESH_SECONDS, DatabaseWrapper
from tests.postgres import Postgres

ALIAS = "pooled"
CHANGED = "SELECT state_change FROM pg_stat_activity WHERE pid = %s"


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> str:
    return postgres.create("pooled")


@pytest.fixture
def pooled(url: str, django_db_blocker: DjangoDbBlocker) -> Iterator[DatabaseWrapper]:
    """Return a database whose pool has one connection."""
    with django_db_blocker.unblock():
        connection = opened(url, connections=1)
        yield connection
        connection.close()
        connection.close_pool()


def opened(url: str, *, connections: int) -> DatabaseWrapper:
    settings = databases.postgresql(url, connections=connections)
    connection = ConnectionHandler({"default": settings, ALIAS: settings})[ALIAS]
    assert isinstance(connection, DatabaseWrapper)
    return connection


@pytest.fixture
def observer(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def used(pooled: DatabaseWrapper) -> int:
    """Use the connection, give it back, and return the process of PostgreSQL that serves it."""
    with pooled.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (process,) = cursor.fetchone()
    pooled.close()
    return int(process)


def changed(observer: psycopg.Connection[Any], process: int) -> Any:
    """Return when a connection was last asked something."""
    row = observer.execute(CHANGED, [process]).fetchone()
    assert row is not None
    return row[0]


def test_a_connection_that_was_just_used_is_asked_nothing(
    pooled: DatabaseWrapper, observer: psycopg.Connection[Any]
) -> None:
    process = used(pooled)
    pooled.ensure_connection()
    pooled.close()
    before = changed(observer, process)

    pooled.ensure_connection()

    assert changed(observer, process) == before


def test_a_connection_that_has_rested_is_asked(pooled: DatabaseWrapper, observer: psycopg.Connection[Any]) -> None:
    process = used(pooled)
    before = changed(observer, process)
    time.sleep(1.2 * FRESH_SECONDS)

    pooled.ensure_connection()

    assert changed(observer, process) > before


@pytest.mark.parametrize("rest", [0, 1.2 * FRESH_SECONDS], ids=["at once", "later"])
def test_a_connection_that_was_ended_is_replaced(
    pooled: DatabaseWrapper, observer: psycopg.Connection[Any], rest: float
) -> None:
    process = used(pooled)
    observer.execute("SELECT pg_terminate_backend(%s, 10000)", [process])
    time.sleep(rest)

    assert used(pooled) != process


def test_a_pool_of_connections_that_were_all_ended_gives_those_that_work(
    url: str, observer: psycopg.Connection[Any], django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock():
        several = [opened(url, connections=3) for _ in range(3)]
        for connection in several:
            connection.ensure_connection()
        for connection in several:
            connection.close()
        observer.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

        assert all(used(connection) for connection in several)

        several[0].close_pool()
