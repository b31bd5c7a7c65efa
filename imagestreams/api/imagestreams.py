"""The kind ImageStream: tags with a history, written through the tag engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from authz.api import limitranges
from authz.api.limitranges import LimitRange
from imagestreams import access, configuration, holds, ledger, limits, marks, rows, tags, validation, whitelist
from imagestreams.api.layers import LayersStorage
from imagestreams.api.secrets import SecretsStorage
from imagestreams.types import GROUP, VERSION, ImageStream, ImageStreamLayers, ImageStreamStatus, TagEvent
from registry_meta.kube import errors, store
from registry_meta.kube import validation as metadata
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import KubeObject
from registry_meta.kube.objects import ObjectStorage, StatusStorage
from registry_meta.kube.request import Context
from registry_meta.kube.resource import NAME, Column, Resource, Subresource
from registry_meta.kube.strategy import Strategy

FORM = "must be of the form <tag>, <repo>:<tag>, <id>, or <repo>@<id>"


class ImageStreamStrategy(Strategy[ImageStream]):
    """The regular path: the spec is the client's, the status is the server's."""

    unconditional_update = False
    generation = True
    untracked: tuple[str, ...] = ("status",)
    keeps_status = False
    given: Mapping[str, TagEvent] = {}
    """The tags whose event the writer knows; it is not looked up."""

    def name_problems(self, name: str) -> list[str]:
        """Hold the name to what a repository may be called."""
        return validation.stream_name(name)

    def default(self, obj: ImageStream) -> None:
        """Fill in import mode and reference policy of each tag; sort the tags, the last duplicate wins."""
        is_open = any(not tag.import_policy.import_mode for tag in obj.spec.tags or ())
        tags.default_stream(obj, import_mode=configuration.current().import_mode if is_open else "")

    def prepare_create(self, obj: ImageStream, *, context: Context) -> None:
        """Start the generations and, but for internal writes, an empty history."""
        if not self.keeps_status:
            obj.status = ImageStreamStatus()
        tags.prepare_create(obj)
        tags.decorate(obj, configuration.of(context).hosts)

    def prepare_update(self, new: ImageStream, old: ImageStream, *, context: Context) -> None:
        """Move the generations of what changed."""
        tags.prepare_update(new, old, keep_status=self.keeps_status)
        tags.decorate(new, configuration.of(context).hosts)

    def validate(self, obj: ImageStream, *, context: Context) -> list[FieldError]:
        """Run the tag engine and hold the stream to the limits of its namespace and the rules of the API."""
        problems = self._engine(obj, None, context=context) + validation.image_stream(obj)
        return problems + whitelist.stream_problems(obj, None, configuration.of(context).whitelist)

    def validate_update(self, new: ImageStream, old: ImageStream, *, context: Context) -> list[FieldError]:
        """Run the tag engine on what changed; hold the stream to its limits and to the rules of the API."""
        # Clients are told of labels and annotations once by the machinery, and once more by the kind.
        repeated = metadata.attributes(new.metadata) + metadata.attributes(new.metadata)
        problems = repeated + self._engine(new, old, context=context) + validation.image_stream(new)
        problems += whitelist.stream_problems(new, old, configuration.of(context).whitelist)
        return problems + holds.violations(new, old, now=context.now)

    def _engine(self, new: ImageStream, old: ImageStream | None, *, context: Context) -> list[FieldError]:
        problems = apply_tags(new, old, context=context, given=self.given)
        why = "" if problems else _excess(new, old)
        return [errors.internal_field("[]", limits.refusal(new, why))] if why else problems

    def recorded(self, new: ImageStream | None, old: ImageStream | None, *, version: int, context: Context) -> None:
        """Write the moved tags to the ledger, and forget what those stood for that follow no longer."""
        ledger.record(new, old, version=version, context=context)
        marks.forget(new, old)


class InternalStrategy(ImageStreamStrategy):
    """The path of tags and imports: spec and status are both the server's own work."""

    untracked = ()
    keeps_status = True


class ElectionStrategy(InternalStrategy):
    """The path of imports of tags that follow a rule: what they stand for is kept in the same transaction."""

    def __init__(self, standings: Mapping[str, marks.Standing]) -> None:
        self._standings = standings

    def recorded(self, new: ImageStream | None, old: ImageStream | None, *, version: int, context: Context) -> None:
        """Keep what the tags stand for that now point there."""
        super().recorded(new, old, version=version, context=context)
        if new is not None:
            marks.keep(new, self._standings, now=context.now)


class RollbackStrategy(InternalStrategy):
    """The path of a rollback: the tags in `given` point to what they were, not to what their new wishes find."""

    def __init__(self, given: Mapping[str, TagEvent]) -> None:
        self.given = given


class ImageStreamStatusStrategy(ImageStreamStrategy):
    """The status path: of a stream only its history changes."""

    untracked = ("spec",)

    def __init__(self, ranges: Sequence[LimitRange] | None = None) -> None:
        """Hold streams to limit ranges that were read already, or to those of their namespace."""
        self._ranges = ranges

    def prepare_update(self, new: ImageStream, old: ImageStream, *, context: Context) -> None:
        """Put the spec back and give new events their generation."""
        tags.prepare_status_update(new, old)

    def validate_update(self, new: ImageStream, old: ImageStream, *, context: Context) -> list[FieldError]:
        """Hold what is new in the history to the limits of the namespace and the rules of the API."""
        why = _excess(new, old, self._ranges)
        refused = [errors.field_forbidden("imageStream", limits.refusal(new, why))] if why else []
        refused += validation.image_stream_status(new, old)
        refused += whitelist.status_problems(new, old, configuration.of(context).whitelist)
        return refused + holds.violations(new, old, now=context.now)


def _excess(new: ImageStream, old: ImageStream | None, ranges: Sequence[LimitRange] | None = None) -> str:
    """Return which limits a change breaks; one that adds nothing breaks none, and is not looked up."""
    taken = limits.usage(new)
    if not taken.adds_to(limits.usage(old) if old is not None else limits.Usage()):
        return ""
    if ranges is None:
        ranges = limitranges.in_namespace(new.metadata.namespace)
    return limits.excess(taken, limitranges.largest_allowed(ranges, limits.STREAM))


def apply_tags(
    new: ImageStream, old: ImageStream | None, *, context: Context, given: Mapping[str, TagEvent] | None = None
) -> list[FieldError]:
    """Run the tag engine on a stream that is being written; its errors come wrapped in one."""
    here = new.metadata.namespace
    found: dict[tuple[str, str], ImageStream | None] = {}
    refused: dict[tuple[str, str], str] = {}
    for namespace, name in sorted(tags.sources(new, old)):
        if namespace != here and not access.may_pull(context.actor, namespace, name):
            refused[namespace, name] = f'{namespace}/{name}: "" ""'
        found[namespace, name] = find_stream(namespace, name)
    hosts = configuration.of(context).hosts
    problems = tags.apply_references(
        new, old, source=_reader(found), forbidden=refused, now=context.now, hosts=hosts, given=given
    )
    if not problems:
        return []
    texts = [str(problem) for problem in problems]
    summary = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return [errors.internal_field("[]", f'imagestreams "{new.metadata.name}" is invalid: {summary}')]


def _reader(found: Mapping[tuple[str, str], ImageStream | None]) -> tags.Source:
    def source(namespace: str, name: str) -> ImageStream | None:
        return found.get((namespace, name))

    return source


def find_stream(namespace: str, name: str) -> ImageStream | None:
    """Return a stream, or None."""
    stored = store.find(IMAGE_STREAMS, namespace, name)
    if stored is None:
        return None
    stream: ImageStream = stored.object()
    return stream


REGULAR = ImageStreamStrategy()
INTERNAL = InternalStrategy()
STATUS = ImageStreamStatusStrategy()


def _field(*path: str) -> Any:
    def read(document: Mapping[str, Any]) -> str:
        value: Any = document
        for key in path:
            value = (value or {}).get(key)
        return value or ""

    return read


IMAGE_STREAMS = Resource(
    group=GROUP,
    version=VERSION,
    kind="ImageStream",
    plural="imagestreams",
    singular="imagestream",
    namespaced=True,
    type=ImageStream,
    storage=ObjectStorage(REGULAR),
    short_names=("is",),
    quota_names=("openshift.io/imagestreams",),
    categories=("all",),
    columns=(
        NAME,
        Column("Image Repository", description="Where the images of the stream are served."),
        Column("Tags", description="The tags, newest first."),
        Column("Updated", description="When a tag last moved."),
    ),
    row=rows.image_stream_row,
    fields={
        "spec.dockerImageRepository": _field("spec", "dockerImageRepository"),
        "status.dockerImageRepository": _field("status", "dockerImageRepository"),
    },
    subresources=(
        Subresource(name="status", storage=StatusStorage(STATUS), type=ImageStream, kind="ImageStream"),
        Subresource(name="layers", storage=LayersStorage(), type=ImageStreamLayers, kind="ImageStreamLayers"),
        Subresource(name="secrets", storage=SecretsStorage(), type=KubeObject, kind="SecretList"),
    ),
)
