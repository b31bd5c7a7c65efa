"""Secrets that can be told from everything else, and the look for what is left of them."""

from __future__ import annotations

import base64
import secrets
import subprocess
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from tests.postgres import binaries


def planted(where: str) -> str:
    """Return a secret that says where it was given, and that nothing else can be equal to."""
    return f"planted-{where}-{secrets.token_hex(6)}"


def shapes(value: str) -> set[bytes]:
    """Return what a value looks like in clear text, in base64 (also for URLs), and in base64 twice."""
    once = in_base64(value.encode())
    twice = {shape for text in once for shape in in_base64(text)}
    found = {value.encode(), *once, *twice}
    return found | {text.replace(b"+", b"-").replace(b"/", b"_") for text in found}


def in_base64(data: bytes) -> set[bytes]:
    """Return what base64 makes of data wherever it begins within a longer text."""
    found = set()
    for offset in range(3):
        text = base64.b64encode(bytes(offset) + data)
        found.add(text[-(-offset * 8 // 6) : (offset + len(data)) * 8 // 6])
    return found


def traces(content: bytes, values: Iterable[str]) -> list[str]:
    """Return the values of which content holds a trace, in any of their shapes."""
    return [value for value in values if any(shape in content for shape in shapes(value))]


def files(folder: Path, *, leave_out: Collection[str] = ()) -> dict[str, bytes]:
    """Return the files below a folder, but for those with names or endings to leave out; some may go meanwhile."""
    found: dict[str, bytes] = {}
    for path in folder.rglob("*"):
        if path.name in leave_out or path.suffix in leave_out:
            continue
        with suppress(FileNotFoundError):
            if path.is_file():
                found[str(path)] = path.read_bytes()
    return found


def dump(url: str) -> bytes:
    """Return all that a PostgreSQL database holds."""
    folder = binaries()
    assert folder is not None
    return subprocess.run([folder / "pg_dump", url], capture_output=True, check=True).stdout
