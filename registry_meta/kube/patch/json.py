"""JSON patch (RFC 6902)."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from registry_meta.kube.errors import StatusError
from registry_meta.kube.patch import malformed, rejected

MOST_OPERATIONS = 10_000
MOST_COPIED = 3 * 1024 * 1024
"""How many bytes of JSON the copy operations of one patch may make."""

INDEX = re.compile(r"0|[1-9][0-9]*", re.ASCII)
_MISSING = object()


def apply_json_patch(document: object, operations: object) -> object:
    """Return a document after the operations of a patch, in order; the document given stays as it is.

    Raises 400 for what is no list of objects, 413 for too many operations, 422 for one that fails.
    """
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise malformed("a JSON patch is a list of operations, each of them an object")
    if len(operations) > MOST_OPERATIONS:
        why = f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(operations)}"
        raise StatusError(413, "RequestEntityTooLarge", f"Request entity too large: {why}")
    try:
        patching = _Patching(_copy(document))
        for operation in operations:
            patching.perform(operation)
        # What cannot be written down again is nested too deep for everything that follows.
        msgspec.json.encode(patching.document)
    except RecursionError as error:
        raise rejected("the patched object is nested too deep") from error
    return patching.document


class _Patching:
    """A document on its way from one operation to the next; it owns the document."""

    def __init__(self, document: object) -> None:
        self.document = document
        self._copied = 0
        self._operations: dict[str, Callable[[dict[str, object]], object]] = {
            "add": lambda operation: self._add(_pointer(operation, "path"), _copy(_value(operation))),
            "remove": lambda operation: self._remove(_pointer(operation, "path")),
            "replace": self._replace,
            "move": self._move,
            "copy": self._copy_over,
            "test": self._test,
        }

    def perform(self, operation: dict[str, object]) -> None:
        """Perform one operation; raises 422 when it fails."""
        name = operation.get("op")
        perform = self._operations.get(name) if isinstance(name, str) else None
        if perform is None:
            raise rejected(f"unknown operation {msgspec.json.encode(name).decode()}")
        perform(operation)

    def _get(self, pointer: list[str]) -> object:
        value = self.document
        for depth, token in enumerate(pointer):
            value = _member(value, token)
            if value is _MISSING:
                raise rejected(f"there is nothing at {_written(pointer[: depth + 1])}")
        return value

    def _add(self, pointer: list[str], value: object) -> None:
        if not pointer:
            self.document = value
            return
        parent, token = self._get(pointer[:-1]), pointer[-1]
        if isinstance(parent, dict):
            parent[token] = value
        elif isinstance(parent, list):
            parent.insert(_index(pointer, len(parent)), value)
        else:
            raise rejected(f"{_written(pointer[:-1])} is no object and no list")

    def _remove(self, pointer: list[str]) -> object:
        if not pointer:
            raise rejected("the whole document cannot be removed")
        removed = self._get(pointer)
        parent, token = self._get(pointer[:-1]), pointer[-1]
        if isinstance(parent, dict):
            del parent[token]
        elif isinstance(parent, list):
            del parent[int(token)]
        return removed

    def _replace(self, operation: dict[str, object]) -> None:
        pointer, value = _pointer(operation, "path"), _copy(_value(operation))
        self._get(pointer)
        if not pointer:
            self.document = value
            return
        parent, token = self._get(pointer[:-1]), pointer[-1]
        if isinstance(parent, dict):
            parent[token] = value
        elif isinstance(parent, list):
            parent[int(token)] = value

    def _move(self, operation: dict[str, object]) -> None:
        source, target = _pointer(operation, "from"), _pointer(operation, "path")
        if len(source) < len(target) and target[: len(source)] == source:
            raise rejected(f"{_written(source)} cannot be moved into itself")
        if source == target:
            self._get(source)
            return
        self._add(target, self._remove(source))

    def _copy_over(self, operation: dict[str, object]) -> None:
        value = self._get(_pointer(operation, "from"))
        self._copied += len(msgspec.json.encode(value))
        if self._copied > MOST_COPIED:
            raise rejected(f"the patch copies more than {MOST_COPIED} bytes")
        self._add(_pointer(operation, "path"), _copy(value))

    def _test(self, operation: dict[str, object]) -> None:
        pointer, wanted = _pointer(operation, "path"), _value(operation)
        found = self.document if not pointer else _member(self._get(pointer[:-1]), pointer[-1])
        # Kubernetes lets a test for null hold where there is nothing, and clients rely on it.
        if not _equal(None if found is _MISSING else found, wanted):
            raise rejected(f"the test of {_written(pointer)} failed")


def _value(operation: dict[str, object]) -> object:
    if "value" not in operation:
        raise rejected(f"an operation {operation.get('op')} needs a value")
    return operation["value"]


def _pointer(operation: dict[str, object], member: str) -> list[str]:
    """Return the reference tokens of a JSON pointer (RFC 6901)."""
    text = operation.get(member)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise rejected(f"the member {member} of an operation must be a JSON pointer")
    return [token.replace("~1", "/").replace("~0", "~") for token in text.split("/")[1:]]


def _written(pointer: list[str]) -> str:
    text = "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in pointer)
    return f'"{text}"'


def _member(parent: object, token: str) -> object:
    if isinstance(parent, dict):
        return parent.get(token, _MISSING)
    if isinstance(parent, list) and INDEX.fullmatch(token) and len(token) < 10 and int(token) < len(parent):
        return parent[int(token)]
    return _MISSING


def _index(pointer: list[str], length: int) -> int:
    """Return the place in a list at which an item is added."""
    last = pointer[-1]
    if last == "-":
        return length
    if not INDEX.fullmatch(last) or len(last) > 9 or int(last) > length:
        raise rejected(f"{_written(pointer)} is no place in a list of {length}")
    return int(last)


def _copy(value: object) -> object:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


def _equal(one: object, other: object) -> bool:
    """Return whether two JSON values are equal; in Python alone true equals 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other
