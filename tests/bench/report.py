"""The lines of a run: what was measured, what it is compared with, and what is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One figure; `least` and `most` are what is asked of it, or of its ratio to the calibration where it has one."""

    name: str
    value: float
    unit: str
    calibration: float | None = None
    least: float | None = None
    most: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The figure by that of the calibration application."""
        return self.value / self.calibration if self.calibration else None

    @property
    def verdict(self) -> str:
        """PASS or FAIL, or nothing where nothing is asked."""
        if self.least is None and self.most is None:
            return ""
        compared = self.value if self.ratio is None else self.ratio
        good = (self.least is None or compared >= self.least) and (self.most is None or compared <= self.most)
        return "PASS" if good else "FAIL"

    def json(self) -> dict[str, object]:
        """Return the line as JSON has it."""
        return {**asdict(self), "ratio": self.ratio, "verdict": self.verdict}

    def cells(self) -> list[str]:
        """Return the line as the table has it."""
        asked = f">= {self.least:g}" if self.least is not None else f"< {self.most:g}" if self.most is not None else ""
        return [
            self.name,
            f"{figure(self.value)} {self.unit}",
            figure(self.calibration) if self.calibration else "",
            f"{self.ratio:.2f}" if self.ratio is not None else "",
            asked,
            self.verdict,
            self.note,
        ]


HEADINGS = ["what", "figure", "calibration", "ratio", "asked", "", ""]


def figure(value: float) -> str:
    """Return a number with as many digits as say something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(lines: Iterable[Line]) -> str:
    """Return the lines as a table of text."""
    rows = [HEADINGS, *(line.cells() for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    left = {0, 5, 6}
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
