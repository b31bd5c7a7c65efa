"""Where the processes of a host count what they do: one mapped file a process and kind, so that any can tell the sum.

    DATA_DIR/metrics/HOST/counter_PID.db, histogram_PID.db, gauge_livesum_PID.db

Containers that share a data directory have hosts of their own, for their process ids may be the same.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from registry_meta.keys import make_private_directory

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""What makes the library count in files; it looks when it is imported, so settings say it before any app is loaded."""

LIVE = "gauge_live"
"""How the names of files begin that count only while their process lives."""


def prepare(data_dir: Path) -> Path:
    """Make the directory of this host and tell the library of it; return it."""
    directory = data_dir / "metrics" / socket.gethostname()
    make_private_directory(data_dir)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ[VARIABLE] = str(directory)
    return directory


def clear(directory: Path) -> None:
    """Begin to count anew; no process that counts may run."""
    for path in directory.parent.glob("*/*.db"):
        path.unlink(missing_ok=True)


def begin(directory: Path) -> None:
    """Forget what processes that are gone had under way, one of the same id among them."""
    for path in directory.glob(f"{LIVE}*.db"):
        if _process(path) == os.getpid() or not _lives(_process(path)):
            path.unlink(missing_ok=True)


def files(directory: Path) -> Iterator[str]:
    """Yield the files whose sum counts: those of every host, but what is under way on this one only."""
    for path in sorted(directory.parent.glob("*/*.db")):
        if not path.name.startswith(LIVE) or (path.parent == directory and _lives(_process(path))):
            yield str(path)


def _process(path: Path) -> int:
    return int(path.stem.rpartition("_")[2])


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
