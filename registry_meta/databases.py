"""The database of the server as Django settings: SQLite in the data directory, or PostgreSQL by URL."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from registry_meta.environment import Environment, SettingError

SCHEMES = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
SQLITE_FILE = "registry-meta.sqlite3"

PRAGMAS = {
    "journal_mode": "WAL",
    "synchronous": "NORMAL",
    "busy_timeout": "20000",  # milliseconds
    "cache_size": "-500",  # KiB for each connection, and each thread has one
    "mmap_size": "0",  # each connection would map the whole file, and be charged for it
    "temp_store": "MEMORY",
    "journal_size_limit": str(64 * 1024 * 1024),
}


def configuration(environment: Environment) -> dict[str, object]:
    """Return what `DATABASES["default"]` is."""
    if environment.database_url:
        return postgresql(environment.database_url, connections=environment.database_connections)
    return sqlite(environment)


def sqlite(environment: Environment) -> dict[str, object]:
    """Return the settings of the SQLite file in the data directory."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(environment.data_dir / SQLITE_FILE),
        "CONN_MAX_AGE": None,  # opening costs more than a read
        "OPTIONS": {
            # A transaction that reads first and then writes would fail when another wrote in between.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": " ".join(f"PRAGMA {name}={value};" for name, value in PRAGMAS.items()),
        },
    }


def postgresql(url: str, *, connections: int) -> dict[str, object]:
    """Return the settings of a `postgres://user:password@host:port/name?option=value` URL.

    A unix socket is given as `?host=/run/postgresql`, or percent-encoded as the host. Other options go to libpq.
    """
    parts = _split(url)
    options: dict[str, object] = dict(parse_qsl(parts.query))
    host = str(options.pop("host", "")) or unquote(parts.hostname or "")
    port = str(options.pop("port", "")) or str(parts.port or "")
    if not parts.path.strip("/"):
        raise SettingError("DATABASE_URL: the URL names no database")
    pool = {"min_size": 1, "max_size": connections, "timeout": 10}
    return {
        "ENGINE": "registry_meta.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": port,
        "CONN_HEALTH_CHECKS": False,  # the engine looks
        "OPTIONS": {"application_name": "registry-meta", "connect_timeout": 10, **options, "pool": pool},
    }


def limit_statements(database: dict[str, Any], *, seconds: int) -> None:
    """Have PostgreSQL give up what takes longer than so many seconds on connections made from now on in this process.

    It also waits no longer for a PostgreSQL whose machine is gone. What the URL of the database says counts more, and
    migrations, which may take their time, ask for no limit.
    """
    if "postgresql" not in database["ENGINE"]:
        return
    options: dict[str, Any] = database["OPTIONS"]
    options["options"] = f"-c statement_timeout={seconds}s {options.get('options', '')}".strip()
    options.setdefault("tcp_user_timeout", seconds * 1000)


def _split(url: str) -> SplitResult:
    """Return the parts of a database URL; the URL itself is never in the message, for it has a password."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise SettingError("DATABASE_URL: this is not a URL") from error
    if parts.scheme not in SCHEMES:
        raise SettingError(f"DATABASE_URL: {parts.scheme!r} is not postgres")
    return parts
