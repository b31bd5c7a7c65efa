"""The tables of a running server, read and written as an operator with a database client would."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.server import Server

Row = dict[str, Any]


def rows(server: Server, table: str, **values: str) -> list[Row]:
    """Return the rows of a table that have some values, in the order of their versions."""
    found = _sqlite(server, table) if "DATABASE_URL" not in server.environ else _postgres(server, table)
    return [row for row in found if all(row[name] == value for name, value in values.items())]


def change(server: Server, sql: str, *values: str) -> int:
    """Run a statement with a `?` for each value and return how many rows it has changed."""
    if "DATABASE_URL" in server.environ:
        with psycopg.connect(server.environ["DATABASE_URL"]) as database:
            return database.execute(sql.replace("?", "%s").encode(), values).rowcount
    with closing(sqlite3.connect(server.data_dir / "registry-meta.sqlite3", timeout=30)) as file, file:
        return file.execute(sql, values).rowcount


def statement(table: str) -> str:
    """Return what reads a table."""
    return f"SELECT * FROM {table} ORDER BY version"


def _sqlite(server: Server, table: str) -> list[Row]:
    location = f"file:{server.data_dir / 'registry-meta.sqlite3'}?mode=ro"
    with closing(sqlite3.connect(location, uri=True, timeout=10)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(statement(table))]


def _postgres(server: Server, table: str) -> list[Row]:
    with psycopg.connect(server.environ["DATABASE_URL"], row_factory=dict_row) as database:
        return list(database.execute(statement(table).encode()))
