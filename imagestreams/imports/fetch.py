"""The network part of an import: every wanted image is fetched once, in parallel, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from imagestreams import conditions, formats, manifests, validation
from imagestreams.formats import Descriptor, ManifestError
from imagestreams.imports import routing
from imagestreams.imports.routing import RoutedRepository
from imagestreams.imports.sources import Sources
from imagestreams.reference import PullSpec, foremost, prioritised
from imagestreams.types import GROUP, Image
from imagestreams.upstream.errors import Malformed, UpstreamError
from registry_meta.kube import errors
from registry_meta.kube.meta import GroupKind

PRESERVE = "PreserveOriginal"
CONFIG_LIMIT = 8 * 1024 * 1024
PARALLEL = 16
KIND = GroupKind(GROUP, "Image")

Status = dict[str, object]
SUCCESS: Status = conditions.success()


@dataclass(frozen=True, slots=True)
class Platform:
    """Which member of an index stands for all of it."""

    architecture: str
    os: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """One image to fetch: by tag or digest from a repository, as one platform or as the whole index.

    `repository` is spelled as the user did; results name it that way. `settled` names a tag of the stream for which
    nothing is fetched, because an election has found what comes of it.
    """

    repository: PullSpec
    reference: str
    insecure: bool
    preserve: bool
    platform: Platform
    settled: str = ""

    def source(self, digest: str = "") -> PullSpec:
        """Return where the image is looked for, or where that with another digest of the repository is."""
        normal = self.repository.with_client_defaults()
        if digest or ":" in self.reference:
            return normal.at(digest or self.reference)
        return normal.tagged(self.reference)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of fetching one image; `image` and `members` still hold manifest and configuration.

    `source` is the digest of what the registry has there, which may be an index where `image` is one of its members.
    """

    status: Status
    image: Image | None = None
    members: list[Image] = field(default_factory=list)
    source: str = ""
    failure: UpstreamError | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """What came of listing the tags of a repository."""

    status: Status
    tags: list[str] = field(default_factory=list)
    failure: UpstreamError | None = None


class Fetcher:
    """Fetches images from the sources of one namespace; one object serves one import.

    With `most_tags`, no more of the tags of a repository are told than these: those that nobody asked to be told of
    need not be held.
    """

    def __init__(self, sources: Sources, *, now: datetime, most_tags: int | None = None) -> None:
        self._sources = sources
        self._now = now
        self._most_tags = most_tags

    def fetch(self, wanted: Iterable[Wanted]) -> Mapping[Wanted, Fetched]:
        """Return the outcome for each wanted image; equal ones are fetched once, the rest side by side."""
        return self._each(list(dict.fromkeys(wanted)), self._one)

    def _each(self, wanted: list[Wanted], fetch: Callable[[Wanted], Fetched]) -> dict[Wanted, Fetched]:
        if len(wanted) <= 1:
            return {item: fetch(item) for item in wanted}
        with ThreadPoolExecutor(min(PARALLEL, len(wanted)), thread_name_prefix="import") as pool:
            return dict(zip(wanted, pool.map(fetch, wanted), strict=True))

    def list_tags(self, repository: PullSpec, *, insecure: bool) -> Listed:
        """Return the tags of a repository in order of importance; an empty tag stands for latest."""
        try:
            names = self._sources.repository(repository, insecure=insecure).tags()
            return Listed(SUCCESS, prioritised(names) if self._most_tags is None else foremost(names, self._most_tags))
        except UpstreamError as error:
            return Listed(routing.tag_list_failure(error, repository.exact()), failure=error)

    def _one(self, wanted: Wanted) -> Fetched:
        try:
            return _storable(self._fetched(wanted))
        except UpstreamError as error:
            return Fetched(routing.image_failure(error, wanted.source()), failure=error)
        except _MemberFailed as error:
            status = routing.image_failure(error.failure, wanted.source(error.digest))
            return Fetched(status, failure=error.failure)
        except _Unreadable as error:
            status = conditions.internal_failure(f"{wanted.source().exact()}: {error}")
            return Fetched(status, failure=Malformed(str(error)))
        except ManifestError as error:
            return Fetched(conditions.internal_failure(str(error)))

    def _fetched(self, wanted: Wanted) -> Fetched:
        repository = self._sources.repository(wanted.repository, insecure=wanted.insecure)
        parsed = _read(repository, wanted.reference)
        if not isinstance(parsed, formats.ManifestList | formats.OCIIndex):
            return Fetched(SUCCESS, self._single(wanted, repository, parsed), source=parsed.digest)
        if wanted.preserve:
            return self._whole(wanted, repository, parsed)
        member = self._platform(wanted, repository, _chosen(wanted, parsed).digest)
        return Fetched(SUCCESS, member, source=parsed.digest)

    def _whole(
        self, wanted: Wanted, repository: RoutedRepository, index: formats.ManifestList | formats.OCIIndex
    ) -> Fetched:
        """Return the image of an index with those of all its members; one that fails fails the whole."""
        image = manifests.image_from(index, source=wanted.repository, now=self._now)

        def member(descriptor: Descriptor) -> Image:
            try:
                return self._platform(wanted, repository, descriptor.digest)
            except UpstreamError as error:
                raise _MemberFailed(descriptor.digest, error) from error

        if len(index.members) <= 1:
            return Fetched(SUCCESS, image, [member(each) for each in index.members], source=index.digest)
        with ThreadPoolExecutor(min(PARALLEL, len(index.members)), thread_name_prefix="import") as pool:
            return Fetched(SUCCESS, image, list(pool.map(member, index.members)), source=index.digest)

    def _platform(self, wanted: Wanted, repository: RoutedRepository, digest: str) -> Image:
        """Return the image behind a digest; of an index inside an index, that of the wanted platform."""
        parsed = _read(repository, digest)
        if isinstance(parsed, formats.ManifestList | formats.OCIIndex):
            parsed = _read(repository, _chosen(wanted, parsed).digest)
        return self._single(wanted, repository, parsed)

    def _single(self, wanted: Wanted, repository: RoutedRepository, manifest: formats.Manifest) -> Image:
        if isinstance(manifest, formats.Schema1):
            sizes = {digest: repository.blob_size(digest) for digest in manifests.unsized_layers(manifest)}
            return manifests.image_from(manifest, source=wanted.repository, now=self._now, blob_sizes=sizes)
        if isinstance(manifest, formats.ManifestList | formats.OCIIndex):
            raise ManifestError("an index holds an index that holds an index")
        config = repository.blob(manifest.config.digest, limit=CONFIG_LIMIT)
        return manifests.image_from(manifest, source=wanted.repository, now=self._now, config=config)


def _storable(fetched: Fetched) -> Fetched:
    """Return what was fetched, or why no image can be made of it, such as an index that names no platforms."""
    for image in [*fetched.members, *([fetched.image] if fetched.image is not None else [])]:
        problems = validation.image(image)
        if problems:
            return Fetched(conditions.of_error(errors.invalid(KIND, image.metadata.name, problems)))
    return fetched


class _MemberFailed(Exception):
    """A member of an index could not be fetched."""

    def __init__(self, digest: str, failure: UpstreamError) -> None:
        super().__init__(digest)
        self.digest = digest
        self.failure = failure


class _Unreadable(ManifestError):
    """What the registry sent is no manifest of the kind that it says, or names nothing."""


def _read(repository: RoutedRepository, reference: str) -> formats.Manifest:
    manifest = repository.manifest(reference)
    try:
        return formats.parse(manifest.media_type, manifest.body)
    except ManifestError as error:
        raise _Unreadable(str(error)) from error


def _chosen(wanted: Wanted, index: formats.ManifestList | formats.OCIIndex) -> Descriptor:
    try:
        return formats.choose_platform(index.members, wanted.platform.architecture, wanted.platform.os)
    except ManifestError as error:
        raise _Unreadable(str(error)) from error
