"""Which registries are asked for an image: its mirrors, then its own, as far as the cluster allows. Pure.

Mirrors and what is blocked or insecure are said of scopes: a host, a host with the start of a path, or `*.domain` for
the hosts below a domain (containers-registries.conf(5)). The most specific scope that has mirrors counts; what is
blocked or insecure is so with everything inside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from imagestreams.reference import DOCKER_HUB, HUB_HOSTS, InvalidReference, PullSpec


@dataclass(frozen=True, slots=True)
class MirrorSet:
    """The mirrors of a source, the first to be asked first; `closed` forbids to ask the source itself."""

    source: str
    mirrors: tuple[str, ...]
    closed: bool = False


class Closed(Enum):
    """Why a registry is not asked."""

    BLOCKED = "its registry is blocked"
    POLICY = "the policy of its mirrors is NeverContactSource"


@dataclass(frozen=True, slots=True)
class Place:
    """A repository where an image may be; `insecure` asks it without trust in its certificate, or without TLS."""

    spec: PullSpec
    insecure: bool
    is_source: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """Where to look for an image, in order; `closed` says why its own repository is not among the places."""

    places: tuple[Place, ...]
    closed: Closed | None = None


class Registries:
    """What a cluster says of registries."""

    def __init__(
        self,
        *,
        digests: Iterable[MirrorSet] = (),
        tags: Iterable[MirrorSet] = (),
        blocked: Iterable[str] = (),
        insecure: Iterable[str] = (),
    ) -> None:
        """Take the mirrors for images named by digest and by tag, and the scopes that are blocked and insecure."""
        self._digests = merged(digests)
        self._tags = merged(tags)
        self._blocked = frozenset(map(canonical, blocked))
        self._insecure = frozenset(map(canonical, insecure))

    def route(self, spec: PullSpec, *, by_digest: bool, insecure: bool = False) -> Route:
        """Return where to look for what a repository has under a digest, or under a tag.

        `insecure` is the wish of the import; it holds for the mirrors, too.
        """
        name = _name(spec)
        found = self._mirror_set(name, self._digests if by_digest else self._tags)
        mirrors = () if found is None else (_moved(name, found.source, mirror) for mirror in found.mirrors)
        closed = self._closed(name)
        places: list[Place] = []
        # A source that is listed among its mirrors has its turn there.
        candidates = {_name(mirror): mirror for mirror in (*mirrors, spec) if mirror is not None}
        for place, candidate in candidates.items():
            trustful = insecure or self._is_insecure(place)
            if place == name and closed is None:
                places.append(Place(spec.repository(), trustful, is_source=True))
            elif place != name and not self._is_blocked(place):
                places.append(Place(candidate, trustful))
        return Route(tuple(places), closed)

    def _closed(self, name: str) -> Closed | None:
        if self._is_blocked(name):
            return Closed.BLOCKED
        sets = (self._mirror_set(name, self._digests), self._mirror_set(name, self._tags))
        return Closed.POLICY if any(found is not None and found.closed for found in sets) else None

    def _is_blocked(self, name: str) -> bool:
        return not self._blocked.isdisjoint(scopes(name))

    def _is_insecure(self, name: str) -> bool:
        return not self._insecure.isdisjoint(scopes(name))

    @staticmethod
    def _mirror_set(name: str, sets: Mapping[str, MirrorSet]) -> MirrorSet | None:
        return next((sets[scope] for scope in scopes(name) if scope in sets), None)


def _name(spec: PullSpec) -> str:
    """Return the one name of a repository that scopes are compared with."""
    return canonical(spec.normalised().repository().exact())


def canonical(scope: str) -> str:
    """Return a scope with the one spelling of its host, so that another spelling is no way around what is said of it.

    Hosts are in lower case and have no port that is the usual one; Docker Hub is docker.io.
    """
    host, slash, path = scope.partition("/")
    host = host.lower().removesuffix(":443")
    return (DOCKER_HUB if host in HUB_HOSTS else host) + slash + path


def scopes(name: str) -> Iterator[str]:
    """Yield the scopes that a repository, or another scope, lies in: itself first, then ever wider ones."""
    host, *segments = name.split("/")
    for count in range(len(segments), -1, -1):
        yield "/".join([host, *segments[:count]])
    labels = host.partition(":")[0].split(".")
    for count in range(1, len(labels)):
        yield "*." + ".".join(labels[count:])


def _moved(name: str, scope: str, mirror: str) -> PullSpec | None:
    """Return the repository at a mirror that stands for one inside a scope; None when there can be none."""
    inside = name.partition("/")[2] if scope.startswith("*.") else name[len(scope) :].removeprefix("/")
    host, _, start = mirror.partition("/")
    path = "/".join(part for part in (start, inside) if part)
    namespace, slash, rest = path.partition("/")
    if not slash:
        namespace, rest = "", path
    try:
        # The first part is a host, whatever it looks like.
        PullSpec.parse(f"{host}/{path}")
    except InvalidReference:
        return None
    return PullSpec(host, namespace, rest).normalised().repository()


def merged(sets: Iterable[MirrorSet]) -> dict[str, MirrorSet]:
    """Return one set for each source, by source: each mirror once, in an order that fits those of all its sets.

    A set that has no mirror but its source says nothing. One set that closes the source closes it.
    """
    by_source: dict[str, list[MirrorSet]] = {}
    for found in sets:
        if any(mirror != found.source for mirror in found.mirrors):
            source = canonical(found.source)
            mirrors = tuple(source if mirror == found.source else mirror for mirror in found.mirrors)
            by_source.setdefault(source, []).append(MirrorSet(source, mirrors, found.closed))
    return {
        source: MirrorSet(source, _order(source, found), any(each.closed for each in found))
        for source, found in by_source.items()
    }


def _order(source: str, sets: Sequence[MirrorSet]) -> tuple[str, ...]:
    """Return the mirrors in an order that fits each set; by name where that leaves a choice or there is none."""
    before: dict[str, set[str]] = {}
    for found in sets:
        chain = found.mirrors if source in found.mirrors else (*found.mirrors, source)
        for mirror in chain:
            before.setdefault(mirror, set())
        for one, other in pairwise(chain):
            if one != other:
                before[other].add(one)
    ordered: list[str] = []
    while before:
        free = [mirror for mirror, earlier in before.items() if not earlier]
        # Where the sets contradict each other nobody is free, and the source is the last resort.
        chosen = min(free or before, key=lambda mirror: (not free and mirror == source, mirror))
        ordered.append(chosen)
        del before[chosen]
        for earlier in before.values():
            earlier.discard(chosen)
    return tuple(ordered[:-1] if ordered[-1] == source else ordered)
