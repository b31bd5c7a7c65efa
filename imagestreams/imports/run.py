"""An import from request to answer: checks, fetching without a transaction, then one write for each object."""

from __future__ import annotations

import copy
from functools import partial

from imagestreams import access, metrics
from imagestreams.api.imagestreams import IMAGE_STREAMS
from imagestreams.conditions import is_failure
from imagestreams.credentials import Keyring
from imagestreams.imports import answer, doctor, elect, keep, record, wanted
from imagestreams.imports.errands import Errand
from imagestreams.imports.fetch import Fetcher, Listed
from imagestreams.imports.keep import STREAM_WORD, WORD, Overtaken
from imagestreams.imports.keyrings import keyring_of
from imagestreams.imports.outgoing import upstream_client
from imagestreams.imports.sources import Sources
from imagestreams.reference import PullSpec
from imagestreams.types import ImageStream, ImageStreamImport, ImageStreamImportStatus
from imagestreams.upstream.attempts import Attempts
from imagestreams.upstream.values import Deadline
from registry_meta.kube import errors, store
from registry_meta.kube.deadline import LATE
from registry_meta.kube.meta import ObjectMeta, new_uid, timestamp
from registry_meta.kube.request import Context
from registry_meta.kube.strategy import ADMISSIONS, Creation

ROUNDS = 10
"""How often an import fetches anew what others have moved meanwhile."""


def execute(
    request: ImageStreamImport,
    *,
    context: Context,
    deadline: Deadline | None = None,
    errand: Errand | None = None,
    background: bool = False,
) -> ImageStreamImport:
    """Do an import and return it with its status; `context` is that of the namespace, `background` for the schedule.

    An errand is told what was fetched, and bounds the import to its wishes.

    Raises 404 or 409 when the request names a version or uid that the stream does not have and 403 when there is no
    room for another stream, before anything is fetched; 504 when the fetching outlasts the deadline, and nothing is
    written then; 409 when the stream changed meanwhile, and 422 when it would be over its limits. What went wrong with
    single images is in the status.
    """
    meta = request.metadata
    stream = _stream(meta.name, context=context)
    _check_version(meta, stream)
    if stream is None and request.spec.import_:
        _check_room(meta.name, context=context)
    client = upstream_client(background=background)
    keyring = keyring_of(context.namespace)
    sources = Sources(client, keyring, deadline=deadline)
    done = copy.deepcopy(request)
    done.metadata = ObjectMeta(
        name=meta.name, namespace=context.namespace, uid=new_uid(), creation_timestamp=timestamp(context.now),
        resource_version=meta.resource_version,
    )  # fmt: skip
    done.status = _done(request, stream, sources, context=context, deadline=deadline, errand=errand)
    answer.count(done.status)
    answer.strip_manifests(request, done.status)
    if errand is not None and _has_failed(done.status):
        errand.advice = doctor.closed(sources.attempts, keyring)
    done.metadata.annotations = _diagnosis(done, sources.attempts, keyring, context=context)
    return done


def _done(
    request: ImageStreamImport,
    stream: ImageStream | None,
    sources: Sources,
    *,
    context: Context,
    deadline: Deadline | None,
    errand: Errand | None,
) -> ImageStreamImportStatus:
    """Fetch and write; what another import has overtaken is fetched once more, for it may be older than what is there.

    Every round but the first means that a tag was moved while this import fetched it.
    """
    # Who asks by hand is told of the tags that were left out; what the server does by itself nobody reads.
    fetcher = Fetcher(sources, now=context.now, most_tags=wanted.most_tags() if errand is not None else None)
    listed = _list_tags(request, fetcher)
    is_kept = request.spec.import_ and not context.dry_run
    hold = partial(elect.hold, request, sources=sources, now=context.now, keep=is_kept, lazily=errand is not None)
    elections = hold(stream)
    asked, fetched = elections.over(wanted.asked(request, stream, listed.tags if listed is not None else []), stream)
    fetched |= fetcher.fetch(item for item in asked.all() if item not in fetched)
    for _ in range(ROUNDS):
        outcome = answer.outcome(asked, fetched, listed)
        status = answer.status_of(request, outcome, elected=elections.tags())
        if deadline is not None and not deadline.remaining():
            raise errors.timed_out(LATE)
        if not is_kept:
            return status
        keep.store_images(request, status, context=context)
        try:
            status.import_ = keep.write_stream(
                request, status, seen=stream, errand=errand, context=context, elections=elections.ended(outcome.images)
            )
        except Overtaken as overtaken:
            stream = overtaken.stream
            elections |= hold(stream, only=overtaken.tags)
            asked, settled = elections.over(asked, stream)
            again = [*asked.behind(overtaken.tags, request), *(item for item in asked.all() if item not in fetched)]
            fetched |= settled | dict(fetcher.fetch(item for item in again if item not in settled))
            continue
        record.tell_held(status.import_, request, status, now=context.now)
        if errand is not None:
            errand.request, errand.outcome = request, outcome
        return status
    raise errors.conflict(STREAM_WORD, request.metadata.name, "other imports keep moving its tags")


def _diagnosis(
    done: ImageStreamImport, attempts: Attempts, keyring: Keyring, *, context: Context
) -> dict[str, str] | None:
    """Return the annotation that tells of the credentials, to whoever looks or has failed; count them, too."""
    for attempt in attempts.all():
        if attempt.credential is not None and attempt.challenge is not None:
            metrics.CREDENTIALS.labels(attempt.verdict.value).inc()
    names = access.may_see_secrets(context.actor, context.namespace)
    found = doctor.diagnosis(
        attempts, keyring, dry_run=not done.spec.import_, failed=_has_failed(done.status), names=names
    )
    return found or None


def _has_failed(status: ImageStreamImportStatus) -> bool:
    entries = [*(status.images or []), *((status.repository.images if status.repository else None) or [])]
    is_listed = status.repository is None or not is_failure(status.repository.status)
    return not is_listed or any(is_failure(entry.status) for entry in entries)


def _stream(name: str, *, context: Context) -> ImageStream | None:
    stored = store.find(IMAGE_STREAMS, context.namespace, name)
    return stored.object() if stored else None


def _check_version(meta: ObjectMeta, stream: ImageStream | None) -> None:
    if not (meta.resource_version or meta.uid):
        return
    if stream is None:
        raise errors.not_found(WORD, meta.name)
    for asked, current, became in (
        (meta.resource_version, stream.metadata.resource_version, "updated"),
        (meta.uid, stream.metadata.uid, "replaced"),
    ):
        if asked and asked != current:
            why = f'the image stream was {became} from "{asked}" to "{current}"'
            raise errors.conflict(STREAM_WORD, meta.name, why)


def _check_room(name: str, *, context: Context) -> None:
    """Refuse an import into a new stream that could not be made; the place is taken when it is."""
    creation = Creation(IMAGE_STREAMS, context.namespace, name, context.now, WORD, dry_run=True)
    for admission in ADMISSIONS:
        admission(creation)


def _list_tags(request: ImageStreamImport, fetcher: Fetcher) -> Listed | None:
    spec = request.spec.repository
    if spec is None:
        return None
    return fetcher.list_tags(PullSpec.parse(spec.from_.name), insecure=spec.import_policy.insecure)
