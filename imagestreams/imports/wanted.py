"""What an import asks registries for: which images, of which platform, and how they are reached."""

from __future__ import annotations

from django.conf import settings

from imagestreams.imports.fetch import PRESERVE, Platform, Wanted
from imagestreams.reference import PullSpec
from imagestreams.types import ImageImportSpec, ImageStream, RepositoryImportSpec, TagReference

PREFER_ARCH = "importer.image.openshift.io/prefer-arch"
PREFER_OS = "importer.image.openshift.io/prefer-os"


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
