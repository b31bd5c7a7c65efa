"""A server and the model of its tags side by side: each write goes to both, and both must agree ever after."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.db import transaction

from imagestreams.api.imagestreams import IMAGE_STREAMS, INTERNAL
from imagestreams.conditions import internal_failure, success
from imagestreams.imports import record
from imagestreams.models import TagEvent
from imagestreams.types import (
    Image,
    ImageImportSpec,
    ImageImportStatus,
    ImageStream,
    ImageStreamImport,
    ImageStreamImportSpec,
    ImageStreamImportStatus,
    LocalObjectReference,
    RepositoryImportSpec,
    RepositoryImportStatus,
    TagImportPolicy,
    TagReferencePolicy,
)
from registry_meta.kube import changes, pagination, store
from registry_meta.kube.errors import StatusError
from registry_meta.kube.meta import ObjectMeta, ObjectReference, now
from registry_meta.kube.request import Context
from tests.authz.conftest import Api
from tests.imagestreams import tagwire
from tests.imagestreams.asking import HISTORY, JANE
from tests.imagestreams.tagmodel import Outcome, World
from tests.imagestreams.tagvalues import Json, Place, Refused
from tests.imagestreams.tagwire import Request
from tests.kube import list_matches_watch as watched

API = "/apis/image.openshift.io/v1"
JSON = "application/json"


class Bench:
    """A server that starts empty, and ends so: everything happens in a savepoint."""

    def __init__(self, api: Api, *, internal: str) -> None:
        self.api = api
        self.world = World(internal=internal)
        self._savepoint = transaction.savepoint()
        self._version = changes.newest()
        self._watched: watched.Objects = {}
        self._moments: dict[int, str] = {}
        self._step = 0
        self._begun = now()
        self._ledger: list[tuple[Any, ...]] = []

    def close(self) -> None:
        """Take everything back."""
        transaction.savepoint_rollback(self._savepoint)
        pagination.remembered.forget()

    # --- writing

    def do(self, request: Request) -> None:
        """Send a request, and hold the answer to what the model says of it."""
        self._begin()
        before = changes.newest()
        expected = tagwire.ask(self.world, request)
        status, body = self.api.send(
            request.method, path_of(request), request.body,
            content_type=request.patch if request.method == "PATCH" else JSON,
        )  # fmt: skip
        assert status == expected, body
        if status >= 300 or request.dry:
            assert changes.newest() == before, "a write that was refused or dry happened"
        elif request.method != "DELETE" and request.plural != "imagestreammappings":
            self._same_as_read(request, body)
        self.check()

    def _same_as_read(self, request: Request, body: Json) -> None:
        if request.subresource == "rollback":
            head = self.world.streams[request.place].head(request.body["spec"]["tag"])
            assert head is not None
            assert body["status"]["to"] == {"image": head.image, "reference": head.reference}
            return
        place = request if request.method != "POST" else Request(**{**vars(request), "method": "GET"})
        status, read = self.api.get(path_of(place))
        if request.plural == "imagestreamtags" and status == 404:
            head = self.world.streams[request.place].head(request.tag)
            assert head is None or head.image not in self.world.images
        elif request.plural == "imagetags" and status == 404:
            assert body["spec"] is None
            assert body["status"] is None
        else:
            assert body == read, "an answer differs from what is read afterwards"

    def refuse_stale(self, place: Place) -> None:
        """Replace a stream as it was before its last change, which is a conflict whatever the change."""
        self._begin()
        body = self.read(place)
        body["metadata"]["resourceVersion"] = str(int(body["metadata"]["resourceVersion"]) - 1)
        body["spec"]["tags"] = [{"name": "stale"}]
        before = changes.newest()
        namespace, name = place
        status, answer = self.api.put(f"{API}/namespaces/{namespace}/imagestreams/{name}", body)
        assert (status, changes.newest()) == (409, before), answer
        tag = {"metadata": {"name": f"{name}:a", "resourceVersion": "1"}, "tag": {"name": "a"}}
        status, answer = self.api.put(f"{API}/namespaces/{namespace}/imagestreamtags/{name}:a", tag)
        assert (status, changes.newest()) == (409, before), answer
        self.check()

    def change_nothing(self, place: Place) -> None:
        """Write a stream as it is, to itself and to its status, which is no change."""
        self._begin()
        body = self.read(place)
        path = f"{API}/namespaces/{place[0]}/imagestreams/{place[1]}"
        # What empties the history holds goes with the next write.
        if all(history.items or history.conditions for history in self.world.streams[place].tags.values()):
            assert self.api.put(path, body) == (200, body)
            assert self.api.put(f"{path}/status", body) == (200, body)
        self.check()

    def bring_in(self, place: Place, outcomes: Sequence[Outcome]) -> None:
        """Record what an import found, as the importer does once it has fetched everything."""
        self._begin()
        expected = 200
        try:
            self.world.bring_in(place, outcomes, reason="imported")
        except Refused as refusal:
            expected = refusal.code
        request, status = _import(outcomes)
        moment = now()

        def edit(stream: ImageStream) -> ImageStream:
            record.apply(stream, copy.deepcopy(request), copy.deepcopy(status), now=moment)
            return stream

        context = Context(JANE, IMAGE_STREAMS, moment, namespace=place[0], reason="imported")
        code = 200
        try:
            store.update(IMAGE_STREAMS, place[1], edit, context=context, strategy=INTERNAL)
        except StatusError as error:
            code = error.code
        assert code == expected
        self.check()

    def read(self, place: Place) -> Json:
        """Return the document of a stream."""
        status, body = self.api.get(f"{API}/namespaces/{place[0]}/imagestreams/{place[1]}")
        assert status == 200
        return dict(body)

    def _begin(self) -> None:
        self._step += 1
        self.world.now = self._step
        self._begun = now()

    # --- what is true after each step

    def check(self) -> None:
        """Assert all that must hold: stored equals model, order, times, ledger, and list equals watch."""
        listed = self.api.get(f"{API}/imagestreams")[1]
        streams = {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in listed["items"]}
        assert streams.keys() == self.world.streams.keys()
        for place, each in streams.items():
            stored, model = tagwire.read(each), self.world.streams[place]
            assert stored == model, f"{place} differs from the model:\n{stored}\n{model}"
            for names in _names(each["spec"], "name"), _names(each["status"], "tag"):
                assert names == sorted(set(names)), "tags are sorted by name, and there is one of each"
            self._check_times(place, each)
        self._check_ledger(streams.values())
        self._check_watch(listed)

    def _check_times(self, place: Place, document: Json) -> None:
        """Times come from the request that made an item, all from one moment of it."""
        shown = tagwire.read(document)
        for tag, history in self.world.streams[place].tags.items():
            for said, item in zip(shown.tags[tag].items, history.items, strict=True):
                text = said.created
                assert isinstance(text, str)
                if isinstance(item.created, str):
                    assert text == item.created
                    continue
                step = item.created
                assert isinstance(step, int)
                if step == self._step and step not in self._moments:
                    moment = datetime.fromisoformat(text)
                    assert self._begun.replace(microsecond=0) <= moment <= datetime.now(UTC)
                assert self._moments.setdefault(step, text) == text

    def _check_ledger(self, documents: Iterable[Json]) -> None:
        """Every event that ever was on top is there; what was written is never written again."""
        rows = list(TagEvent.objects.order_by("version", "tag", "position").values_list())
        assert rows[: len(self._ledger)] == self._ledger, "the ledger was rewritten"
        self._ledger = rows
        fields = (
            "namespace",
            "stream",
            "tag",
            "digest",
            "reference",
            "previous_digest",
            "previous_reference",
            "reason",
        )
        moves = list(TagEvent.objects.order_by("version", "tag", "position").values_list(*fields))
        assert moves == self.world.ledger
        for document in documents:
            meta = document["metadata"]
            for tag, history in tagwire.read(document).tags.items():
                of_tag = [move[3:5] for move in moves if move[:3] == (meta["namespace"], meta["name"], tag)]
                assert _follows([item.points for item in history.items], of_tag), (tag, of_tag)

    def _check_watch(self, listed: Json) -> None:
        version = int(listed["metadata"]["resourceVersion"])
        for entry in changes.between(IMAGE_STREAMS.key, self._version, version):
            watched.apply({"type": entry.type, "object": msgspec.json.decode(entry.document)}, self._watched)
        self._version = version
        assert self._watched == watched.objects(listed["items"]), "the watch tells of another list"


def path_of(request: Request) -> str:
    """Return the path of a request, with its query."""
    group = API
    if request.subresource == "rollback":
        group = HISTORY
    parts = [group, "namespaces", request.namespace, request.plural]
    if request.plural == "images":
        parts = [group, request.plural]
    if request.method != "POST" or request.subresource:
        parts.append(request.name)
    if request.subresource:
        parts.append(request.subresource)
    return "/".join(parts) + ("?dryRun=All" if request.dry else "")


def _names(part: Json, key: str) -> list[str]:
    return [each[key] for each in part.get("tags") or []]


def _follows(newest_first: list[tuple[str, str]], moves: Iterable[tuple[str, ...]]) -> bool:
    """Return whether the items of a history, from the oldest, are among the moves of its tag in that order.

    Two items after another that say the same are one move.
    """
    remaining = iter(moves)
    return all(any(move == points for move in remaining) for points, _ in itertools.groupby(reversed(newest_first)))


def _import(outcomes: Sequence[Outcome]) -> tuple[ImageStreamImport, ImageStreamImportStatus]:
    """Return the request and the status of an import with these outcomes."""
    spec, status = ImageStreamImportSpec(import_=True), ImageStreamImportStatus()
    named = [each for each in outcomes if each.named]
    spec.images = [_request(each) for each in named] or None
    status.images = [_status(each) for each in named] or None
    whole = [each for each in outcomes if not each.named]
    if whole:
        policy = _request(whole[0])
        source = ObjectReference(kind="DockerImage", name=whole[0].asked.source.rpartition(":")[0])
        spec.repository = RepositoryImportSpec(
            from_=source, import_policy=policy.import_policy, reference_policy=policy.reference_policy
        )
        status.repository = RepositoryImportStatus(status=success(), images=[_status(each) for each in whole])
    return ImageStreamImport(spec=spec), status


def _request(outcome: Outcome) -> ImageImportSpec:
    asked = outcome.asked
    return ImageImportSpec(
        from_=ObjectReference(kind="DockerImage", name=asked.source),
        to=LocalObjectReference(name=outcome.tag),
        import_policy=TagImportPolicy(insecure=asked.insecure, scheduled=asked.scheduled, import_mode=asked.mode),
        reference_policy=TagReferencePolicy(type=asked.policy),
    )


def _status(outcome: Outcome) -> ImageImportStatus:
    if outcome.failure:
        return ImageImportStatus(status=internal_failure(outcome.failure), tag=outcome.tag)
    image = Image(metadata=ObjectMeta(name=outcome.image), docker_image_reference=outcome.reference)
    return ImageImportStatus(status=success(), image=image, tag=outcome.tag)
