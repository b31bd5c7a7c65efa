"""How much memory processes hold, as the kernel counts it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FIELD = re.compile(r"^(Rss|Pss):\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory in MB (10⁶ bytes): `rss` counts pages once for each process that has them, `pss` once in all."""

    rss: float
    pss: float


def of(pids: Iterable[int]) -> Memory:
    """Return the memory of processes, added up; one that has ended counts nothing."""
    totals = {"Rss": 0, "Pss": 0}
    for pid in pids:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for name, kib in FIELD.findall(rollup):
            totals[name] += int(kib)
    return Memory(totals["Rss"] * 1024 / 1e6, totals["Pss"] * 1024 / 1e6)
