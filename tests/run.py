"""Runs the whole suite: `python -m tests.run [pytest argument ...]`.

Everything runs once on SQLite; the tests that use the database in their own process run again on a PostgreSQL server
made for them, where it is installed. Without arguments, those that wait for servers of their own (`SERVED`) run beside
the others, whose order in one process stays as it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from tests.postgres import Postgres, binaries

ROOT = Path(__file__).resolve().parent.parent
SERVED = ("tests/conformance", "tests/fuzz", "tests/project", "tests/served")
"""Where the tests start servers and wait for them, or measure time."""

NOTHING_SELECTED = 5  # pytest's exit code
# The whole server is thrown away: there is no need to remove the database from under its readers first.
AGAIN = ("-m", "database", "--reuse-db")


def main(arguments: list[str]) -> int:
    """Run both passes and return the exit code of the first that failed."""
    if arguments:
        return first_of(run(arguments), on_postgresql(arguments))
    with tempfile.TemporaryFile("w+") as output:
        beside = start(SERVED, output=output)
        codes = [run([f"--ignore={place}" for place in SERVED]), on_postgresql([]), beside.wait()]
        output.seek(0)
        print(f"The tests that ran beside those, with servers of their own:\n{output.read()}", flush=True)
    return first_of(*codes)


def first_of(*codes: int) -> int:
    """Return the first exit code of a run that failed; 0 where none did."""
    return next((code for code in codes if code), 0)


def on_postgresql(arguments: list[str]) -> int:
    """Run the tests of the database again, on a PostgreSQL server of their own, and return the exit code."""
    if binaries() is None:
        print("PostgreSQL is not installed: the tests of the database ran on SQLite alone", flush=True)
        return 0
    with Postgres() as postgres:
        print("The tests of the database again, on PostgreSQL:", flush=True)
        code = run([*AGAIN, *arguments], {**os.environ, "DATABASE_URL": postgres.url()})
    return 0 if code == NOTHING_SELECTED else code


def run(arguments: Sequence[str], environ: dict[str, str] | None = None) -> int:
    """Run pytest in a process of its own, for settings are read once in a process."""
    return start(arguments, environ).wait()


def start(
    arguments: Sequence[str], environ: dict[str, str] | None = None, output: IO[str] | None = None
) -> subprocess.Popen[bytes]:
    """Start pytest, on SQLite unless an environment says otherwise."""
    environ = environ or {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.Popen(command, env=environ, cwd=ROOT, stdout=output, stderr=output)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
