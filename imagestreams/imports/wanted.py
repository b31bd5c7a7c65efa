"""What an import asks registries for: which images, of which platform, and how they are reached."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from django.conf import settings

from imagestreams.imports.fetch import PRESERVE, Platform, Wanted
from imagestreams.reference import PullSpec
from imagestreams.types import ImageImportSpec, ImageStream, ImageStreamImport, RepositoryImportSpec, TagReference

PREFER_ARCH = "importer.image.openshift.io/prefer-arch"
PREFER_OS = "importer.image.openshift.io/prefer-os"


@dataclass(frozen=True, slots=True)
class Asked:
    """What one import fetches: an image for each entry, and one for each tag of a repository.

    The tags in `beyond` are more than are fetched of one repository, unless an entry asks for the same image.
    """

    images: list[Wanted]
    tags: Mapping[str, Wanted] = field(default_factory=dict)
    beyond: Mapping[str, Wanted] = field(default_factory=dict)

    def all(self) -> list[Wanted]:
        """Return everything that is to be fetched."""
        return [*self.images, *self.tags.values()]

    def behind(self, names: Collection[str], request: ImageStreamImport) -> list[Wanted]:
        """Return what some tags of the stream are made of."""
        entries = zip(request.spec.images or [], self.images, strict=True)
        found = [item for spec, item in entries if spec.to is not None and spec.to.name in names]
        return found + [item for tag, item in self.tags.items() if tag in names]


def asked(request: ImageStreamImport, stream: ImageStream | None, tags: list[str]) -> Asked:
    """Return what an import fetches, the repository of which has these tags; the first of them are the ones wanted."""
    images = of_images(request.spec.images or [], stream)
    spec = request.spec.repository
    if spec is None:
        return Asked(images)
    repository = PullSpec.parse(spec.from_.name)
    most = most_tags()
    chosen = len(tags) if most is None else most
    same = {_meaning(item): item for item in images}
    # A repository may have half a million tags, of which nearly all are only told of.
    beyond = {tag: _meaning(of_tag(spec, repository, tag)) for tag in tags[chosen:]} if same else {}
    return Asked(
        images,
        {tag: of_tag(spec, repository, tag) for tag in tags[:chosen]},
        {tag: same[meaning] for tag, meaning in beyond.items() if meaning in same},
    )


def most_tags() -> int | None:
    """Return how many tags of a repository are imported, None for all."""
    limit = settings.ENVIRONMENT.max_images_bulk_imported_per_repository
    return None if limit < 0 else limit or 50


def _meaning(item: Wanted) -> tuple[tuple[str, str], str, bool, Platform]:
    """Return which image is wanted, however its repository is spelled."""
    return item.repository.host_and_path(), item.reference, item.preserve, item.platform


def _default_platform() -> Platform:
    os_name, _, architecture = settings.ENVIRONMENT.default_platform.partition("/")
    return Platform(architecture, os_name)


def of_tag(spec: RepositoryImportSpec, repository: PullSpec, tag: str) -> Wanted:
    """Return what to fetch for a tag of a whole repository."""
    preserve = spec.import_policy.import_mode == PRESERVE
    return Wanted(repository, tag, spec.import_policy.insecure, preserve, _default_platform())


def of_images(specs: list[ImageImportSpec], stream: ImageStream | None) -> list[Wanted]:
    """Return what to fetch for each entry; the first entry of a repository decides its spelling and security."""
    first: dict[tuple[str, str], tuple[PullSpec, bool]] = {}
    wanted: list[Wanted] = []
    for spec in specs:
        parsed = PullSpec.parse(spec.from_.name)
        place = parsed.host_and_path()
        repository, insecure = first.setdefault(place, (parsed.repository(), spec.import_policy.insecure))
        preserve = spec.import_policy.import_mode == PRESERVE
        platform = _default_platform() if parsed.id else _preferred(spec, parsed, stream)
        wanted.append(Wanted(repository, parsed.id or parsed.tag or "latest", insecure, preserve, platform))
    return wanted


def _preferred(spec: ImageImportSpec, parsed: PullSpec, stream: ImageStream | None) -> Platform:
    """Return the platform that the annotations of the stream's tag prefer, else the default one."""
    default = _default_platform()
    name = spec.to.name if spec.to is not None else parsed.tag or "latest"
    tag = _spec_tag(stream, name)
    annotations = (tag.annotations if tag is not None else None) or {}
    return Platform(annotations.get(PREFER_ARCH) or default.architecture, annotations.get(PREFER_OS) or default.os)


def _spec_tag(stream: ImageStream | None, name: str) -> TagReference | None:
    wished = stream.spec.tags if stream is not None else None
    return next((tag for tag in wished or [] if tag.name == name), None)
