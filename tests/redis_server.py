"""A Redis server of its own for the tests: empty, on a free port, gone afterwards."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.processes import Program, answers, free_port


class Redis:
    """A running Redis; `url` is what `REDIS_URL` wants."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self.port = free_port()
        self._program: Program | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The address of the server's first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server and wait until it accepts connections; it keeps nothing on disk."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._program = Program(command, log=self._folder / "log", cwd=self._folder)
        self._program.wait_ready(lambda: answers(self.port))

    def stop(self) -> None:
        """Stop the server; its messages are lost."""
        if self._program is not None:
            self._program.stop()
            self._program = None

    def close(self) -> None:
        """Stop the server and remove its directory."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
