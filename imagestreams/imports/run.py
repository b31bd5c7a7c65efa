"""An import from request to answer: checks, fetching without a transaction, then one write for each object."""

from __future__ import annotations

import copy
from functools import lru_cache

from django.conf import settings

from imagestreams import credentials
from imagestreams.api.imagestreams import IMAGE_STREAMS
from imagestreams.api.secrets import pull_secrets
from imagestreams.imports import answer, keep, record, wanted
from imagestreams.imports.answer import Outcome
from imagestreams.imports.fetch import Fetcher
from imagestreams.imports.keep import STREAM_WORD, WORD
from imagestreams.imports.sources import Sources
from imagestreams.reference import PullSpec
from imagestreams.types import ImageStream, ImageStreamImport
from imagestreams.upstream.client import Limits, UpstreamClient
from registry_meta.kube import errors, store
from registry_meta.kube.meta import ObjectMeta, new_uid, timestamp
from registry_meta.kube.request import Context
from registry_meta.kube.strategy import ADMISSIONS, Creation


@lru_cache(maxsize=1)
def upstream_client() -> UpstreamClient:
    """Return the client of this process, whose connections and tokens all imports share."""
    environment = settings.ENVIRONMENT
    return UpstreamClient(
        limits=Limits(per_host=environment.upstream_concurrency),
        allow_private=environment.allow_private_networks,
        ca_bundle=environment.upstream_ca_bundle or None,
    )


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
    done = copy.deepcopy(request)
    done.metadata = ObjectMeta(
        name=meta.name, namespace=context.namespace, uid=new_uid(), creation_timestamp=timestamp(context.now),
        resource_version=meta.resource_version,
    )  # fmt: skip
    done.status = answer.status_of(request, outcome)
    answer.count(done.status)
    if request.spec.import_ and not context.dry_run:
        keep.store_images(request, done.status, context=context)
        done.status.import_ = keep.write_stream(request, done.status, context=context)
        record.tell_held(done.status.import_, request, done.status, now=context.now)
    answer.strip_manifests(request, done.status)
    return done


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
    images = wanted.of_images(spec.images or [], stream)
    if spec.repository is None:
        fetched = fetcher.fetch(images)
        return Outcome([fetched[item] for item in images])
    repository = PullSpec.parse(spec.repository.from_.name)
    listed = fetcher.list_tags(repository, insecure=spec.repository.import_policy.insecure)
    limit = settings.ENVIRONMENT.max_images_bulk_imported_per_repository
    chosen = tuple(listed.tags if limit < 0 else listed.tags[: limit or 50])
    of_tags = {tag: wanted.of_tag(spec.repository, repository, tag) for tag in chosen}
    fetched = fetcher.fetch([*images, *of_tags.values()])
    return Outcome(
        [fetched[item] for item in images], listed, chosen, {tag: fetched[item] for tag, item in of_tags.items()}
    )
