"""A repository as it is reached: through its mirrors, then at its own registry, as far as the cluster allows.

    manifest(tag) ──▶ mirrors for tags ──────▶ source
    manifest(digest) ▶ mirrors for digests ──▶ the mirror that named the digest ──▶ source
    blob(digest) ────▶ whoever named the digest ──▶ as for a manifest

The first place that answers is believed: a manifest is held to its digest, and what a manifest names is looked for
where the manifest came from, so that an image by tag needs no mirror for digests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from imagestreams import conditions
from imagestreams.mirrors import Closed, Place, Registries
from imagestreams.reference import PullSpec
from imagestreams.upstream.client import RepositoryClient
from imagestreams.upstream.errors import Permanent, Refused, Transient, UpstreamError
from imagestreams.upstream.values import Manifest

NAMED = re.compile(rb"sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})")
"""A digest, as manifests name what they consist of."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failure:
    """What came of asking one place."""

    place: Place
    error: UpstreamError


class Blocked(Refused):
    """The registry of a repository is blocked, and nobody mirrors it; `registry` is spelled as the user did."""

    def __init__(self, registry: str) -> None:
        super().__init__(f"registry {registry} blocked")
        self.registry = registry


class Unreached(UpstreamError):
    """No place gave what was asked for; `closed` says why the repository's own registry was not asked."""

    def __init__(self, failures: Sequence[Failure], *, closed: Closed | None) -> None:
        texts = dict.fromkeys(failure.error.text for failure in failures)
        super().__init__(", ".join([*texts, *([_not_asked(closed)] if closed is not None else [])]))
        self.failures = tuple(failures)
        self.closed = closed


class TransientlyUnreached(Unreached, Transient):
    """No place gave what was asked for, and one of them may do so later."""


class PermanentlyUnreached(Unreached, Permanent):
    """No place has what was asked for."""


def _not_asked(closed: Closed) -> str:
    return f"the repository itself is not contacted, {closed.value}"


def unreached(failures: Sequence[Failure], *, closed: Closed | None) -> Unreached:
    """Return the error of all places together; it is transient if that of one of them is."""
    passing = [failure.error for failure in failures if isinstance(failure.error, Transient)]
    if not passing:
        return PermanentlyUnreached(failures, closed=closed)
    error = TransientlyUnreached(failures, closed=closed)
    # The place that is ready first decides when another try makes sense.
    error.retry_after = min(each.retry_after for each in passing)
    error.is_worth_retrying = any(each.is_worth_retrying for each in passing)
    return error


class RoutedRepository:
    """Reads one repository wherever it can be read; threads may share it. Every method raises UpstreamError."""

    def __init__(
        self, spec: PullSpec, registries: Registries, connect: Callable[[Place], RepositoryClient], *, insecure: bool
    ) -> None:
        """Take the repository as the user spelled it; `connect` gives the client of a place and asks nothing."""
        self._spec = spec
        self._registries = registries
        self._connect = connect
        self._insecure = insecure
        self._clients: dict[Place, RepositoryClient] = {}
        self._named_by: dict[str, Place] = {}

    def tags(self) -> Iterator[str]:
        """Return the tags, as the first place that has a list of them has it."""
        places = self._places(by_digest=False)
        if len(places) == 1 and places[0].is_source:
            return self._client(places[0]).tags()
        # A list that breaks off is not continued with that of another place.
        found, _ = self._first(places, lambda client: list(client.tags()))
        return iter(found)

    def manifest(self, reference: str) -> Manifest:
        """Return the manifest of a tag or digest."""
        places = self._by_digest(reference) if ":" in reference else self._places(by_digest=False)
        manifest, place = self._first(places, lambda client: client.manifest(reference))
        for match in NAMED.finditer(manifest.body):
            self._named_by.setdefault(match[0].decode(), place)
        return manifest

    def head(self, reference: str) -> str | None:
        """Return the digest that the first place that has a tag gives for it, or None when it gives none."""
        found, _ = self._first(self._places(by_digest=":" in reference), lambda client: client.head(reference))
        return found

    def blob(self, digest: str, *, limit: int) -> bytes:
        """Return a blob of at most `limit` bytes."""
        found, _ = self._first(self._of_blob(digest), lambda client: client.blob(digest, limit=limit))
        return found

    def blob_size(self, digest: str) -> int:
        """Return the number of bytes of a blob."""
        found, _ = self._first(self._of_blob(digest), lambda client: client.blob_size(digest))
        return found

    def _places(self, *, by_digest: bool) -> list[Place]:
        """Return where to look; raises when nobody may be asked."""
        route = self._registries.route(self._spec, by_digest=by_digest, insecure=self._insecure)
        if route.places:
            return list(route.places)
        if route.closed is Closed.BLOCKED:
            raise Blocked(self._spec.registry)
        raise PermanentlyUnreached((), closed=route.closed)

    def _by_digest(self, digest: str) -> list[Place]:
        """Return where to look for what is named by digest: before the source, at the mirror that named it."""
        named_by = self._named_by.get(digest)
        if named_by is None or named_by.is_source:
            return self._places(by_digest=True)
        route = self._registries.route(self._spec, by_digest=True, insecure=self._insecure)
        places = [*(place for place in route.places if not place.is_source), named_by]
        return list(dict.fromkeys([*places, *route.places]))

    def _of_blob(self, digest: str) -> list[Place]:
        named_by = self._named_by.get(digest)
        places = self._by_digest(digest)
        return places if named_by is None else list(dict.fromkeys([named_by, *places]))

    def _first(self, places: Sequence[Place], ask: Callable[[RepositoryClient], T]) -> tuple[T, Place]:
        """Return the first answer and who gave it; the error of a source that was asked alone stays as it is."""
        failures: list[Failure] = []
        for place in places:
            try:
                return ask(self._client(place)), place
            except UpstreamError as error:
                failures.append(Failure(place, error))
        if len(failures) == 1 and failures[0].place.is_source:
            raise failures[0].error
        closed = None if any(place.is_source for place in places) else self._closed()
        raise unreached(failures, closed=closed) from failures[0].error

    def _closed(self) -> Closed | None:
        return self._registries.route(self._spec, by_digest=True).closed

    def _client(self, place: Place) -> RepositoryClient:
        client = self._clients.get(place)
        if client is None:
            client = self._clients.setdefault(place, self._connect(place))
        return client


# --- telling


def image_failure(error: UpstreamError, source: PullSpec) -> conditions.Status:
    """Return the Status of an image that could not be fetched; each place is told of by its own name."""
    if isinstance(error, Blocked):
        return conditions.blocked(error.registry)
    if not isinstance(error, Unreached):
        return conditions.image_failure(error, source)
    statuses = [
        conditions.image_failure(failure.error, replace(failure.place.spec, tag=source.tag, id=source.id))
        for failure in error.failures
    ]
    return _combined(statuses, error.closed, source.normalised().exact())


def tag_list_failure(error: UpstreamError, repository: str) -> conditions.Status:
    """Return the Status of a repository, named as it was typed, whose tags could not be listed."""
    if isinstance(error, Blocked):
        return conditions.blocked(error.registry)
    if not isinstance(error, Unreached):
        return conditions.tag_list_failure(error, repository)
    statuses = [conditions.tag_list_failure(each.error, each.place.spec.exact()) for each in error.failures]
    return _combined(statuses, error.closed, repository)


def _combined(statuses: Sequence[conditions.Status], closed: Closed | None, name: str) -> conditions.Status:
    texts = [conditions.bare_message(status) for status in statuses]
    if closed is not None:
        texts.append(f"{name}: {_not_asked(closed)}")
    return conditions.combined_failure(texts)
