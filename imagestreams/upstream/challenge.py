"""What a registry wants to see before it answers: `WWW-Authenticate` headers (RFC 9110 §11.6.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"  # noqa: S105 - the token of RFC 9110
_ELEMENT = re.compile(rf'[\s,]*({_TOKEN})(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?', re.DOTALL)
_SCOPE = re.compile(r"repository:([^\s:]+(?::[0-9]+)?[^\s:]*):([a-z_,]+)")
READING = frozenset({"pull", "metadata_read"})
"""The actions on a repository that an import may ask for."""
MOST_SCOPES = 4
LONGEST_SCOPE = 512
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to be let in: `scheme` and the names of the parameters are in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.parameters.get(name, "")


def parse(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """Return the challenges of all `WWW-Authenticate` lines; a line counts up to its first malformed part."""
    return tuple(challenge for line in headers for challenge in _parse_line(line))


def _parse_line(line: str) -> list[Challenge]:
    found: list[tuple[str, dict[str, str]]] = []
    position = 0
    while match := _ELEMENT.match(line, position):
        name, quoted, bare = match.groups()
        if quoted is None and bare is None:
            if line[match.end() :].lstrip().startswith("="):
                break
            found.append((name.lower(), {}))
        elif found:
            found[-1][1][name.lower()] = bare if quoted is None else _ESCAPED.sub(r"\1", quoted)
        else:
            break
        position = match.end()
    return [Challenge(scheme, parameters) for scheme, parameters in found]


def preferred(challenges: Iterable[Challenge]) -> Challenge | None:
    """Return the challenge to answer: bearer before basic, None when neither is there."""
    by_scheme: dict[str, Challenge] = {}
    for challenge in challenges:
        by_scheme.setdefault(challenge.scheme, challenge)
    return by_scheme.get("bearer") or by_scheme.get("basic")


def widened(scope: str, wanted: str) -> str:
    """Return a scope together with those that a challenge asks for, as far as they are for reading repositories."""
    scopes = scope.split(" ")
    for match in _SCOPE.finditer(wanted[:LONGEST_SCOPE]):
        actions = sorted(READING & set(match[2].split(",")))
        one = f"repository:{match[1]}:{','.join(actions)}"
        if actions and one not in scopes and len(scopes) < MOST_SCOPES:
            scopes.append(one)
    return " ".join(scopes)
