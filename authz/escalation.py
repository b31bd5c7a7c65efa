"""Nobody gives what he does not hold: which rights of some rules lie outside of others; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from authz.rules import PolicyRule, covers_path

EVERYTHING = (
    PolicyRule(verbs=["*"], api_groups=["*"], resources=["*"]),
    PolicyRule(verbs=["*"], non_resource_urls=["*"]),
)
"""The rules of whoever may do everything."""


@dataclass(frozen=True, slots=True)
class Right:
    """The smallest thing that a rule can grant: one verb on one resource, or one name of it, or one path."""

    group: str = ""
    resource: str = ""
    name: str = ""
    path: str = ""
    verb: str = ""


def rights(rules: Iterable[PolicyRule]) -> Iterator[Right]:
    """Yield every single right that rules grant."""
    for rule in rules:
        for verb in rule.verbs or ():
            for group in rule.api_groups or ():
                for resource in rule.resources or ():
                    for name in rule.resource_names or ("",):
                        yield Right(group, resource, name, verb=verb)
            for path in rule.non_resource_urls or ():
                yield Right(path=path, verb=verb)


def covers(rule: PolicyRule, right: Right) -> bool:
    """Return whether a rule includes a right; that to everything of a kind takes a rule that names nothing."""
    if not _among(right.verb, rule.verbs):
        return False
    if right.path:
        return covers_path(rule.non_resource_urls or (), right.path)
    if not _among(right.group, rule.api_groups):
        return False
    if rule.resource_names and right.name not in rule.resource_names:
        return False
    return _covers_resource(rule.resources or (), right.resource)


def _among(word: str, patterns: Sequence[str] | None) -> bool:
    return patterns is not None and (word in patterns or "*" in patterns)


def _covers_resource(patterns: Sequence[str], resource: str) -> bool:
    _, slash, subresource = resource.partition("/")
    return "*" in patterns or resource in patterns or (bool(slash) and f"*/{subresource}" in patterns)


def missing(held: Sequence[PolicyRule], wanted: Iterable[PolicyRule]) -> list[Right]:
    """Return the rights of the wanted rules that the held ones do not include, each once."""
    return [right for right in dict.fromkeys(rights(wanted)) if not any(covers(rule, right) for rule in held)]


def described(found: Iterable[Right]) -> str:
    """Return rights as the API prints them: a line for each resource, name or path; verbs of one resource together."""
    verbs: dict[tuple[str, str, str], list[str]] = {}
    lines: list[str] = []
    for right in found:
        if right.path:
            lines.append(f"{{NonResourceURLs:{_list(right.path)}, Verbs:{_list(right.verb)}}}")
        else:
            verbs.setdefault((right.group, right.resource, right.name), []).append(right.verb)
    for (group, resource, name), found_verbs in verbs.items():
        names = f" ResourceNames:{_list(name)}," if name else ""
        lines.append(f"{{APIGroups:{_list(group)}, Resources:{_list(resource)},{names} Verbs:{_list(*found_verbs)}}}")
    return "\n".join(sorted(lines))


def _list(*items: str) -> str:
    return f"[{' '.join(json.dumps(item, ensure_ascii=False) for item in items)}]"


def refusal(username: str, groups: Sequence[str], found: Iterable[Right]) -> str:
    """Return the words for an actor who tried to give rights that he lacks."""
    head = f"user {json.dumps(username, ensure_ascii=False)} (groups={_list(*groups)})"
    return f"{head} is attempting to grant RBAC permissions not currently held:\n{described(found)}"
