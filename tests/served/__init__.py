"""The product as its users have it: the command, its processes, unmodified clients, real registries and consumers."""

EMBEDDED = "embedded"
"""SQLite, and messages in files."""

SCALED = "scaled"
"""PostgreSQL and Redis."""

KINDS = (EMBEDDED, SCALED)
