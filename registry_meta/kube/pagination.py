"""Lists: pages of one snapshot, continue tokens, and selection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from django.db import connection
from django.http import QueryDict

from registry_meta.kube import changes, errors, marks, sealing
from registry_meta.kube.continuation import LATEST, read_token, token
from registry_meta.kube.errors import FieldError, StatusError
from registry_meta.kube.meta import GroupKind
from registry_meta.kube.models import Change
from registry_meta.kube.parameters import is_version, number
from registry_meta.kube.remembered import Place, Remembered, Since, brought_up
from registry_meta.kube.resource import Resource
from registry_meta.kube.scope import Scope
from registry_meta.kube.selectors import FieldSelector, LabelSelector
from registry_meta.kube.totals import totals

marks.follow(changes.NAME)

LIST_OPTIONS = GroupKind("meta.k8s.io", "ListOptions")
BATCH = 500
END = b"]}\n"
"""What follows the items of a list."""

LARGEST_PAGE = 2**31 - 1
"""The most objects that a page is asked for; a larger limit asks for all there are."""

TOO_OLD = "The resourceVersion for the provided list is too old."
CONTINUED_LATE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without"
    " the continue parameter, or use the continue token in this response to retrieve the remainder of the results."
    " Continuing with the provided token results in an inconsistent list - objects that were created, modified, or"
    " deleted between the time the first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects a list or watch wants, by label and field."""

    labels: LabelSelector
    fields: FieldSelector
    name: str | None = None
    namespace: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether all objects are wanted."""
        return self.labels.is_empty and not self.fields.terms

    @property
    def reads_documents(self) -> bool:
        """Whether objects must be looked into, because names and namespaces alone do not decide."""
        return not self.labels.is_empty or bool(self.fields.fields)

    def matches(self, resource: Resource, namespace: str, name: str, document: str) -> bool:
        """Return whether an object is wanted."""
        if not self.labels.is_empty and not self.labels.matches(changes.HEADS.decode(document).metadata.labels or {}):
            return False
        return not self.fields.fields or self.fields.matches(_getter(resource, namespace, name, document))


def _getter(resource: Resource, namespace: str, name: str, document: str) -> Callable[[str], str]:
    values = {"metadata.name": name, "metadata.namespace": namespace}
    parsed: dict[str, Any] = {}

    def get(key: str) -> str:
        if key in values:
            return values[key]
        if not parsed:
            parsed.update(msgspec.json.decode(document))
        return resource.fields[key](parsed)

    return get


def selection(resource: Resource, query: Mapping[str, str]) -> Selection:
    """Return what the query selects; raises 400 for a selector that cannot be read or an unknown field."""
    labels = LabelSelector.parse(query.get("labelSelector", ""))
    fields = FieldSelector.parse(query.get("fieldSelector", ""))
    for key in sorted(fields.fields):
        if key not in ("metadata.name", "metadata.namespace") and key not in resource.fields:
            raise errors.bad_request(unknown_field(resource, key))
    return Selection(labels, fields, fields.value_of("metadata.name"), fields.value_of("metadata.namespace"))


def unknown_field(resource: Resource, key: str) -> str:
    """Return what is said of a field that a kind is not selected by; the core group has its own words."""
    if not resource.group:
        return f"field label not supported: {key}"
    return f'"{key}" is not a known field selector: only "metadata.name", "metadata.namespace"'


@dataclass(frozen=True, slots=True)
class ListOptions:
    """The paging part of a list request; `limit` 0 is no limit, `rest` how many come behind `start`, if known."""

    limit: int = 0
    start: tuple[str, str] | None = None
    snapshot: int | None = None
    rest: int | None = None


def list_options(query: QueryDict) -> ListOptions:
    """Return the paging options of a list; raises 400 or 422 for what makes no sense, 410 for an expired token."""
    problems = match_problems(query)
    if problems:
        raise errors.invalid(LIST_OPTIONS, "", problems)
    limit = min(max(number(query, "limit"), 0), LARGEST_PAGE)
    number(query, "timeoutSeconds")
    version = query.get("resourceVersion", "")
    text = query.get("continue", "")
    if text:
        if version not in ("", "0"):
            raise errors.bad_request("specifying resource version is not allowed when using continue")
        parsed = read_token(text)
        return ListOptions(limit, parsed.start, parsed.rv if parsed.rv > 0 else None, parsed.rest)
    if version in ("", "0"):
        return ListOptions(limit)
    match = query.get("resourceVersionMatch", "")
    # A page of a given version has always meant exactly that version.
    exact = match == "Exact" or (limit > 0 and not match)
    return ListOptions(limit, None, _snapshot(version, exact=exact))


def _snapshot(version: str, *, exact: bool) -> int | None:
    check_version(version)
    return int(version) if exact else None


def check_version(version: str) -> None:
    """Refuse a version that a read cannot be as new as: 400 for no version, 504 for one that is yet to come."""
    if version in ("", "0"):
        return
    if not is_version(version):
        raise errors.bad_request(f"invalid resource version: {version[:100]}")
    current = changes.newest()
    if int(version) > current:
        raise too_large_version(int(version), current)


def too_large_version(wanted: int, current: int) -> StatusError:
    """Return 504: the version asked for is yet to come."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Too large resource version: {wanted}, current: {current}"
    return errors.timed_out(message, retry_after=1, details={"causes": [cause]})


def match_problems(query: Mapping[str, str]) -> list[FieldError]:
    """Return what is wrong with resourceVersionMatch and sendInitialEvents on a list."""
    problems: list[FieldError] = []
    match = query.get("resourceVersionMatch", "")
    field = "resourceVersionMatch"
    if match:
        if not query.get("resourceVersion"):
            why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            problems.append(errors.field_forbidden(field, why))
        if query.get("continue"):
            why = "resourceVersionMatch is forbidden when continue is provided"
            problems.append(errors.field_forbidden(field, why))
        if match not in ("Exact", "NotOlderThan"):
            problems.append(errors.not_supported(field, match, ["Exact", "NotOlderThan", ""]))
        if match == "Exact" and query.get("resourceVersion") == "0":
            why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            problems.append(errors.field_forbidden(field, why))
    if "sendInitialEvents" in query:
        why = "sendInitialEvents is forbidden for list"
        problems.append(errors.field_forbidden("sendInitialEvents", why))
    return problems


@dataclass(frozen=True)
class Page:
    """One page: the documents, the version of the snapshot, and how to go on."""

    documents: list[str]
    version: int
    continue_: str = ""
    remaining: int | None = None
    _told: list[tuple[bytes, bytes]] = field(default_factory=list, compare=False, repr=False)
    """The head behind which the documents were last told, and that list: what is remembered is told as it lies."""

    def told(self, head: bytes) -> bytes:
        """Return the documents as a list behind its head."""
        known, text = self._told[0] if self._told else (b"", b"")
        if text and known == head:
            return text
        items = (memoryview(text)[len(known) :],) if text else (",".join(self.documents).encode(), END)
        told = b"".join((head, *items))
        self._told[:] = [(head, told)]
        return told


Row = tuple[str, str, str]  # namespace, name, document


def page(
    resource: Resource, namespace: str, selected: Selection, options: ListOptions, *, seen: int | None = None
) -> Page:
    """Return the objects of a namespace (or, with an empty one, of all) that are selected, by namespace and name.

    The first page of everything is remembered, and a whole list brought up to date by the changes since; they are not
    looked at where a request has `seen` as it came that there are none.
    """
    if selected.is_everything and options.start is None and options.snapshot is None and not resource.sealed:
        place = (resource.key, namespace, options.limit)
        return remembered.get(place, lambda: _read_page(resource, namespace, selected, options), seen=seen)
    return _read_page(resource, namespace, selected, options)


def _read_page(resource: Resource, namespace: str, selected: Selection, options: ListOptions) -> Page:
    if options.snapshot is not None and options.snapshot < changes.newest("compacted"):
        raise _expired(options.start)
    wanted = options.limit + 1 if options.limit else 0
    found: list[Row] = []
    version, batches = _batches(resource, namespace, selected, options, wanted)
    for batch in batches:
        if selected.reads_documents:
            batch = [row for row in batch if selected.matches(resource, *row)]
        found += batch
        if wanted and len(found) >= wanted:
            break
    if not wanted or len(found) < wanted:
        return Page([row[2] for row in found], version)
    found = found[: options.limit]
    last = (found[-1][0], found[-1][1])
    remaining = None
    if selected.is_everything:
        remaining = _remaining(resource, namespace, options, last, version)
    return Page([row[2] for row in found], version, token(version, last, remaining), remaining)


def _expired(start: tuple[str, str] | None) -> StatusError:
    """Return 410 for a snapshot that is no longer kept; for a later page with a token for the rest as it is now."""
    if start is None:
        return errors.expired(TOO_OLD)
    return errors.expired(CONTINUED_LATE, continue_=token(LATEST, start))


def _batches(
    resource: Resource, namespace: str, selected: Selection, options: ListOptions, wanted: int
) -> tuple[int, Iterator[list[Row]]]:
    """Return the version of the snapshot and its rows in batches; later batches are read as of the first."""
    traces = () if resource.sealed else selected.labels.traces
    scope = Scope(resource.key, namespace or selected.namespace or "", selected.name, traces)
    size = max(BATCH, wanted) if selected.reads_documents else wanted
    version, first = _read_batch(scope, options.start, size, options.snapshot)

    def batches() -> Iterator[list[Row]]:
        batch = first
        while batch:
            yield _unsealed(resource, batch) if resource.sealed else batch
            if not size or len(batch) < size:
                return
            _, batch = _read_batch(scope, (batch[-1][0], batch[-1][1]), size, version)

    return version, batches()


def _unsealed(resource: Resource, batch: list[Row]) -> list[Row]:
    """Return rows with their documents in clear text; raises Unreadable."""
    return [
        (namespace, name, sealing.unseal(document, key=resource.key, namespace=namespace, name=name))
        for namespace, name, document in batch
    ]


def _read_batch(scope: Scope, start: tuple[str, str] | None, size: int, snapshot: int | None) -> tuple[int, list[Row]]:
    """Return the version and the first rows behind a key, as of a snapshot if one is named; size 0 reads all."""
    if snapshot is not None:
        return snapshot, _read_as_of(scope, start, size, snapshot)
    version, rows = _read_rows(scope, start, size)
    return version, [(namespace, name, document) for namespace, name, _, document in rows]


def _read_rows(scope: Scope, start: tuple[str, str] | None, size: int) -> tuple[int, list[tuple[str, str, int, str]]]:
    """Return the version and the present rows (with their versions): one statement, hence one state of the database."""
    where, values = scope.where(start)
    likely, texts = scope.likely()
    limit = f" LIMIT {size}" if size else ""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.value, o.namespace, o.name, o.version, o.document FROM kube_counter c LEFT JOIN"  # noqa: S608
            f" (SELECT namespace, name, version, document FROM kube_object WHERE {where}{likely}"  # these have marks
            f" ORDER BY namespace, name{limit}) o ON 1 = 1 WHERE c.name = 'changes'",
            [*values, *texts],
        )
        rows = cursor.fetchall()
    version = int(rows[0][0])
    present = [row[1:] for row in rows if row[1] is not None]
    # The join promises no order, though it keeps that of the subquery; sorting what is sorted costs nearly nothing.
    present.sort(key=_place)
    return version, present


def _place(row: tuple[Any, ...]) -> tuple[str, str]:
    return row[0], row[1]


def _read_as_of(scope: Scope, start: tuple[str, str] | None, size: int, snapshot: int) -> list[Row]:
    """Return the first rows behind a key as they were at a snapshot, looking at no more than about as many changes."""
    found: list[Row] = []
    while True:
        # The changes come last: what is written after the rows were read is among them.
        _, rows = _read_rows(scope, start, size)
        end = _place(rows[-1]) if size and len(rows) == size else None
        overlay = _overlay(scope, start, end, snapshot, size)
        if size and len(overlay) == size:
            end = max(overlay)
        then: dict[tuple[str, str], str | None] = {
            _place(row): row[3] for row in rows if row[2] <= snapshot and (end is None or _place(row) <= end)
        }
        then |= overlay
        found += [(*place, document) for place in sorted(then) if (document := then[place]) is not None]
        if end is None or len(found) >= size:
            return found[:size] if size else found
        start = end


def _overlay(
    scope: Scope, start: tuple[str, str] | None, end: tuple[str, str] | None, snapshot: int, size: int
) -> dict[tuple[str, str], str | None]:
    """Return what the first objects of a range that changed since a snapshot were then; None for what did not exist."""
    where, values = scope.where(start, end)
    limit = f" LIMIT {size}" if size else ""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.namespace, c.name, c.previous FROM kube_change c JOIN"  # noqa: S608  # values are parameters
            f" (SELECT min(version) AS version FROM kube_change WHERE {where} AND version > %s"
            f" GROUP BY namespace, name ORDER BY namespace, name{limit}) f ON f.version = c.version",
            [*values, snapshot],
        )
        return {(namespace, name): previous for namespace, name, previous in cursor.fetchall()}


def _remaining(resource: Resource, namespace: str, options: ListOptions, last: tuple[str, str], version: int) -> int:
    """Return how many objects of the snapshot come behind a full page, which ends with a key."""
    if options.start is None:
        place = (resource.key, namespace)
        return totals.at(place, version, lambda: _count_behind(resource, namespace, None, version)) - options.limit
    remaining = (options.rest or 0) - options.limit
    return remaining if remaining > 0 else _count_behind(resource, namespace, last, version)


def _count_behind(resource: Resource, namespace: str, last: tuple[str, str] | None, version: int) -> int:
    """Return how many objects of the snapshot there are, or come behind a key."""
    where, values = Scope(resource.key, namespace, None).where(last)
    with connection.cursor() as cursor:
        # One statement, hence one state: the objects there are now, and the changes that brought that about.
        cursor.execute(
            "SELECT o.count, c.namespace, c.name, c.type"  # noqa: S608  # values are parameters
            f" FROM (SELECT count(*) AS count FROM kube_object WHERE {where}) o LEFT JOIN"
            f" (SELECT namespace, name, type, version FROM kube_change WHERE {where} AND version > %s) c ON 1 = 1"
            " ORDER BY c.version",
            [*values, *values, version],
        )
        rows = cursor.fetchall()
    existed: dict[tuple[str, str], bool] = {}
    exists: dict[tuple[str, str], bool] = {}
    for _, *place, type_ in rows:
        if type_ is not None:
            existed.setdefault((place[0], place[1]), type_ != Change.ADDED)
            exists[place[0], place[1]] = type_ != Change.DELETED
    return int(rows[0][0]) + sum(existed.values()) - sum(exists.values())


def _size(page: Page) -> int:
    return 2 * sum(map(len, page.documents))


def _advance(place: Place, page: Page, since: Since) -> Page | None:
    """Return what a page has become; one with a limit must be read when something on it may have changed."""
    if since.changes:
        return None if place[2] else Page(brought_up(page.documents, since.changes), since.version)
    if since.version == page.version:
        return page
    last = read_token(page.continue_).start if page.continue_ else None
    going_on = token(since.version, last, page.remaining) if last else ""
    return Page(page.documents, since.version, going_on, page.remaining, page._told[:1])


remembered: Remembered[Page] = Remembered(16 * 1024 * 1024, size=_size, advance=_advance)
