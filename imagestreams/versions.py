"""Semantic versions and ranges of them, and what orders names that hold numbers. Pure.

Ranges are written as npm and Masterminds/semver write them: alternatives apart by `||`, comparators by blanks or commas
that must all hold, `=` `!=` `>` `>=` `<` `<=` `^` `~`, parts left out or `x` for any, and `1.2 - 1.4` from one to the
other. A bound below a version is also below its pre-releases: `<2` has no 2.0.0-rc.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagestreams.reference import Precedence, precedence

LONGEST = 200
"""Characters of a range."""

FORM = 'must be a range of semantic versions, such as ">=1.4 <2", "^1.4" or "1.4.x"'

_PART = r"(?:0|[1-9]\d{0,17}|[xX*])"
_PARTIAL = re.compile(
    rf"[vV]?(?P<major>{_PART})(?:\.(?P<minor>{_PART})(?:\.(?P<patch>{_PART})(?P<pre>-[0-9A-Za-z.-]+)?)?)?"
    r"(?:\+[0-9A-Za-z.-]+)?",
    re.ASCII,
)
_OPERATOR = re.compile(r"(=>|>=|=<|<=|!=|~>|[=<>^~]?)\s*([^\s,]+)[\s,]*")
_HYPHEN = re.compile(r"\s*([^\s,]+)\s+-\s+([^\s,]+)\s*")
_SPELLINGS = {"=>": ">=", "=<": "<=", "~>": "~", "": "="}
_DIGITS = re.compile(r"(\d+)", re.ASCII)
_NUMERICAL = re.compile(r"[vV]?\d+(?:[._-]\d+)*", re.ASCII)

Core = tuple[int, int, int]
Natural = tuple[tuple[int, int, str], ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """Versions from `low` on and below `high`, without those that are `excluded`; None is no bound."""

    low: Precedence | None = None
    high: Precedence | None = None
    excluded: bool = False
    """Whether everything but the interval is meant."""

    def holds(self, version: Precedence) -> bool:
        """Return whether a version is one of them."""
        inside = (self.low is None or self.low <= version) and (self.high is None or version < self.high)
        return inside is not self.excluded


@dataclass(frozen=True, slots=True)
class Alternative:
    """Intervals that a version must lie in, all of them, and the versions whose pre-releases are named."""

    intervals: tuple[Interval, ...]
    named: frozenset[Core]


@dataclass(frozen=True, slots=True)
class Range:
    """A set of semantic versions."""

    text: str
    alternatives: tuple[Alternative, ...]

    @classmethod
    def parse(cls, text: str) -> Range:
        """Return the range that a text means; raises ValueError."""
        if len(text) > LONGEST or not text.strip():
            raise ValueError(FORM)
        return cls(text, tuple(_alternative(part.strip()) for part in text.split("||")))

    def holds(self, version: Precedence, *, prereleases: bool) -> bool:
        """Return whether a version is in the range; a pre-release if all may be, or it names one of the same version.

        The latter is the rule of npm: `>=1.5.0-rc.1` has 1.5.0-rc.2, and not 1.6.0-rc.1.
        """
        core, is_release, _ = version
        return any(
            (prereleases or is_release == 1 or core in each.named)
            and all(interval.holds(version) for interval in each.intervals)
            for each in self.alternatives
        )


ANY = Range("*", (Alternative((), frozenset()),))


def version(text: str) -> Precedence | None:
    """Return what orders a whole semantic version, which may begin with a v, or None when the text is none."""
    return precedence(text[1:] if text[:1] in ("v", "V") else text)


def numbers(text: str) -> tuple[int, ...] | None:
    """Return the numbers that a text consists of, apart by dots, hyphens and underscores, or None for another text."""
    if not _NUMERICAL.fullmatch(text):
        return None
    return tuple(int(number) for number in _DIGITS.findall(text))


def natural(text: str) -> Natural:
    """Return what orders names as people do: runs of digits as numbers, the rest by character."""
    parts = _DIGITS.split(text)
    return tuple((1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts if part)


def _alternative(text: str) -> Alternative:
    """Return what the text between two `||` means; raises ValueError."""
    hyphen = _HYPHEN.fullmatch(text)
    found = [(">=", hyphen[1]), ("<=", hyphen[2])] if hyphen else _comparators(text)
    intervals: list[Interval] = []
    named: set[Core] = set()
    for operator, operand in found:
        partial = _Partial.parse(operand)
        intervals.append(partial.interval(operator))
        if partial.pre:
            named.add(partial.core)
    return Alternative(tuple(intervals), frozenset(named))


def _comparators(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        match = _OPERATOR.match(text, position)
        if match is None:
            raise ValueError(FORM)
        found.append((_SPELLINGS.get(match[1], match[1]), match[2]))
        position = match.end()
    if not found:
        raise ValueError(FORM)
    return found


@dataclass(frozen=True, slots=True)
class _Partial:
    """A version of which the last parts may be left open."""

    numbers: tuple[int, ...]
    pre: str

    @classmethod
    def parse(cls, text: str) -> _Partial:
        match = _PARTIAL.fullmatch(text)
        if match is None:
            raise ValueError(FORM)
        given: list[int] = []
        for part in (match["major"], match["minor"], match["patch"]):
            if part is None or part in "xX*":
                break
            given.append(int(part))
        pre = (match["pre"] or "") if len(given) == 3 else ""
        if pre and precedence(f"0.0.0{pre}") is None:
            raise ValueError(FORM)
        return cls(tuple(given), pre)

    @property
    def core(self) -> Core:
        major, minor, patch = (*self.numbers, 0, 0, 0)[:3]
        return major, minor, patch

    def interval(self, operator: str) -> Interval:
        low, after = self._low(), self._after(len(self.numbers))
        if operator == ">=":
            return Interval(low)
        if operator == "<":
            return Interval(high=low if self.pre else _before(self.core)) if self.numbers else Interval(excluded=True)
        if operator == ">":
            return Interval(after) if after is not None else Interval(excluded=True)
        if operator == "<=":
            return Interval(high=after)
        if operator == "!=":
            return Interval(low, after, excluded=True)
        if operator == "~":
            return Interval(low, self._below(min(len(self.numbers), 2)))
        if operator == "^":
            leading = next((index for index, number in enumerate(self.numbers) if number), len(self.numbers) - 1)
            return Interval(low, self._below(leading + 1))
        return Interval(low, after)

    def _low(self) -> Precedence | None:
        """Return the first version that is meant: with parts left open, the pre-releases of the first are, too."""
        if not self.numbers:
            return None
        if len(self.numbers) < 3:
            return _before(self.core)
        return precedence("{}.{}.{}".format(*self.core) + self.pre)

    def _after(self, known: int) -> Precedence | None:
        """Return the first version beyond those that are meant, or None when there is none."""
        if known < 3:
            return self._below(known)
        low = self._low()
        # Nothing lies between a version and itself with one more, smallest identifier, or its release.
        return None if low is None else (low[0], low[1], (*low[2], (-1, 0, "")))

    def _below(self, parts: int) -> Precedence | None:
        """Return the first version in which one of the first `parts` numbers is larger."""
        if parts <= 0:
            return None
        raised = [*self.core[: parts - 1], self.core[parts - 1] + 1, 0, 0]
        return _before((raised[0], raised[1], raised[2]))


def _before(core: Core) -> Precedence:
    """Return what is below all pre-releases of a version, and above all that is below them."""
    return core, 0, ()
