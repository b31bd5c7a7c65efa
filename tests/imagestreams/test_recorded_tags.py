"""The model of the tag engine against the recorded answers of the reference server.

Each write that the reference took is done to the model, and each stream or tag that an answer shows is compared with
what the model has by then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conformance import replay
from tests.imagestreams import tagwire
from tests.imagestreams.tagmodel import World
from tests.imagestreams.tagvalues import Json, Stream
from tests.imagestreams.tagwire import MERGE, Request, ask

RECORDED = Path(replay.__file__).parent
INTERNAL = "image-registry.openshift-image-registry.svc:5000"
OUTSIDE = {
    "image-stream-apply": "server-side apply: field managers decide what a spec becomes",
    "image-stream-bad-bodies": "every write is refused for its form",
    "image-stream-image": "shows images",
    "image-stream-layers": "shows layers",
    "image-stream-names": "is about names",
    "image-stream-quota": "is about quotas, and shows no stream",
    "image-stream-secrets": "shows secrets",
    "image-stream-selectors": "shows names",
    "image-stream-table": "shows tables",
    "image-stream-watch": "what is written while a watch is open is no step",
}
"""The scenarios about streams that the model says nothing of, and why."""

SCENARIOS = sorted(
    path.stem
    for pattern in ("image-stream*.yaml", "image-tag*.yaml", "image-mapping*.yaml")
    for path in (RECORDED / "scenarios").glob(pattern)
    if path.stem not in OUTSIDE
)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_model_says_what_was_recorded(name: str) -> None:
    scenario = yaml.safe_load((RECORDED / "scenarios" / f"{name}.yaml").read_text())
    golden = json.loads((RECORDED / "golden" / f"{name}.json").read_text())
    world, compared = World(internal=INTERNAL), 0

    for step in replay.substitute(scenario["steps"], Names(ns=scenario["namespace"])):
        answer = golden.get(step.get("id", ""), {})
        request = request_of(step)
        if request is None:
            continue
        if request.method != "GET" and answer.get("status", 201) < 300:
            write(world, request, answer, step=step)
        for what, said, expected in claims(world, request, answer.get("body"), step=step):
            assert said == expected, f"{step.get('id')}: {what}"
            compared += 1

    assert compared, "the scenario shows no stream"


class Names(dict[str, str]):
    """The names of a scenario; what it captures from answers is not known here."""

    def __missing__(self, name: str) -> str:
        return f"<{name}>"


def request_of(step: Json) -> Request | None:
    """Return what a step asks of a stream, a tag or an image; None when it is about something else."""
    path, _, query = step.get("path", "").partition("?")
    parts = path.strip("/").split("/")
    if parts[:3] != ["apis", "image.openshift.io", "v1"]:
        return None
    namespace, rest = (parts[4], parts[5:]) if parts[3:4] == ["namespaces"] else ("", parts[3:])
    if rest[0] not in tagwire.ACTS or (rest[0] != "images" and not namespace):
        return None
    body = step.get("body")
    if isinstance(body, str):
        body = yaml.safe_load(body)
    name = rest[1] if len(rest) > 1 else ((body or {}).get("metadata") or {}).get("name", "")
    subresource = rest[2] if len(rest) > 2 else ""
    patch = step.get("headers", {}).get("Content-Type", MERGE)
    return Request(step["method"], namespace, rest[0], name, body, patch, subresource, "dryRun" in query)


def write(world: World, request: Request, answer: Json, *, step: Json) -> None:
    """Do to the model what the reference did."""
    body = answer.get("body") or {}
    if not request.name or request.subresource not in ("", "status"):
        assert request.method in ("POST", "DELETE")
        if request.method == "DELETE":
            for item in body.get("items", []):
                world.streams.pop((request.namespace, item["metadata"]["name"]), None)
        return
    if request.method == "DELETE" and "deletionTimestamp" in (body.get("metadata") or {}):
        world.streams[request.place].generation += 1
        return
    if request.plural in ("imagestreamtags", "imagetags") and ":" not in request.name.removesuffix(":"):
        request = Request(**{**vars(request), "name": f"{request.name.removesuffix(':')}:latest"})
    code = ask(world, request)
    if answer:
        assert code == answer["status"], step["id"]


def claims(world: World, request: Request, body: Any, *, step: Json) -> Iterator[tuple[str, object, object]]:
    """Yield, of what an answer shows of streams and tags, the name, what was recorded and what the model has."""
    if not isinstance(body, dict) or request.dry or request.subresource not in ("", "status"):
        return
    if all(key.startswith("/") for key in body):
        yield from pointed(world, request, body)
        return
    for item in body["items"] if isinstance(body.get("items"), list) else [body]:
        meta = item.get("metadata") or {}
        about = Request("GET", meta.get("namespace", ""), request.plural, meta.get("name", ""))
        if request.plural == "imagestreams" and "spec" in item and about.place in world.streams:
            yield about.name, tagwire.read(item), world.streams[about.place]
        elif request.plural in ("imagestreamtags", "imagetags"):
            yield from of_tag(world, about, {f"/{key}": value for key, value in item.items()})


def pointed(world: World, request: Request, body: Json) -> Iterator[tuple[str, object, object]]:
    """Yield what an answer, of which only some values were recorded by pointer, shows."""
    if request.plural in ("imagestreamtags", "imagetags"):
        yield from of_tag(world, request, body)
        return
    stream = world.streams.get(request.place)
    if stream is None or request.plural != "imagestreams":
        return
    for pointer, value in body.items():
        parts = pointer.strip("/").split("/")
        if pointer == "/metadata/generation":
            yield pointer, value, stream.generation
        elif parts[:2] in (["spec", "tags"], ["status", "tags"]) and len(parts) <= 3:
            yield pointer, *of_pointer(stream, parts, value)


def of_pointer(stream: Stream, parts: list[str], value: Any) -> tuple[object, object]:
    """Return what was recorded at a pointer to tags, and what the model has there."""
    kind = parts[0]
    listed: list[Any] = [each for _, each in sorted((stream.wishes if kind == "spec" else stream.tags).items())]
    parse = tagwire.wish if kind == "spec" else tagwire.history
    if len(parts) == 2:
        return [parse(each) for each in (value if value != "<absent>" else None) or []], listed
    place = parts[2]
    index = int(place) if place.isdigit() else sorted(stream.wishes or stream.tags).index(place.partition("=")[2])
    there = listed[index] if index < len(listed) else "<absent>"
    return ("<absent>" if value in ("<absent>", None) else parse(value)), there


def of_tag(world: World, request: Request, shown: Json) -> Iterator[tuple[str, object, object]]:
    """Yield what an answer shows of a tag."""
    stream = world.streams.get(request.place)
    if stream is None or not request.tag:
        return
    head = stream.head(request.tag)
    for pointer, value in shown.items():
        if pointer in ("/tag", "/spec"):
            yield pointer, tagwire.wish(value) if value else None, stream.wishes.get(request.tag)
        elif pointer == "/status" and isinstance(value, dict):
            yield pointer, tagwire.history(value), stream.tags.get(request.tag)
        elif pointer == "/generation" and request.plural == "imagestreamtags":
            yield pointer, value, head.generation if head is not None and head.image else 0


def test_every_scenario_outside_the_model_is_there() -> None:
    assert {f"{name}.yaml" for name in OUTSIDE} <= {path.name for path in (RECORDED / "scenarios").iterdir()}
