"""A PostgreSQL server of its own for the tests: a fresh cluster in a temporary directory, gone afterwards."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.processes import Program, free_port

DEBIAN = Path("/usr/lib/postgresql")
USER = "postgres"

SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "log_min_messages": "warning",
}
"""What the cluster is set to: as durable as a real one, so that what is measured on it holds for one."""

THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For tests that look at behaviour and never at time."""


def binaries() -> Path | None:
    """Return where the newest PostgreSQL's programs are, or None when there is none."""
    installed = [path for path in DEBIAN.glob("*/bin") if (path / "initdb").exists()]
    if installed:
        return max(installed, key=_release)
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _release(path: Path) -> int:
    number = re.match(r"\d+", path.parent.name)
    return int(number.group()) if number else 0


class Postgres:
    """A running cluster; `url(name)` is what `DATABASE_URL` wants. It never runs as root, which it would refuse."""

    def __init__(self, *, durable: bool = False) -> None:
        folder = binaries()
        if folder is None:
            raise FileNotFoundError("PostgreSQL is not installed")
        self._binaries = folder
        self._settings = SETTINGS if durable else SETTINGS | THROWAWAY
        self._user = pwd.getpwnam(USER).pw_uid if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=_short_temporary()))
        self.port = free_port()
        self._program: Program | None = None

    def __enter__(self) -> Self:
        try:
            self._initialise()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def url(self, name: str = "postgres") -> str:
        """Return the URL of a database of the cluster."""
        return f"postgres://{USER}@127.0.0.1:{self.port}/{name}"

    def create(self, name: str) -> str:
        """Make an empty database and return its URL."""
        self._run("createdb", "--host=127.0.0.1", f"--port={self.port}", f"--username={USER}", name)
        return self.url(name)

    def start(self) -> None:
        """Start the server, after it was made or stopped, and wait until it accepts connections."""
        settings = [f"-c{name}={value}" for name, value in self._settings.items()]
        command: list[str | Path] = [
            self._binaries / "postgres",
            "-D",
            self._folder / "data",
            f"-p{self.port}",
            *settings,
        ]
        command += ["-clisten_addresses=127.0.0.1", f"-cunix_socket_directories={self._folder}"]
        self._program = Program(command, log=self._folder / "log", user=self._user, cwd=self._folder)
        self._program.wait_ready(self._accepts)

    def stop(self) -> None:
        """Stop the server at once, open transactions and all; its data stay."""
        if self._program is not None:
            self._program.stop(signal.SIGINT)
            self._program = None

    def close(self) -> None:
        """Stop the server and remove its data."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _initialise(self) -> None:
        if self._user is not None:
            os.chown(self._folder, self._user, self._user)
        data = str(self._folder / "data")
        self._run("initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", f"--username={USER}", data)

    def _accepts(self) -> bool:
        ready: list[str | Path] = [self._binaries / "pg_isready", "--quiet", "--host=127.0.0.1", f"--port={self.port}"]
        return subprocess.run(ready, check=False).returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / program, *arguments],
            check=True,
            capture_output=True,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user is not None else None,
            cwd=self._folder,
        )


def _short_temporary() -> str | None:
    """Return /tmp where there is one: the path of a unix socket may have 107 bytes."""
    return "/tmp" if Path("/tmp").is_dir() else None
