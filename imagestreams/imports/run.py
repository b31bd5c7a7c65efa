"""An import from request to answer: checks, fetching without a transaction, then one write for each object."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from django.conf import settings

from imagestreams import conditions, credentials, limits, metrics
from imagestreams.api.images import IMAGES, STORAGE
from imagestreams.api.imagestreams import IMAGE_STREAMS, INTERNAL
from imagestreams.api.secrets import pull_secrets
from imagestreams.conditions import is_failure
from imagestreams.imports import record
from imagestreams.imports.fetch import PRESERVE, Fetched, Fetcher, Listed, Platform, Wanted
from imagestreams.imports.sources import Sources
from imagestreams.reference import PullSpec
from imagestreams.types import (
    GROUP,
    Image,
    ImageImportSpec,
    ImageImportStatus,
    ImageStream,
    ImageStreamImport,
    ImageStreamImportStatus,
    RepositoryImportSpec,
    RepositoryImportStatus,
    TagReference,
)
from imagestreams.upstream.client import Limits, UpstreamClient
from registry_meta.kube import errors, store
from registry_meta.kube.errors import StatusError
from registry_meta.kube.meta import GroupResource, ObjectMeta, new_uid, timestamp
from registry_meta.kube.request import Context
from registry_meta.kube.store import Preconditions
from registry_meta.kube.strategy import ADMISSIONS, Creation

WORD = GroupResource(GROUP, "imagestreamimports")
STREAM_WORD = GroupResource(GROUP, "imagestream")
ATTEMPTS = 3
PREFER_ARCH = "importer.image.openshift.io/prefer-arch"
PREFER_OS = "importer.image.openshift.io/prefer-os"


@lru_cache(maxsize=1)
def upstream_client() -> UpstreamClient:
    """Return the client of this process, whose connections and tokens all imports share."""
    environment = settings.ENVIRONMENT
    return UpstreamClient(
        limits=Limits(per_host=environment.upstream_concurrency),
        allow_private=environment.allow_private_networks,
        ca_bundle=environment.upstream_ca_bundle or None,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that was fetched for one import."""

    images: list[Fetched]
    listed: Listed | None = None
    repository_tags: tuple[str, ...] = ()
    repository: Mapping[str, Fetched] | None = None


def execute(request: ImageStreamImport, *, context: Context) -> ImageStreamImport:
    """Do an import and return it with its status; `context` is that of the namespace.

    Raises 404 or 409 when the request names a version that the stream does not have and 403 when there is no room for
    another stream, before anything is fetched; 409 when the stream changed meanwhile, and 422 when it would be over its
    limits. What went wrong with single images is in the status.
    """
    meta = request.metadata
    stream = _stream(meta.name, context=context)
    _check_version(meta, stream)
    if stream is None and request.spec.import_:
        _check_room(meta.name, context=context)
    # The secrets are read with the server's own rights: whoever may import may use them, not see them.
    keyring = credentials.keyring(pull_secrets(context.namespace), fallback=settings.ENVIRONMENT.pull_secret)
    fetcher = Fetcher(Sources(upstream_client(), keyring), now=context.now)
    outcome = _fetch(request, stream, fetcher)
    answer = copy.deepcopy(request)
    answer.metadata = ObjectMeta(
        name=meta.name, namespace=context.namespace, uid=new_uid(), creation_timestamp=timestamp(context.now),
        resource_version=meta.resource_version,
    )  # fmt: skip
    answer.status = _status(request, outcome)
    _count(answer.status)
    if request.spec.import_ and not context.dry_run:
        _store_images(request, answer.status, context=context)
        answer.status.import_ = _write_stream(request, answer.status, context=context)
        record.tell_held(answer.status.import_, request, answer.status, now=context.now)
    _strip_manifests(request, answer.status)
    return answer


def _stream(name: str, *, context: Context) -> ImageStream | None:
    stored = store.find(IMAGE_STREAMS, context.namespace, name)
    return stored.object() if stored else None


def _check_version(meta: ObjectMeta, stream: ImageStream | None) -> None:
    wanted = meta.resource_version
    if not wanted:
        return
    if stream is None:
        raise errors.not_found(WORD, meta.name)
    current = stream.metadata.resource_version
    if wanted != current:
        why = f'the image stream was updated from "{wanted}" to "{current}"'
        raise errors.conflict(STREAM_WORD, meta.name, why)


def _check_room(name: str, *, context: Context) -> None:
    """Refuse an import into a new stream that could not be made; the place is taken when it is."""
    creation = Creation(IMAGE_STREAMS, context.namespace, name, context.now, WORD, dry_run=True)
    for admission in ADMISSIONS:
        admission(creation)


# --- fetching


def _fetch(request: ImageStreamImport, stream: ImageStream | None, fetcher: Fetcher) -> Outcome:
    spec = request.spec
    wanted = _wanted_images(spec.images or [], stream)
    if spec.repository is None:
        fetched = fetcher.fetch(wanted)
        return Outcome([fetched[item] for item in wanted])
    repository = PullSpec.parse(spec.repository.from_.name)
    listed = fetcher.list_tags(repository, insecure=spec.repository.import_policy.insecure)
    limit = settings.ENVIRONMENT.max_images_bulk_imported_per_repository
    chosen = tuple(listed.tags if limit < 0 else listed.tags[: limit or 50])
    of_tags = {tag: _wanted_tag(spec.repository, repository, tag) for tag in chosen}
    fetched = fetcher.fetch([*wanted, *of_tags.values()])
    return Outcome(
        [fetched[item] for item in wanted], listed, chosen, {tag: fetched[item] for tag, item in of_tags.items()}
    )


def _default_platform() -> Platform:
    os_name, _, architecture = settings.ENVIRONMENT.default_platform.partition("/")
    return Platform(architecture, os_name)


def _wanted_tag(spec: RepositoryImportSpec, repository: PullSpec, tag: str) -> Wanted:
    preserve = spec.import_policy.import_mode == PRESERVE
    return Wanted(repository, tag, spec.import_policy.insecure, preserve, _default_platform())


def _wanted_images(specs: list[ImageImportSpec], stream: ImageStream | None) -> list[Wanted]:
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


# --- answering


def _status(request: ImageStreamImport, outcome: Outcome) -> ImageStreamImportStatus:
    status = ImageStreamImportStatus()
    if request.spec.images:
        status.images = [
            _image_status(fetched, _remote_tag(spec))
            for spec, fetched in zip(request.spec.images, outcome.images, strict=True)
        ]
    if outcome.listed is not None:
        status.repository = _repository_status(outcome)
    return status


def _count(status: ImageStreamImportStatus) -> None:
    if status.repository is not None and is_failure(status.repository.status) and not status.repository.images:
        metrics.count_image(status.repository.status)
    for image in [*(status.images or []), *((status.repository.images if status.repository else None) or [])]:
        metrics.count_image(image.status)


def _remote_tag(spec: ImageImportSpec) -> str:
    parsed = PullSpec.parse(spec.from_.name)
    return "" if parsed.id else parsed.tag or "latest"


def _image_status(fetched: Fetched, tag: str) -> ImageImportStatus:
    return ImageImportStatus(
        status=dict(fetched.status),
        image=copy.deepcopy(fetched.image),
        tag=tag,
        manifests=copy.deepcopy(fetched.members) or None,
    )


def _repository_status(outcome: Outcome) -> RepositoryImportStatus:
    if outcome.listed is None or outcome.repository is None:
        raise AssertionError("only a repository import has this status")
    status = RepositoryImportStatus(status=dict(outcome.listed.status))
    if is_failure(outcome.listed.status):
        return status
    status.images = [_image_status(outcome.repository[tag], tag) for tag in outcome.repository_tags] or None
    status.additional_tags = outcome.listed.tags[len(outcome.repository_tags) :] or None
    failures = sum(is_failure(image.status) for image in status.images or [])
    status.status = conditions.repository_status(failures)
    return status


def _strip_manifests(request: ImageStreamImport, status: ImageStreamImportStatus) -> None:
    """Take manifests and configurations out of the answer where they were not asked for."""
    pairs = list(zip(status.images or [], [spec.include_manifest for spec in request.spec.images or []], strict=True))
    if status.repository is not None and request.spec.repository is not None:
        wished = request.spec.repository.include_manifest
        pairs += [(image, wished) for image in status.repository.images or []]
    for entry, wished in pairs:
        if entry.image is not None and not wished:
            entry.image.docker_image_manifest = entry.image.docker_image_config = ""


# --- writing


def _store_images(request: ImageStreamImport, status: ImageStreamImportStatus, *, context: Context) -> None:
    """Store the images that will be behind a tag, members before their index; those known stay as they are."""
    entries = list(status.repository.images or []) if status.repository is not None else []
    targets = zip(request.spec.images or [], status.images or [], strict=True)
    entries += [entry for spec, entry in targets if spec.to is not None]
    done: dict[str, Image] = {}
    for entry in entries:
        for image in [*(entry.manifests or []), *([entry.image] if entry.image is not None else [])]:
            stored = done.get(image.metadata.name) or _store_image(image, context=context)
            done[image.metadata.name] = stored
            image.docker_image_manifest = image.docker_image_config = ""
            image.metadata = copy.deepcopy(stored.metadata)


def _store_image(image: Image, *, context: Context) -> Image:
    found = store.find(IMAGES, "", image.metadata.name)
    if found is None:
        candidate = copy.deepcopy(image)
        candidate.signatures = None
        candidate.docker_image_manifest = candidate.docker_image_config = ""
        within = Context(context.actor, IMAGES, context.now, field_manager=context.field_manager, reason="imported")
        try:
            found = store.create(IMAGES, candidate, context=within, strategy=STORAGE.strategy)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
            found = store.find(IMAGES, "", image.metadata.name)
    stored: Image = image if found is None else found.object()
    return stored


def _write_stream(request: ImageStreamImport, status: ImageStreamImportStatus, *, context: Context) -> ImageStream:
    """Record the outcome in the stream, which is made if it is missing, and return it.

    A request that names a version is bound to it; another one goes on whatever the stream has become.
    """
    within = Context(
        context.actor, IMAGE_STREAMS, context.now, namespace=context.namespace,
        field_manager=context.field_manager, reason=context.reason or "imported", word=STREAM_WORD,
    )  # fmt: skip
    for attempt in range(ATTEMPTS):
        try:
            return _recorded(request, status, context=within)
        except StatusError as error:
            if limits.is_refusal(error.message):
                _note_refusal(request, status, error, context=within)
            # Somebody made or deleted the stream between the look and the write.
            if error.reason not in ("AlreadyExists", "NotFound") or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the loop returns or raises")


def _note_refusal(
    request: ImageStreamImport, status: ImageStreamImportStatus, error: StatusError, *, context: Context
) -> None:
    """Say at the tags of a stream that is there why the import was refused as a whole."""

    def edit(stream: ImageStream) -> ImageStream:
        wished = copy.deepcopy(stream)
        record.apply(wished, request, status, now=context.now)
        record.refuse(stream, wished, conditions.of_error(error), now=context.now)
        return stream

    if store.find(IMAGE_STREAMS, context.namespace, request.metadata.name) is not None:
        store.update(IMAGE_STREAMS, request.metadata.name, edit, context=context, strategy=INTERNAL)


def _recorded(request: ImageStreamImport, status: ImageStreamImportStatus, *, context: Context) -> ImageStream:
    name, version = request.metadata.name, request.metadata.resource_version

    def edit(stream: ImageStream) -> ImageStream:
        record.apply(stream, request, status, now=context.now)
        return stream

    if version or store.find(IMAGE_STREAMS, context.namespace, name) is not None:
        bound = Preconditions(version=version)
        stored = store.update(IMAGE_STREAMS, name, edit, context=context, strategy=INTERNAL, preconditions=bound)
    else:
        stream = edit(record.new_stream(name, context.namespace, now=context.now))
        stored = store.create(IMAGE_STREAMS, stream, context=replace(context, word=WORD), strategy=INTERNAL)
    written: ImageStream = stored.object()
    return written
