"""The `kubectl` and `oc` of this machine, with a home of its own, so that it finds no discovery of another server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.processes import Program
from tests.server import Server

PATIENCE = 60


class Kubectl:
    """Runs commands against a server as its administrator; `namespace` is the one that they name by default."""

    program = "kubectl"

    def __init__(
        self, server: Server, home: Path, *, namespace: str = "", environ: Mapping[str, str] | None = None
    ) -> None:
        own = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(server.kubeconfig)}
        self._environ = {**own, **(environ or {})}
        self._home = home
        self.namespace = namespace
        self._common = [self.program, *(["--namespace", namespace] if namespace else [])]

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Run a command and return what it printed; raises AssertionError with what it said if it failed."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"{self.program} {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command and return how it ended."""
        return subprocess.run(
            [*self._common, *arguments],
            env=self._environ, input=stdin, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip

    def refuses(self, *arguments: str, stdin: str = "") -> str:
        """Run a command that is to fail and return what it said."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 1, f"{self.program} {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stderr

    @contextmanager
    def running(self, *arguments: str) -> Iterator[Program]:
        """Have a command run on, such as one that watches, until the context ends."""
        log = self._home / f"{self.program}-{self.namespace}-{'-'.join(arguments).replace('/', '-')}.log"
        program = Program([*self._common, *arguments], log=log, environ=self._environ)
        try:
            yield program
        finally:
            program.stop()


class Oc(Kubectl):
    """Runs `oc`, the command-line client of OpenShift."""

    program = "oc"
