"""Runs the whole suite: `python -m tests.run [pytest argument ...]`.

Everything runs once on SQLite; the tests that use the database in their own process run again on a PostgreSQL server
made for them, where it is installed. Without arguments the parts of the suite run beside each other, each in a process
of its own: many tests wait, for servers of their own (`BESIDE`) or for time to pass. A few that fail there are run once
more, since a machine with so much to do is late now and then; what they said the first time is printed, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO

from tests.postgres import Postgres, binaries

ROOT = Path(__file__).resolve().parent.parent


def served(letters: str) -> tuple[str, ...]:
    """Return the files with tests of servers whose names begin with some letters, such as `a-h`."""
    return tuple(str(file.relative_to(ROOT)) for file in sorted(ROOT.glob(f"tests/served/test_[{letters}]*.py")))


BESIDE = (("tests/conformance", "tests/fuzz", "tests/project", *served("a-h")), served("i-z"))
"""Where the tests start servers and wait for them, or measure time: two parts that take about as long."""
ALONE = ("tests/project/test_serve.py::test_the_second_start_is_quick_and_keeps_everything",)
"""What is measured by the clock on the wall, and so runs before anything else does."""

SOME_FAILED, NOTHING_SELECTED = 1, 5  # pytest's exit codes
FEW = 3
"""As many failures may come of lateness; more of them are something else."""
# The whole server is thrown away: there is no need to remove the database from under its readers first.
AGAIN = ("-m", "database and not any_database", "--reuse-db")


def main(arguments: list[str]) -> int:
    """Run everything and return the exit code of the first part that failed."""
    if arguments:
        return first_of(run(arguments), on_postgresql(arguments))
    alone = run(ALONE)
    elsewhere = [place for places in BESIDE for place in places]
    parts = [
        partial(on_postgresql, []),
        *(partial(steadily, [*places, *(f"--deselect={test}" for test in ALONE)]) for places in BESIDE),
    ]
    with ThreadPoolExecutor(len(parts)) as pool:
        others = [pool.submit(recorded, part) for part in parts]
        codes = [alone, steadily([f"--ignore={place}" for place in elsewhere])]
        for other in others:
            code, output = other.result()
            print(f"What ran beside:\n{output}", flush=True)
            codes.append(code)
    return first_of(*codes)


def first_of(*codes: int) -> int:
    """Return the first exit code of a run that failed; 0 where none did."""
    return next((code for code in codes if code), 0)


def recorded(part: Callable[[IO[str]], int]) -> tuple[int, str]:
    """Return the exit code of a part of the suite, and what it printed."""
    with tempfile.TemporaryFile("w+") as output:
        code = part(output)
        output.seek(0)
        return code, output.read()


def on_postgresql(arguments: list[str], output: IO[str] | None = None) -> int:
    """Run the tests of the database again, on a PostgreSQL server of their own, and return the exit code."""
    if binaries() is None:
        print("PostgreSQL is not installed: the tests of the database ran on SQLite alone", file=output, flush=True)
        return 0
    with Postgres() as postgres:
        print("The tests of the database again, on PostgreSQL:", file=output, flush=True)
        code = steadily([*AGAIN, *arguments], output, {**os.environ, "DATABASE_URL": postgres.url()})
    return 0 if code == NOTHING_SELECTED else code


def steadily(arguments: Sequence[str], output: IO[str] | None = None, environ: dict[str, str] | None = None) -> int:
    """Run a part of the suite, and a few tests that failed in it once more; return the exit code of the last run."""
    with tempfile.TemporaryDirectory(prefix="pytest-cache-") as cache:
        arguments = [*arguments, "-o", f"cache_dir={cache}"]
        code = run(arguments, output, environ)
        failed = Path(cache, "v", "cache", "lastfailed")
        if code != SOME_FAILED or len(json.loads(failed.read_text())) > FEW:
            return code
        print("What failed, once more:", file=output, flush=True)
        return run([*arguments, "--last-failed"], output, environ)


def run(arguments: Sequence[str], output: IO[str] | None = None, environ: dict[str, str] | None = None) -> int:
    """Run pytest in a process of its own, on SQLite unless an environment says otherwise; return the exit code."""
    environ = environ or {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    command = [sys.executable, "-m", "pytest", *arguments]
    # Each part would compile every module and every test anew.
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run(command, env=environ, cwd=ROOT, stdout=output, stderr=output, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
