"""The server itself, run by `./manage.py serve` as its users run it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from tests.processes import ProcessInfo, Program, descendants, free_port, wait_until

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "REGISTRY_META_"
TEST_NAMESPACE = "tests"
"""The namespace that the tests of served instances share."""

ROLES = ("web", "worker", "clock")
# Each process of each server would compile every module anew: a third of what it computes until it is ready.
OTHERS = frozenset({"DATABASE_URL", "REDIS_URL", "PYTHONDONTWRITEBYTECODE"})
"""What a server does not get of the environment of the tests, beside all settings."""

START_SECONDS = 60.0
READY = "Registry Meta is ready"


class Server:
    """A server with a data directory and a port of its own; `with Server() as server:` runs and ends it."""

    def __init__(
        self,
        *,
        database_url: str = "",
        redis_url: str = "",
        environment: Mapping[str, str] | None = None,
        data_dir: Path | None = None,
    ) -> None:
        self._temporary = Path(tempfile.mkdtemp(prefix="registry-meta-"))
        self.data_dir = data_dir or self._temporary / "data"
        self.port = free_port()
        self.environ = _environ(database_url, redis_url, environment or {})
        self._program: Program | None = None

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Run the server and return it once it is ready."""
        log = self._temporary / "server.log"
        log.unlink(missing_ok=True)
        command = [sys.executable, str(ROOT / "manage.py"), "serve"]
        command += ["--data-dir", str(self.data_dir), "--port", str(self.port)]
        program = self._program = Program(command, log=log, environ=self.environ, cwd=ROOT)
        program.wait_ready(lambda: READY in log.read_text(errors="replace"), seconds=START_SECONDS)
        return self

    def stop(self) -> int:
        """End the server, see that none of its processes is left, and return its exit code."""
        program = self._started()
        family = descendants(program.process.pid)
        code = program.stop(signal.SIGTERM)
        self._program = None
        wait_until(lambda: not _living(family), seconds=5, what="every process of the server has ended")
        return code

    def restart(self) -> None:
        """End the server and start it again on the same data and the same port."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End the server, if it runs, and remove its data."""
        try:
            if self._program is not None:
                self.stop()
        finally:
            shutil.rmtree(self._temporary, ignore_errors=True)

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """The administrator's token."""
        return (self.data_dir / "admin.token").read_text().strip()

    @property
    def ca(self) -> Path:
        """The authority that signed the server's certificate."""
        return self.data_dir / "tls" / "ca.crt"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.data_dir / "admin.kubeconfig"

    @property
    def log(self) -> str:
        """Everything that the server has written."""
        return self._started().log.read_text(errors="replace")

    def client(self, token: str | None = None) -> requests.Session:
        """Return an HTTP session with a token, the administrator's unless another is given, and the authority."""
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.ca)
        session.headers["Authorization"] = f"Bearer {token or self.token}"
        return session

    def pids(self) -> dict[str, list[int]]:
        """Return the processes of each role: the one that the supervisor started, and then those below it."""
        family = descendants(self._started().process.pid)
        found: dict[str, list[int]] = {role: [] for role in ROLES}
        for info in family:
            for role in ROLES:
                started = f"manage.py {role}", f"registry_meta.{role}"
                if info.parent == self._started().process.pid and info.command.endswith(started):
                    found[role] = [info.pid, *(below.pid for below in descendants(info.pid))]
        return found

    def family(self) -> list[int]:
        """Return every process of the server, the supervisor first."""
        pid = self._started().process.pid
        return [pid, *(info.pid for info in descendants(pid))]

    def kill(self, role: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to the process of a role that the supervisor started."""
        os.kill(self.pids()[role][0], number)

    def _started(self) -> Program:
        if self._program is None:
            raise RuntimeError("the server does not run")
        return self._program


def _environ(database_url: str, redis_url: str, extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a server: nothing that the person who runs the tests has set for another one."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith((PREFIX, "DJANGO_")) and name not in OTHERS
    }
    urls = {name: url for name, url in (("DATABASE_URL", database_url), ("REDIS_URL", redis_url)) if url}
    return {**kept, "PYTHONUNBUFFERED": "1", **urls, **{PREFIX + name: value for name, value in extra.items()}}


def _living(family: list[ProcessInfo]) -> list[ProcessInfo]:
    return [info for info in family if info.is_alive()]
