"""Load by `wrk`: so many connections that do nothing but ask."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CREATE = Path(__file__).with_name("create.lua")
LATENCY = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)\s*$", re.MULTILINE)
MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True, slots=True)
class Load:
    """What a run of `wrk` measured: requests a second, and how long half and 99 of 100 took at most (milliseconds)."""

    rate: float
    median: float
    slowest: float


class LoadError(RuntimeError):
    """Answers were no successes, or there were none."""


def measure(
    url: str,
    headers: Mapping[str, str],
    *,
    seconds: int = 6,
    connections: int = 32,
    script: Path | None = None,
) -> Load:
    """Ask for a URL for so many seconds; raises LoadError when an answer is not a success."""
    command = ["wrk", "--threads=2", f"--connections={connections}", f"--duration={seconds}s", "--latency"]
    command += ["--timeout=30s", *(f"--header={name}: {value}" for name, value in headers.items())]
    command += [f"--script={script}"] if script else []
    output = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    return parse(output)


def parse(output: str) -> Load:
    """Return what `wrk` printed."""
    rate = re.search(r"^Requests/sec:\s+([\d.]+)", output, re.MULTILINE)
    if rate is None or not float(rate.group(1)) or "Non-2xx" in output or "Socket errors" in output:
        raise LoadError(output)
    times = {found[1]: float(found[2]) * MILLISECONDS[found[3]] for found in LATENCY.finditer(output)}
    return Load(float(rate.group(1)), times.get("50", 0.0), times.get("99", 0.0))
