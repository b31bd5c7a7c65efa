"""Rules by which a tag follows the tags of an upstream repository: how they are written, what they say of a tag. Pure.

A rule is written into the annotations of the wish for a tag (`spec.tags[].annotations`) that comes from a DockerImage:

    follow.registry-meta.io/semver          a range of semantic versions; the highest in it is elected
    follow.registry-meta.io/order           what is highest: semver, numerical, alphabetical, newest (first seen last)
    follow.registry-meta.io/pattern         RE2: which tags count; what a group `version` takes is what is compared
    follow.registry-meta.io/exclude         RE2: which tags do not count
    follow.registry-meta.io/prereleases     "true": pre-releases count as well
    follow.registry-meta.io/min-age         how long this server must have seen a tag, such as 72h
    follow.registry-meta.io/trust-existing  "true": what was there when the repository was first listed is old enough
    follow.registry-meta.io/allow-lower     the upstream tag that may be left for a lower one, once

With `semver` or `order` the tag follows. `from` names the repository, and stays as it was written; a tag in it is where
following starts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol

import re2

from imagestreams import versions
from imagestreams.reference import InvalidReference, PullSpec
from imagestreams.types import TagReference
from imagestreams.versions import Range
from registry_meta.kube.errors import FieldError, field_forbidden, invalid_value, not_supported, required

PREFIX = "follow.registry-meta.io/"
SEMVER, ORDER, PATTERN, EXCLUDE = (f"{PREFIX}{word}" for word in ("semver", "order", "pattern", "exclude"))
PRERELEASES, MIN_AGE = f"{PREFIX}prereleases", f"{PREFIX}min-age"
TRUST_EXISTING, ALLOW_LOWER = f"{PREFIX}trust-existing", f"{PREFIX}allow-lower"
KEYS = (ALLOW_LOWER, EXCLUDE, MIN_AGE, ORDER, PATTERN, PRERELEASES, SEMVER, TRUST_EXISTING)

ELECTED = "Elected"
"""The condition that says what a tag stands for."""

LONGEST_PATTERN = 500
"""Characters of a regular expression. RE2 takes time in proportion to the text, whatever the expression."""

LONGEST_AGE = timedelta(days=3650)
AGE_FORM = "must be a length of time of at most 3650d, such as 72h, 3d or 1h30m"
TAG_FORM = "must be the name of a tag"

_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_AGE = re.compile(r"(?:\d{1,9}[smhd])+", re.ASCII)
_ARTIFACT = re.compile(r"sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{128})(?:\.\w+)?", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Match(Protocol):
    """What of a text an expression took."""

    def group(self, name: str, /) -> str | None:
        """Return what a group took."""


class Expression(Protocol):
    """A compiled regular expression."""

    @property
    def groupindex(self) -> Mapping[str, int]:
        """Return the groups that have a name."""

    def fullmatch(self, text: str, /) -> Match | None:
        """Return what it takes of a text, all of which must fit."""


class Order(StrEnum):
    """What makes one tag higher than another."""

    SEMVER = "semver"
    NUMERICAL = "numerical"
    ALPHABETICAL = "alphabetical"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class Rule:
    """Which tags of a repository count, which of them is highest, and how old one must be."""

    order: Order
    range: Range = versions.ANY
    pattern: str = ""
    exclude: str = ""
    prereleases: bool = False
    min_age: timedelta = timedelta()
    min_age_text: str = ""
    trust_existing: bool = False
    allow_lower: str = ""

    def __str__(self) -> str:
        text = f'semver "{self.range.text}"' if self.order is Order.SEMVER else f"{self.order} order"
        text += f' of pattern "{self.pattern}"' if self.pattern else ""
        return text + (f' without "{self.exclude}"' if self.exclude else "")

    def value(self, tag: str) -> Any:
        """Return what orders a tag among those that count, or None for one that does not.

        Values of one rule can be compared with each other; those of `newest` order tags that were first seen together.
        """
        text = self._compared(tag)
        if text is None:
            return None
        if self.order is Order.SEMVER:
            version = versions.version(text)
            fits = version is not None and self.range.holds(version, prereleases=self.prereleases)
            return version if fits else None
        if self.order is Order.NUMERICAL:
            return versions.numbers(text)
        return text if self.order is Order.ALPHABETICAL else versions.natural(text)

    def _compared(self, tag: str) -> str | None:
        """Return the part of a tag that is compared, or None for a tag that does not count."""
        # What signs and describes an image is a tag of its own in many repositories.
        if _ARTIFACT.fullmatch(tag) or (self.exclude and _expression(self.exclude).fullmatch(tag)):
            return None
        if not self.pattern:
            return tag
        expression = _expression(self.pattern)
        match = expression.fullmatch(tag)
        if match is None:
            return None
        group = match.group("version") if "version" in expression.groupindex else tag
        return group or None


def is_tag(text: str) -> bool:
    """Return whether a text can be the name of a tag."""
    return _TAG.fullmatch(text) is not None


def rule_of(tag: TagReference | None) -> Rule | None:
    """Return the rule by which a tag follows, or None when it does not."""
    words = written(tag)
    source = tag.from_ if tag is not None else None
    if not words or source is None or source.kind != "DockerImage":
        return None
    return _rule(tuple(sorted(words.items())))


def written(tag: TagReference | None) -> dict[str, str]:
    """Return the annotations of a wish that speak of following."""
    annotations = (tag.annotations if tag is not None else None) or {}
    return {key: value for key, value in annotations.items() if key.startswith(PREFIX)}


def without(annotations: Mapping[str, str] | None) -> dict[str, str] | None:
    """Return annotations without those that speak of following."""
    return {key: value for key, value in (annotations or {}).items() if not key.startswith(PREFIX)} or None


@lru_cache(maxsize=4096)
def _rule(words: tuple[tuple[str, str], ...]) -> Rule | None:
    given = dict(words)
    if _problems(given, ""):
        return None
    return Rule(
        order=Order(given.get(ORDER, Order.SEMVER)),
        range=Range.parse(given[SEMVER]) if SEMVER in given else versions.ANY,
        pattern=given.get(PATTERN, ""),
        exclude=given.get(EXCLUDE, ""),
        prereleases=given.get(PRERELEASES) == "true",
        min_age=_age(given[MIN_AGE]) if MIN_AGE in given else timedelta(),
        min_age_text=given.get(MIN_AGE, ""),
        trust_existing=given.get(TRUST_EXISTING) == "true",
        allow_lower=given.get(ALLOW_LOWER, ""),
    )


def problems(tag: TagReference, path: str) -> list[FieldError]:
    """Return what is wrong with the rule of the wish for a tag that lies at `path`."""
    words = written(tag)
    if not words:
        return []
    found = _problems(words, f"{path}.annotations")
    source = tag.from_
    if source is None or source.kind != "DockerImage":
        found.append(field_forbidden(f"{path}.annotations", "only tags that come from a DockerImage follow a rule"))
    elif tag.reference:
        found.append(field_forbidden(f"{path}.reference", "a tag that follows a rule is imported"))
    elif _digest_in(source.name):
        detail = "a digest never moves; name the repository, or the tag to start from"
        found.append(invalid_value(f"{path}.from.name", source.name, detail))
    return found


def _digest_in(name: str) -> bool:
    try:
        return bool(PullSpec.parse(name).id)
    except InvalidReference:
        return False


def _problems(words: Mapping[str, str], field: str) -> list[FieldError]:
    found = [not_supported(field, key, KEYS) for key in sorted(words) if key not in KEYS]
    if SEMVER not in words and ORDER not in words:
        found.append(required(f"{field}[{ORDER}]", "a rule says what is highest, unless it has a range of semver"))
    for key in sorted(words):
        if key in KEYS:
            found += _word_problems(key, words, f"{field}[{key}]")
    return found


def _word_problems(key: str, words: Mapping[str, str], path: str) -> list[FieldError]:
    text = words[key]
    order = words.get(ORDER, Order.SEMVER)
    if key == ORDER:
        return [] if text in list(Order) else [not_supported(path, text[:100], [str(each) for each in Order])]
    if key in (SEMVER, PRERELEASES) and order != Order.SEMVER:
        return [field_forbidden(path, f"there are no semantic versions in {order[:100]} order")]
    if key in (PRERELEASES, TRUST_EXISTING):
        return [] if text in ("true", "false") else [not_supported(path, text[:100], ["false", "true"])]
    detail = _fault(key, text)
    return [invalid_value(path, text[:100], detail)] if detail else []


def _fault(key: str, text: str) -> str:
    """Return what is wrong with the text of a word, or an empty text."""
    if key == ALLOW_LOWER:
        return "" if is_tag(text) else TAG_FORM
    try:
        if key == SEMVER:
            Range.parse(text)
        elif key == MIN_AGE:
            _age(text)
        else:
            _check_expression(text)
    except ValueError as error:
        return str(error)
    return ""


def _age(text: str) -> timedelta:
    """Return a length of time; raises ValueError."""
    if len(text) > 40 or not _AGE.fullmatch(text):
        raise ValueError(AGE_FORM)
    seconds = sum(int(part[:-1]) * _SECONDS[part[-1]] for part in re.findall(r"\d+[smhd]", text))
    if seconds > LONGEST_AGE.total_seconds():
        raise ValueError(AGE_FORM)
    return timedelta(seconds=seconds)


def _check_expression(text: str) -> None:
    if not text or len(text) > LONGEST_PATTERN or not text.isprintable():
        raise ValueError(f"must be a regular expression (RE2) of at most {LONGEST_PATTERN} printable characters")
    try:
        _expression(text)
    except re2.error as error:
        raise ValueError(f"must be a regular expression (RE2): {_said(error)}") from error


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


@lru_cache(maxsize=1024)
def _expression(text: str) -> Expression:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    compiled: Expression = re2.compile(text, options)
    return compiled
