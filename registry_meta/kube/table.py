"""Server-side tables and metadata-only forms of answers (`meta.k8s.io`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from registry_meta.kube import errors
from registry_meta.kube.deleted import Deleted
from registry_meta.kube.negotiation import PARTIAL, PARTIAL_LIST, TABLE, Rendition
from registry_meta.kube.pagination import END, Page
from registry_meta.kube.resource import Resource, Shown

MINUTE, HOUR, DAY = 60, 3600, 86400
YEAR = 365 * DAY


class _Metadata(msgspec.Struct):
    metadata: msgspec.Raw = msgspec.Raw(b"{}")


METADATA = msgspec.json.Decoder(_Metadata)


@dataclass(frozen=True, slots=True)
class ListMeta:
    """The metadata of a list."""

    version: str
    continue_: str = ""
    remaining: int | None = None

    def json(self) -> dict[str, object]:
        """Return the metadata as it goes on the wire."""
        return {
            **({"resourceVersion": self.version} if self.version else {}),
            **({"continue": self.continue_} if self.continue_ else {}),
            **({"remainingItemCount": self.remaining} if self.remaining is not None else {}),
        }


def include_object(query_value: str | None) -> str:
    """Return how much of each object a table row carries: Metadata, Object or None; raises 400."""
    value = query_value or "Metadata"
    if value not in ("Metadata", "Object", "None"):
        why = f"Invalid value: \"{value}\": must be 'Metadata', 'Object', 'None', or empty"
        raise errors.bad_request(f"Unable to convert to Table as requested: includeObject: {why}")
    return value


@dataclass(frozen=True, slots=True)
class Tabulator:
    """Turns documents of one kind into tables."""

    resource: Shown
    version: str
    include: str
    now: datetime

    def table(self, documents: Sequence[str], meta: ListMeta, *, headed: bool = True) -> bytes:
        """Return a table of objects; without `headed` the column definitions are left empty (later watch frames)."""
        columns = self.resource.columns or ()
        rows = ",".join(self._row(document) for document in documents)
        definitions = msgspec.json.encode([column.definition() for column in columns] if headed else None)
        head = f'{{"kind":"Table","apiVersion":"meta.k8s.io/{self.version}","metadata":'
        body = f',"columnDefinitions":{definitions.decode()},"rows":[{rows}]}}'
        return (head + msgspec.json.encode(meta.json()).decode() + body).encode()

    def bookmark(self, document: str) -> bytes:
        """Return the table that stands for a bookmark: one row that carries nothing but a version."""
        cells = [""] * len(self.resource.columns or ())
        row = f'{{"cells":{msgspec.json.encode(cells).decode()},"object":{partial(document, self.version)}}}'
        head = f'{{"kind":"Table","apiVersion":"meta.k8s.io/{self.version}","metadata":{{}},"columnDefinitions":null,'
        return f'{head}"rows":[{row}]}}'.encode()

    def _row(self, document: str) -> str:
        obj = self.resource.decoder.decode(document)
        cells = msgspec.json.encode(self.resource.row(obj, self.now)).decode()
        return f'{{"cells":{cells},"object":{self._object(document)}}}'

    def _object(self, document: str) -> str:
        if self.include == "None":
            return "null"
        if self.include == "Object":
            return self.resource.head + document[1:]
        return partial(document, self.version)


def partial(document: str, version: str) -> str:
    """Return an object as PartialObjectMetadata."""
    metadata = bytes(METADATA.decode(document).metadata).decode()
    return f'{{"kind":"{PARTIAL}","apiVersion":"meta.k8s.io/{version}","metadata":{metadata}}}'


def partial_list(documents: Sequence[str], meta: ListMeta, version: str) -> bytes:
    """Return a list as PartialObjectMetadataList."""
    items = ",".join(partial(document, version) for document in documents)
    head = f'{{"kind":"{PARTIAL_LIST}","apiVersion":"meta.k8s.io/{version}","metadata":'
    return f'{head}{msgspec.json.encode(meta.json()).decode()},"items":[{items}]}}'.encode()


def list_body(resource: Shown, page: Page, meta: ListMeta, rendition: Rendition, tabulator: Tabulator) -> bytes:
    """Return a list in the form agreed on."""
    if rendition.form == TABLE:
        return tabulator.table(page.documents, meta)
    if rendition.form:
        return partial_list(page.documents, meta, rendition.version)
    return page.told(_list_head(resource, meta))


def deleted_body(resource: Resource, deleted: Deleted) -> Iterator[bytes]:
    """Yield the list of what was deleted, as it is, piece by piece."""
    yield _list_head(resource, ListMeta(str(deleted.version), deleted.continue_, deleted.remaining))
    yield from deleted.items()
    yield END


def _list_head(resource: Shown, meta: ListMeta) -> bytes:
    head = f'{{"kind":"{resource.kind}List","apiVersion":"{resource.api_version}","metadata":'
    return b"".join((head.encode(), msgspec.json.encode(meta.json()), b',"items":['))


def object_body(resource: Resource, document: str, rendition: Rendition, tabulator: Tabulator) -> bytes:
    """Return one object in the form agreed on."""
    if rendition.form == TABLE:
        version = METADATA_VERSIONS.decode(document).metadata.resourceVersion
        return tabulator.table([document], ListMeta(version))
    if rendition.form:
        return partial(document, rendition.version).encode()
    return "".join((resource.head, document[1:], "\n")).encode()


class _Versioned(msgspec.Struct):
    resourceVersion: str = ""  # the wire name


class _VersionedObject(msgspec.Struct):
    metadata: _Versioned = msgspec.field(default_factory=_Versioned)


METADATA_VERSIONS = msgspec.json.Decoder(_VersionedObject)


def frame(rendition: Rendition, tabulator: Tabulator) -> Callable[[str, str], bytes] | None:
    """Return the writer of watch frames in a form, or None for plain objects."""
    if not rendition.form:
        return None
    headed = [True]

    def table_frame(kind: str, document: str) -> bytes:
        if kind == "BOOKMARK":
            body = tabulator.bookmark(document)
        else:
            version = METADATA_VERSIONS.decode(document).metadata.resourceVersion
            body = tabulator.table([document], ListMeta(version), headed=headed[0])
            headed[0] = False
        return b'{"type":"%s","object":%s}\n' % (kind.encode(), body)

    def partial_frame(kind: str, document: str) -> bytes:
        return f'{{"type":"{kind}","object":{partial(document, rendition.version)}}}\n'.encode()

    return table_frame if rendition.form == TABLE else partial_frame


def human_duration(seconds: float) -> str:
    """Return an age as kubectl prints it: `5s`, `3m20s`, `7h12m`, `3d4h`, `2y30d`; `<invalid>` from the future."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    total = max(total, 0)
    for limit, unit, letter, below, small in _STEPS:
        if total < limit:
            rest = total % unit // below if below else 0
            return f"{total // unit}{letter}" + (f"{rest}{small}" if rest else "")
    return f"{total // YEAR}y"


_STEPS = (
    (2 * MINUTE, 1, "s", 0, ""),
    (10 * MINUTE, MINUTE, "m", 1, "s"),
    (3 * HOUR, MINUTE, "m", 0, ""),
    (8 * HOUR, HOUR, "h", MINUTE, "m"),
    (2 * DAY, HOUR, "h", 0, ""),
    (8 * DAY, DAY, "d", HOUR, "h"),
    (2 * YEAR, DAY, "d", 0, ""),
    (8 * YEAR, YEAR, "y", DAY, "d"),
)


def age(created: str | None, now: datetime) -> str:
    """Return the cell of an Age column."""
    if not created:
        return "<unknown>"
    return human_duration((now - datetime.fromisoformat(created)).total_seconds())
