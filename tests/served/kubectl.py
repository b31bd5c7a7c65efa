"""The `kubectl` of this machine, with a home of its own, so that it finds no discovery of another server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.processes import Program
from tests.server import Server

PATIENCE = 60


class Kubectl:
    """Runs commands against a server as its administrator; `namespace` is the one that they name by default."""

    def __init__(self, server: Server, home: Path, *, namespace: str = "") -> None:
        self._environ = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(server.kubeconfig)}
        self._home = home
        self._common = ["kubectl", *(["--namespace", namespace] if namespace else [])]

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Run a command and return what it printed; raises AssertionError with what it said if it failed."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command and return how it ended."""
        return subprocess.run(
            [*self._common, *arguments],
            env=self._environ, input=stdin, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip

    @contextmanager
    def running(self, *arguments: str) -> Iterator[Program]:
        """Have a command run on, such as one that watches, until the context ends."""
        log = self._home / f"kubectl-{'-'.join(arguments).replace('/', '-')}.log"
        program = Program([*self._common, *arguments], log=log, environ=self._environ)
        try:
            yield program
        finally:
            program.stop()
