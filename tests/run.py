"""Runs the whole suite: `python -m tests.run [pytest argument ...]`.

Everything runs once on SQLite; the tests that use the database in their own process run again on a PostgreSQL server
made for them, where it is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.postgres import Postgres, binaries

ROOT = Path(__file__).resolve().parent.parent
NOTHING_SELECTED = 5  # pytest's exit code


def main(arguments: list[str]) -> int:
    """Run both passes and return the exit code of the first that failed."""
    environ = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    code = run(arguments, environ)
    if binaries() is None:
        print("PostgreSQL is not installed: the tests of the database ran on SQLite alone", flush=True)
        return code
    with Postgres() as postgres:
        print("The tests of the database again, on PostgreSQL:", flush=True)
        # The whole server is thrown away: there is no need to remove the database from under its readers first.
        again = run(["-m", "database", "--reuse-db", *arguments], {**environ, "DATABASE_URL": postgres.url()})
    return code or (0 if again == NOTHING_SELECTED else again)


def run(arguments: list[str], environ: dict[str, str]) -> int:
    """Run pytest in a process of its own, for settings are read once in a process."""
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], env=environ, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
