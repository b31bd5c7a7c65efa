"""Runs the calibration application as the server runs its own web processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.processes import Program, answers, free_port

ROOT = Path(__file__).resolve().parents[2]
APPLICATION = "tests.bench.calibration:application"
THREADS = 2048
WORKERS = 2


@contextmanager
def calibration(*, certificate: Path, key: Path, database_url: str = "") -> Iterator[str]:
    """Serve the application with the certificate of the server, and yield the URL of its row."""
    folder = Path(tempfile.mkdtemp(prefix="calibration-"))
    environ = {**os.environ, "REGISTRY_META_DATA_DIR": str(folder)}
    environ.pop("DATABASE_URL", None)
    if database_url:
        environ["DATABASE_URL"] = database_url
    program: Program | None = None
    try:
        made = subprocess.run(
            [sys.executable, "-m", "tests.bench.calibration"], env=environ, cwd=ROOT, check=True, capture_output=True
        )
        assert not made.stderr, made.stderr
        port = free_port()
        program = Program(command(port, certificate, key), log=folder / "log", environ=environ, cwd=ROOT)
        program.wait_ready(lambda: answers(port))
        yield f"https://127.0.0.1:{port}/row"
    finally:
        if program is not None:
            program.stop(signal.SIGTERM)
        shutil.rmtree(folder, ignore_errors=True)


def command(port: int, certificate: Path, key: Path) -> list[str | Path]:
    """Return the command: the options are those of the server's own web processes."""
    return [
        Path(sys.executable).with_name("granian"), "--interface=wsgi", "--http=auto", "--no-ws",
        "--host=127.0.0.1", f"--port={port}", f"--workers={WORKERS}", f"--blocking-threads={THREADS}",
        f"--backpressure={THREADS}", f"--backlog={THREADS}", f"--ssl-certificate={certificate}", f"--ssl-keyfile={key}",
        "--workers-kill-timeout=2", "--log-level=error", APPLICATION,
    ]  # fmt: skip
