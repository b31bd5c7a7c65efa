"""From the bytes of a request body to a typed object, with everything wrong about it named by its field."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from registry_meta.kube import errors
from registry_meta.kube.decode.typed import Mismatch, reader_of
from registry_meta.kube.decode.yaml import DEEPEST, load_yaml
from registry_meta.kube.errors import StatusError

T = TypeVar("T")

LONE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
SURROGATES = re.compile("[\ud800-\udfff]")
WARNINGS_LENGTH = 4096
WARNING_LENGTH = 256


class WrongType(StatusError):
    """A 400: a value of the body does not have the type that its field has."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A body as plain JSON, and what it says twice: `duplicate field "metadata.name"`; the last one counts."""

    tree: Any
    duplicates: list[str] = field(default_factory=list)


def parse(body: bytes, media_type: str, *, kind: str = "") -> Parsed:
    """Return a body of the media type `json` or `yaml` as plain JSON; raises 400.

    Bytes that are no UTF-8 become U+FFFD. The message does not quote the body, which may hold secrets.
    """
    text = body.decode("utf-8", "replace")
    if not text.strip():
        raise _unrecognized("the body is empty", kind)
    if media_type == "yaml":
        try:
            tree, paths = load_yaml(text)
        except ValueError as error:
            raise _unrecognized(f"error converting YAML to JSON: {error}", kind) from error
        return Parsed(tree, [_duplicate(path) for path in paths])
    try:
        return _parse_json(text)
    except json.JSONDecodeError as error:
        why = f"json parse error: {error.msg} at line {error.lineno}, column {error.colno}"
        raise _unrecognized(why, kind) from error
    except ValueError as error:
        raise _unrecognized(f"json parse error: {error}", kind) from error
    except RecursionError as error:
        raise _unrecognized(f"json parse error: nested deeper than {DEEPEST}", kind) from error


def _unrecognized(why: str, kind: str) -> StatusError:
    about = f" (must be of type {kind})" if kind else ""
    return errors.bad_request(f"the object provided is unrecognized{about}: {why}")


def _duplicate(path: str) -> str:
    return f'duplicate field "{path}"'


def _parse_json(text: str) -> Parsed:
    repeated: list[tuple[dict[str, Any], list[str]]] = []

    def pairs(given: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(given)
        if len(found) != len(given):
            counts: dict[str, int] = {}
            for key, _ in given:
                counts[key] = counts.get(key, 0) + 1
            repeated.append((found, [key for key, count in counts.items() if count > 1]))
        return found

    tree = json.loads(
        text, object_pairs_hook=pairs, parse_int=_integer, parse_float=_float, parse_constant=_no_constant
    )
    # Only what opens so many times can be that deep.
    if text.count("{") + text.count("[") > DEEPEST and _is_deep(tree):
        raise ValueError(f"nested deeper than {DEEPEST}")
    if LONE_SURROGATE.search(text):
        tree = _mended(tree)
        repeated = []
    if not repeated:
        return Parsed(tree)
    keys = {id(found): names for found, names in repeated}
    return Parsed(tree, [_duplicate(path) for path in _repeated_paths(tree, "", keys)])


def _integer(text: str) -> int | float:
    """Return a number as Go's JSON reads it into untyped values: what has more than 64 bits is a float."""
    value = int(text) if len(text) <= 20 else None
    return value if value is not None and -(2**63) <= value < 2**64 else _float(text)


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON value")


def _is_deep(tree: object) -> bool:
    level, depth = [tree], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            return True
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
            if isinstance(child, (dict, list))
        ]
    return False


def _mended(tree: Any) -> Any:
    """Return a tree whose texts can be written as UTF-8: halves of surrogate pairs become U+FFFD."""
    if isinstance(tree, str):
        return SURROGATES.sub("\ufffd", tree)
    if isinstance(tree, dict):
        return {_mended(key): _mended(value) for key, value in tree.items()}
    return [_mended(item) for item in tree] if isinstance(tree, list) else tree


def _repeated_paths(tree: object, path: str, keys: Mapping[int, list[str]]) -> Iterable[str]:
    if isinstance(tree, dict):
        for key in keys.get(id(tree), ()):
            yield f"{path}.{key}" if path else key
        for key, value in tree.items():
            yield from _repeated_paths(value, f"{path}.{key}" if path else key, keys)
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _repeated_paths(value, f"{path}[{index}]", keys)


def convert(tree: Mapping[str, Any], type_: type[T], *, kind: str = "", version: str = "v1") -> tuple[T, list[str]]:
    """Return the typed object that plain JSON spells, and its unknown fields: `unknown field "spec.tags[0].foo"`.

    Null counts as absent and times are brought to UTC and whole seconds; free-form fields stay as they are. Raises
    WrongType for a value of the wrong type; `kind` and `version` are what its message says.
    """
    unknown: list[str] = []
    try:
        obj = reader_of(type_)(tree, unknown)
    except Mismatch as error:
        name = kind or type_.__name__
        message = f'{name} in version "{version}" cannot be handled as a {name}: {error}'
        raise WrongType(400, "BadRequest", message) from error
    if not isinstance(obj, type_):
        raise AssertionError("a reader returns what it reads")
    return obj, [f'unknown field "{path}"' for path in unknown]


def strict_error(kind: str, version: str, problems: Iterable[str]) -> StatusError:
    """Return 400 for a body with unknown or repeated fields from a client that wants none."""
    listed = ", ".join(problems)
    return errors.bad_request(
        f'{kind} in version "{version}" cannot be handled as a {kind}: strict decoding error: {listed}'
    )


def warning_header(text: str) -> str:
    """Return a warning as the value of a Warning header (RFC 7234, code 299), without control characters."""
    plain = "".join(character for character in text if character.isprintable())
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{escaped}"'


def warning_headers(texts: Iterable[str]) -> list[str]:
    """Return warnings as the values of Warning headers, each once; together they keep to a length.

    Over 4096 characters in all, each is cut to 256; what then still exceeds the length is left out.
    """
    distinct = list(dict.fromkeys(texts))
    if sum(map(len, distinct)) <= WARNINGS_LENGTH:
        return [warning_header(text) for text in distinct]
    room = WARNINGS_LENGTH // WARNING_LENGTH
    return [warning_header(text[:WARNING_LENGTH]) for text in distinct[:room]]


def wrong_version(given_kind: object, given_version: object, kind: str, api_version: str) -> str:
    """Return what is wrong with a version: there is none such in the group, or it is that of something else."""
    group, _, version = str(given_version).rpartition("/")
    if group and group == api_version.rpartition("/")[0]:
        word = given_kind or kind
        why = f'no kind "{word}" is registered for version "{given_version}"'
        return f'{word} in version "{version}" cannot be handled as a {kind}: {why}'
    return f"the API version in the data ({given_version}) does not match the expected API version ({api_version})"


def no_text(field: str, given: object) -> str:
    """Return what is wrong with a `kind` or `apiVersion` that is no text, as Go's decoder says it."""
    kinds: dict[type, str] = {bool: "bool", list: "array", dict: "object"}
    found = kinds.get(type(given), "number")
    why = f"json: cannot unmarshal {found} into Go struct field .{field} of type string"
    return f"couldn't get version/kind; json parse error: {why}"
