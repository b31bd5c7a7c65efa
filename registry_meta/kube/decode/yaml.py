"""YAML as Kubernetes reads it: YAML 1.1 for the JSON that it spells, without types of its own."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

DEEPEST = 200
"""How deep a body may be nested."""
MOST_COPIED = 100_000
"""How many values aliases may repeat in one body, lest a small one grows without bound."""

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TAG = "tag:yaml.org,2002:"
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
BOOLEANS = {
    spelling: value
    for word, value in (("true", True), ("yes", True), ("on", True), ("false", False), ("no", False), ("off", False))
    for spelling in (word, word.capitalize(), word.upper())
}
INTEGER = re.compile(r"([-+]?)(0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|0|[1-9][0-9_]*)", re.ASCII)
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
ENDLESS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
MERGE = object()
"""The key `<<`, which takes over the members of other maps."""


@dataclass(slots=True)
class _Open:
    """A map or list that is being read; `key` is that of the value to come."""

    value: dict[str, object] | list[object]
    anchor: str | None
    key: object = None
    merged: list[object] = field(default_factory=list)


def load_yaml(text: str) -> tuple[object, list[str]]:
    """Return the plain JSON that one YAML document spells, and the paths of keys given twice; raises ValueError."""
    reading = _Reading()
    try:
        for event in yaml.parse(text, Loader=LOADER):
            reading.take(event)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    return reading.tree, reading.duplicates


class _Reading:
    """A tree that grows by the events of the parser, without recursion."""

    def __init__(self) -> None:
        self.tree: object = None
        self.duplicates: list[str] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, object] = {}
        self._documents = 0
        self._copied = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next event."""
        if isinstance(event, yaml.ScalarEvent):
            self._put(_scalar(event), event.anchor)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(self._open) >= DEEPEST:
                raise ValueError(f"nested deeper than {DEEPEST}")
            self._open.append(_Open({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close(self._open.pop())
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise ValueError(f"unknown anchor {event.anchor}")
            self._put(self._copy(self._anchors[event.anchor]), None)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise ValueError("there is more than one document")

    def _close(self, done: _Open) -> None:
        if isinstance(done.value, dict):
            for other in done.merged:
                for source in other if isinstance(other, list) else [other]:
                    if not isinstance(source, dict):
                        raise ValueError("only maps can be merged by <<")
                    done.value.update({key: item for key, item in source.items() if key not in done.value})
        self._put(done.value, done.anchor)

    def _put(self, value: object, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = None if value is MERGE else value
        if not self._open:
            self.tree = value
            return
        parent = self._open[-1]
        if isinstance(parent.value, list):
            parent.value.append("<<" if value is MERGE else value)
        elif parent.key is None:
            parent.key = value if value is MERGE else _key(value)
        elif parent.key is MERGE:
            parent.merged.append(value)
            parent.key = None
        else:
            if parent.key in parent.value:
                self.duplicates.append("".join(self._path()).removeprefix("."))
            parent.value[str(parent.key)] = "<<" if value is MERGE else value
            parent.key = None

    def _path(self) -> Iterator[str]:
        for opened in self._open:
            yield f"[{len(opened.value)}]" if isinstance(opened.value, list) else f".{opened.key}"

    def _copy(self, value: object) -> object:
        self._copied += 1
        if self._copied > MOST_COPIED:
            raise ValueError("aliases repeat too much")
        if isinstance(value, dict):
            return {key: self._copy(item) for key, item in value.items()}
        return [self._copy(item) for item in value] if isinstance(value, list) else value


def _key(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise ValueError("the key of a map must be a scalar")


def _scalar(event: yaml.ScalarEvent) -> object:
    """Return what a scalar means; times and everything unknown are text."""
    text: str = event.value
    if event.implicit[0]:
        return MERGE if text == "<<" else _plain(text)
    if event.tag in (None, "!", f"{TAG}str"):
        return text
    value = _plain(text)
    words = {"null": type(None), "bool": bool, "int": int, "float": (int, float)}
    wanted = words.get(str(event.tag).removeprefix(TAG))
    if wanted is None or not isinstance(value, wanted):  # type: ignore[arg-type]  # every value above is a class
        raise ValueError(f"a value is not what its tag {event.tag} says")
    return value


def _plain(text: str) -> object:
    if text in NULLS:
        return None
    if text in BOOLEANS:
        return BOOLEANS[text]
    integer = INTEGER.fullmatch(text)
    if integer and len(text) < 80:
        return _integer(integer[1], integer[2].replace("_", ""))
    if FLOAT.fullmatch(text):
        value = float(text)
        if not math.isfinite(value):
            raise ValueError("a number is too large")
        return int(value) if value.is_integer() and abs(value) < 2**63 else value
    if ENDLESS.fullmatch(text):
        raise ValueError(f"{text} is no JSON value")
    return text


def _integer(sign: str, digits: str) -> int | float:
    base = {"0b": 2, "0x": 16, "0o": 8}.get(digits[:2], 8 if digits[0] == "0" and len(digits) > 1 else 10)
    value = int(sign + digits.removeprefix("0b").removeprefix("0x").removeprefix("0o"), base)
    return value if -(2**63) <= value < 2**64 else float(value)
