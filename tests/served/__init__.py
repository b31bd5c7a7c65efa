"""The product as its users have it: the command, its processes, unmodified clients, real registries and consumers."""

import pytest

EMBEDDED = "embedded"
"""SQLite, and messages in files."""

SCALED = "scaled"
"""PostgreSQL and Redis."""

KINDS = (EMBEDDED, SCALED)

on_one_kind = pytest.mark.parametrize("kind", [EMBEDDED], indirect=True)
"""For what a client makes of answers in which the database has no part, or one that other tests see on each kind."""
