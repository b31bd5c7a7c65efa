"""Whatever is done to tags, in whatever order: the server has what the model has, and every reader sees the same."""

from __future__ import annotations

import dataclasses
import os
from random import Random
from typing import Any

import pytest
from django.conf import settings as server
from django.test import override_settings
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.authz.conftest import Api
from tests.imagestreams.asking import opened
from tests.imagestreams.builders import digest
from tests.imagestreams.tagbench import Bench
from tests.imagestreams.tagmodel import Outcome
from tests.imagestreams.tagvalues import EXPIRES, OVER, OWNER, REASON, Json, Place, Wish
from tests.imagestreams.tagwire import JSON_PATCH, MERGE, STRATEGIC, Request, written_wish

pytestmark = pytest.mark.django_db

EXAMPLES = int(os.environ.get("TAG_EXAMPLES", "0"))
"""How many random sequences to try; without it the same few each time."""

INTERNAL = "registry.local:5000"

PLACES = st.sampled_from([("shop", "app"), ("shop", "app"), ("shop", "lib"), ("mill", "app")])
TAGS = st.sampled_from("abcd")
IMAGES = st.sampled_from([digest(start) for start in ("a", "a1", "b", "c")])
DRY = st.sampled_from([False, False, False, False, True])
REPOSITORIES = ["quay.io/x/app", f"{INTERNAL}/shop/app", f"{INTERNAL}/mill/app"]
PULL_SPECS = st.one_of(
    st.sampled_from(["quay.io/x/app:1", "quay.io/x/app:2"]),
    st.builds(
        "{}@{}".format, st.sampled_from(["quay.io/x/app", f"{INTERNAL}/shop/app", f"{INTERNAL}/mill/app"]), IMAGES
    ),
)
HOLDS = st.sampled_from(
    [{REASON: "broken", OWNER: "anna"}, {REASON: "broken", OWNER: "anna", EXPIRES: "2100-01-01T00:00:00Z"},
     {REASON: "broken", OWNER: "anna", EXPIRES: OVER}, {REASON: "slow", OWNER: "bert"}]
)  # fmt: skip
ANNOTATIONS: st.SearchStrategy[dict[str, str]] = st.one_of(st.just({}), st.just({}), st.just({"note": "x"}), HOLDS)
SOURCES = st.one_of(
    st.tuples(st.just("DockerImage"), PULL_SPECS, st.just("")),
    st.tuples(st.just("ImageStreamTag"), TAGS, st.just("")),
    st.tuples(
        st.just("ImageStreamTag"),
        st.builds("{}:{}".format, st.sampled_from(["app", "app", "lib", "none"]), TAGS),
        st.sampled_from(["", "", "shop", "mill"]),
    ),
    st.tuples(
        st.just("ImageStreamImage"),
        st.one_of(IMAGES, st.builds("{}@{}".format, st.sampled_from(["app", "lib"]), st.one_of(IMAGES, st.just("a")))),
        st.sampled_from(["", "", "mill"]),
    ),
)


@st.composite
def wishes(draw: st.DrawFn) -> Wish:
    """Return a wish for a tag, most of them good."""
    kind, source, namespace = draw(st.one_of(SOURCES, SOURCES, SOURCES, st.just(("", "", ""))))
    return Wish(
        kind=kind,
        source=source,
        namespace=namespace,
        sourced=bool(kind),
        reference=draw(st.sampled_from([False, False, True])),
        mode=draw(st.sampled_from(["Legacy", "Legacy", "PreserveOriginal"])),
        scheduled=(kind == "DockerImage" and draw(st.booleans())) or draw(st.integers(0, 19)) == 0,
        policy=draw(st.sampled_from(["Source", "Local"])),
        generation=draw(st.sampled_from([None, None, 0, 7])),
        annotations=draw(ANNOTATIONS),
    )


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    """Return what came of importing one image."""
    tag, named = draw(TAGS), draw(st.booleans())
    asked = Wish(
        "DockerImage", draw(PULL_SPECS) if named else f"quay.io/x/app:{tag}", sourced=True,
        mode=draw(st.sampled_from(["Legacy", "PreserveOriginal"])) if named else "Legacy",
        scheduled=named and draw(st.booleans()),
    )  # fmt: skip
    failure = draw(st.sampled_from(["", "", "", "unreachable", "unreadable"]))
    if failure:
        return Outcome(tag, asked, failure=failure, named=named)
    return Outcome(tag, asked, draw(IMAGES), draw(PULL_SPECS), named=named)


class TagMachine(RuleBasedStateMachine):
    """Does to tags whatever the API lets one do."""

    api: Api

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(self.api, internal=INTERNAL)

    def teardown(self) -> None:
        self.bench.close()

    def do(self, method: str, place: Place, plural: str, name: str, body: Any = None, **more: Any) -> None:
        self.bench.do(Request(method, place[0], plural, name, body, **more))

    def there(self, place: Place) -> bool:
        return place in self.bench.world.streams

    # --- streams

    @initialize()
    def begin(self) -> None:
        """Let there be two streams, so that few steps are about none."""
        for place in ("shop", "app"), ("mill", "app"):
            self.do("POST", place, "imagestreams", place[1], {"metadata": {"name": place[1]}})

    @rule(place=PLACES, tags=st.dictionaries(TAGS, wishes(), max_size=3), dry=DRY)
    def make(self, place: Place, tags: dict[str, Wish], dry: bool) -> None:
        body = {
            "metadata": {"name": place[1]},
            "spec": {"tags": [written_wish(tag, each) for tag, each in tags.items()]},
        }
        self.do("POST", place, "imagestreams", place[1], body, dry=dry)

    @rule(place=PLACES, tags=st.dictionaries(TAGS, st.one_of(st.none(), wishes()), min_size=1, max_size=3), dry=DRY)
    def replace(self, place: Place, tags: dict[str, Wish | None], dry: bool) -> None:
        """Replace a stream, of whose wishes some are others now, and some are none."""
        if not self.there(place):
            return
        body = self.bench.read(place)
        kept = {each["name"]: each for each in body["spec"].get("tags") or []}
        kept |= {tag: written_wish(tag, each) for tag, each in tags.items() if each is not None}
        body["spec"]["tags"] = [each for tag, each in kept.items() if tags.get(tag, True) is not None]
        self.do("PUT", place, "imagestreams", place[1], body, dry=dry)

    @rule(place=PLACES, tags=st.dictionaries(TAGS, st.one_of(st.none(), wishes()), min_size=1, max_size=3), dry=DRY)
    def patch(self, place: Place, tags: dict[str, Wish | None], dry: bool) -> None:
        """Patch wishes; what of a wish is left out stays."""
        items = [{"name": tag, "$patch": "delete"} if each is None else _brief(tag, each) for tag, each in tags.items()]
        body = {"spec": {"tags": items}}
        self.do("PATCH", place, "imagestreams", place[1], body, patch=STRATEGIC, dry=dry)

    @rule(place=PLACES, local=st.booleans(), repository=st.sampled_from(["", "quay.io/x/app"]))
    def patch_beside_the_tags(self, place: Place, local: bool, repository: str) -> None:
        body = {"spec": {"lookupPolicy": {"local": local}, "dockerImageRepository": repository or None}}
        self.do("PATCH", place, "imagestreams", place[1], body, patch=MERGE)

    @rule(place=PLACES, tags=st.lists(TAGS, min_size=2, max_size=4, unique=True), dry=DRY)
    def chain(self, place: Place, tags: list[str], dry: bool) -> None:
        """Let each tag follow the one before, and at times the first one the last."""
        items = [
            {"name": tag, "from": {"kind": "ImageStreamTag", "name": followed}, "importPolicy": {"scheduled": False}}
            for tag, followed in zip(tags, [*tags[1:], tags[0]] if len(tags) == 3 else tags[1:], strict=False)
        ]
        self.do("PATCH", place, "imagestreams", place[1], {"spec": {"tags": items}}, patch=STRATEGIC, dry=dry)

    @rule(place=PLACES, chance=st.integers(0, 4))
    def delete(self, place: Place, chance: int) -> None:
        if not chance:
            self.do("DELETE", place, "imagestreams", place[1])

    # --- tags

    @rule(place=PLACES, tag=TAGS, method=st.sampled_from(["PUT", "PUT", "PATCH", "POST"]), wish=wishes(), dry=DRY)
    def wish_by_stream_tag(self, place: Place, tag: str, method: str, wish: Wish, dry: bool) -> None:
        name, annotations = f"{place[1]}:{tag}", dict(wish.annotations)
        body = {"metadata": {"name": name, "annotations": annotations}, "tag": written_wish(tag, wish)}
        if method != "POST":
            del body["tag"]["annotations"]
        self.do(method, place, "imagestreamtags", name, body, dry=dry)

    @rule(place=PLACES, tag=TAGS, method=st.sampled_from(["PUT", "POST"]), annotations=ANNOTATIONS)
    def write_stream_tag_without_wish(self, place: Place, tag: str, method: str, annotations: dict[str, str]) -> None:
        name = f"{place[1]}:{tag}"
        self.do(method, place, "imagestreamtags", name, {"metadata": {"name": name, "annotations": annotations}})

    @rule(place=PLACES, tag=TAGS, method=st.sampled_from(["PUT", "PATCH", "POST"]), wish=st.one_of(st.none(), wishes()))
    def wish_by_image_tag(self, place: Place, tag: str, method: str, wish: Wish | None) -> None:
        name = f"{place[1]}:{tag}"
        body: Json = {"metadata": {"name": name}}
        if method == "PUT" and self.there(place):
            status, body = self.bench.api.get(f"/apis/image.openshift.io/v1/namespaces/{place[0]}/imagetags/{name}")
            if status == 404:
                return
        body["spec"] = None if wish is None else written_wish(tag, wish)
        self.do(method, place, "imagetags", name, body)

    @rule(place=PLACES, tag=TAGS, plural=st.sampled_from(["imagestreamtags", "imagetags"]), dry=DRY)
    def delete_tag(self, place: Place, tag: str, plural: str, dry: bool) -> None:
        self.do("DELETE", place, plural, f"{place[1]}:{tag}", dry=dry)

    @rule(place=PLACES, tag=TAGS, hold=HOLDS)
    def hold(self, place: Place, tag: str, hold: dict[str, str]) -> None:
        annotations = {**dict.fromkeys((REASON, OWNER, EXPIRES)), **hold}
        body = {"metadata": {"annotations": annotations}}
        self.do("PATCH", place, "imagestreamtags", f"{place[1]}:{tag}", body)

    @rule(place=PLACES, tag=TAGS)
    def lift(self, place: Place, tag: str) -> None:
        body = {"metadata": {"annotations": dict.fromkeys((REASON, OWNER, EXPIRES))}}
        self.do("PATCH", place, "imagestreamtags", f"{place[1]}:{tag}", body)

    @rule(place=PLACES, tag=TAGS, source=TAGS)
    def point_by_json_patch(self, place: Place, tag: str, source: str) -> None:
        if not self.there(place) or tag not in self.bench.world.streams[place].wishes:
            return
        body = [{"op": "add", "path": "/tag/from", "value": {"kind": "ImageStreamTag", "name": source}},
                {"op": "add", "path": "/tag/importPolicy", "value": {}}]  # fmt: skip
        self.do("PATCH", place, "imagestreamtags", f"{place[1]}:{tag}", body, patch=JSON_PATCH)

    # --- images and histories

    @rule(place=PLACES, tag=TAGS, image=IMAGES, reference=st.one_of(st.just(""), PULL_SPECS), managed=st.booleans())
    def push(self, place: Place, tag: str, image: str, reference: str, managed: bool) -> None:
        meta = {"name": image, "annotations": {"openshift.io/image.managed": "true"} if managed else {}}
        body = {
            "metadata": {"name": place[1]},
            "image": {"metadata": meta, "dockerImageReference": reference},
            "tag": tag,
        }
        self.do("POST", place, "imagestreammappings", place[1], body)

    @rule(image=IMAGES, chance=st.integers(0, 2))
    def delete_image(self, image: str, chance: int) -> None:
        if not chance:
            self.do("DELETE", ("", ""), "images", image)

    @rule(place=PLACES, keep=st.integers(0, 2))
    def prune(self, place: Place, keep: int) -> None:
        """Shorten the histories as a pruner does."""
        if not self.there(place):
            return
        body = self.bench.read(place)
        for history in body["status"].get("tags") or []:
            history["items"] = (history["items"] or [])[:keep]
        self.do("PUT", place, "imagestreams", place[1], body, subresource="status")

    @rule(place=PLACES, tag=TAGS, image=IMAGES, reference=PULL_SPECS, generation=st.sampled_from([0, 0, 3]))
    def write_history(self, place: Place, tag: str, image: str, reference: str, generation: int) -> None:
        """Put an event on top of a history by hand."""
        if not self.there(place):
            return
        histories = {each["tag"]: each for each in self.bench.read(place)["status"].get("tags") or []}
        item = {"created": "2026-01-02T03:04:05Z", "dockerImageReference": reference, "image": image}
        items = [{**item, "generation": generation}, *((histories.get(tag) or {}).get("items") or [])]
        body = {"status": {"tags": [{"tag": tag, "items": items}]}}
        self.do("PATCH", place, "imagestreams", place[1], body, patch=STRATEGIC, subresource="status")

    @rule(
        place=PLACES,
        tag=TAGS,
        added=st.lists(st.tuples(IMAGES, PULL_SPECS, st.integers(0, 3)), min_size=2, max_size=3),
        order=st.randoms(use_true_random=False),
        drop=st.integers(0, 2),
        method=st.sampled_from(["PUT", "PATCH"]),
    )
    def rewrite_history(
        self, place: Place, tag: str, added: list[tuple[str, str, int]], order: Random, drop: int, method: str
    ) -> None:
        """Write several events into a history at once, on top, at the bottom or in between, and leave some out."""
        if not self.there(place):
            return
        body = self.bench.read(place)
        histories = {each["tag"]: each for each in body["status"].get("tags") or []}
        items = (histories.get(tag) or {}).get("items") or []
        for image, reference, generation in added:
            item = {"created": "2026-01-02T03:04:05Z", "dockerImageReference": reference, "image": image}
            items.insert(order.choice([0, 0, len(items) // 2, len(items)]), {**item, "generation": generation})
        for _ in range(min(drop, len(items) - 1)):
            items.pop(order.randrange(len(items)))
        histories.setdefault(tag, {"tag": tag})["items"] = items
        body["status"]["tags"] = list(histories.values())
        if method == "PATCH":
            body = {"status": {"tags": [{"tag": tag, "items": items}]}}
        self.do(method, place, "imagestreams", place[1], body, patch=STRATEGIC, subresource="status")

    @rule(place=PLACES, tag=TAGS, image=IMAGES, hold=st.booleans(), lift=st.booleans())
    def roll_back(self, place: Place, tag: str, image: str, hold: bool, lift: bool) -> None:
        spec = {"tag": tag, "to": {"image": image}, "hold": hold, "liftHold": lift, "reason": "worse" if hold else ""}
        self.do("POST", place, "imagestreams", place[1], {"spec": spec}, subresource="rollback")

    @rule(place=PLACES, found=st.lists(outcomes(), min_size=1, max_size=3))
    def bring_in(self, place: Place, found: list[Outcome]) -> None:
        if self.there(place):
            self.bench.bring_in(place, found)

    # --- what is none

    @rule(place=PLACES)
    def refuse_stale(self, place: Place) -> None:
        if self.there(place):
            self.bench.refuse_stale(place)

    @rule(place=PLACES)
    def change_nothing(self, place: Place) -> None:
        if self.there(place):
            self.bench.change_nothing(place)


def _brief(tag: str, each: Wish) -> Json:
    """Return a wish without what is as it always is."""
    full = written_wish(tag, each)
    brief: Json = {"name": tag, "importPolicy": {"scheduled": each.scheduled}}
    if each.sourced:
        brief["from"] = full["from"]
    if each.reference:
        brief["reference"] = True
    if each.generation is not None:
        brief["generation"] = each.generation
    if each.annotations:
        brief["annotations"] = {**dict.fromkeys((REASON, OWNER, EXPIRES)), **each.annotations}
    return brief


SETTINGS = settings(
    max_examples=EXAMPLES or 20,
    stateful_step_count=25,
    deadline=None,
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
    report_multiple_bugs=False,
)


@override_settings(ENVIRONMENT=dataclasses.replace(server.ENVIRONMENT, internal_registry_hostname=INTERNAL))
def test_tags_become_what_the_model_says_in_whatever_order() -> None:
    TagMachine.api = opened()
    assert TagMachine.api.post("/api/v1/namespaces", {"metadata": {"name": "mill"}})[0] == 201

    run_state_machine_as_test(TagMachine, settings=SETTINGS)
