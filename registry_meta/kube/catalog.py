"""The list of kinds that this server serves, filled by the applications as they start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from registry_meta.kube.resource import Resource, Subresource


class Catalog:
    """The kinds served, found by group, version and plural, or by their stored key."""

    def __init__(self) -> None:
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        self._by_key: dict[str, Resource] = {}
        self._attached: dict[tuple[str, str, str], Resource] = {}
        self._versions: set[tuple[str, str]] = set()
        self._last: frozenset[str] = frozenset()

    def register(self, *resources: Resource) -> None:
        """Add kinds; raises ValueError when a plural is taken in its group and version."""
        for resource in resources:
            path = (resource.group, resource.version, resource.plural)
            if self._by_path.setdefault(path, resource) is not resource:
                raise ValueError(f"{resource.plural} of {resource.api_version} is declared twice")
            self._by_key[resource.key] = resource
            self._versions.add((resource.group, resource.version))

    def attach(self, base: Resource, *subresources: Subresource, group: str, version: str) -> None:
        """Serve more below the objects of a kind, in a group of its own.

        The paths are those of the kind below the other group, `/apis/GROUP/VERSION/…/PLURAL/NAME/SUBRESOURCE`; what is
        said of the kind's own group stays as it was. Raises ValueError when the kind has such a place already.
        """
        path = (group, version, base.plural)
        if path in self._by_path or path in self._attached:
            raise ValueError(f"{base.plural} of {group}/{version} is declared twice")
        self._attached[path] = replace(
            base, group=group, version=version, storage=None, short_names=(), categories=(), columns=None,
            subresources=subresources, marks=(),
        )  # fmt: skip
        self._versions.add((group, version))

    def put_last(self, *groups: str) -> None:
        """Let groups come after all others, so that a plural or kind that others have, too, means theirs."""
        self._last = self._last.union(groups)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._by_path.values())

    def attached(self) -> Iterator[Resource]:
        """Return the kinds with what another group has below their objects, each as it is in that group."""
        return iter(self._attached.values())

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """Return the kind at a path, if it or something below it is served."""
        path = (group, version, plural)
        return self._by_path.get(path) or self._attached.get(path)

    def has(self, group: str, version: str) -> bool:
        """Return whether any kind is served in a group and version."""
        return (group, version) in self._versions

    def by_key(self, key: str) -> Resource:
        """Return the kind stored under a key; raises KeyError when there is none."""
        return self._by_key[key]

    def groups(self) -> dict[str, list[str]]:
        """Return the versions of each group, both in order of preference (stable, then beta, then alpha)."""
        found: dict[str, set[str]] = {}
        for group, version in self._versions:
            found.setdefault(group, set()).add(version)
        names = sorted(found, key=lambda group: (group in self._last, group))
        return {group: sorted(found[group], key=_maturity) for group in names}

    def of(self, group: str, version: str) -> list[Resource]:
        """Return the kinds of a group and version by plural name, and those that only have something below them."""
        served = (*self._by_path.values(), *self._attached.values())
        return sorted((r for r in served if (r.group, r.version) == (group, version)), key=lambda r: r.plural)


def _maturity(version: str) -> tuple[int, str]:
    return (2 if "alpha" in version else 1 if "beta" in version else 0, version)


catalog = Catalog()
