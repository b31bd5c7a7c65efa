"""How clients speak of the streams of the model: documents, patches, and what each request asks of the model."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from tests.imagestreams.tagmodel import World
from tests.imagestreams.tagvalues import Event, History, Json, Place, Refused, Stream, Wish

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
MERGED_BY = {"tags": ("name", "tag"), "conditions": ("type",)}
KINDS = ("DockerImage", "ImageStreamTag", "ImageStreamImage")


# --- documents


def read(document: Json) -> Stream:
    """Return the stream of a document."""
    meta, spec = document.get("metadata") or {}, document.get("spec") or {}
    status = document.get("status") or {}
    return Stream(
        generation=meta.get("generation") or 0,
        local=bool((spec.get("lookupPolicy") or {}).get("local")),
        repository=spec.get("dockerImageRepository") or "",
        wishes={each["name"]: wish(each) for each in spec.get("tags") or []},
        tags={each["tag"]: history(each) for each in status.get("tags") or []},
    )


def wish(document: Json) -> Wish:
    """Return the wish of an item of spec.tags."""
    source, policy = document.get("from") or {}, document.get("importPolicy") or {}
    return Wish(
        kind=source.get("kind", ""),
        source=source.get("name", ""),
        namespace=source.get("namespace", ""),
        sourced=document.get("from") is not None,
        reference=bool(document.get("reference")),
        mode=policy.get("importMode") or "Legacy",
        scheduled=bool(policy.get("scheduled")),
        insecure=bool(policy.get("insecure")),
        policy=(document.get("referencePolicy") or {}).get("type") or "Source",
        generation=document.get("generation"),
        annotations={key: text for key, text in (document.get("annotations") or {}).items() if text is not None},
    )


def history(document: Json) -> History:
    """Return the history of an item of status.tags."""
    items = [
        Event(item.get("image", ""), item.get("dockerImageReference", ""), item.get("generation", 0), item["created"])
        for item in document.get("items") or []
    ]
    keys = ("type", "status", "reason", "message")
    conditions = [
        (*(str(each.get(key, "")) for key in keys), int(each.get("generation", 0)))
        for each in document.get("conditions") or []
    ]
    return History(items, conditions)  # type: ignore[arg-type]  # four texts and a number


def written(stream: Stream, name: str = "") -> Json:
    """Return the document of a stream."""
    return {
        "metadata": {"name": name, "generation": stream.generation},
        "spec": {
            "lookupPolicy": {"local": stream.local},
            "dockerImageRepository": stream.repository,
            "tags": [written_wish(tag, each) for tag, each in sorted(stream.wishes.items())],
        },
        "status": {"tags": [_history(tag, each) for tag, each in sorted(stream.tags.items())]},
    }


def written_wish(tag: str, each: Wish) -> Json:
    """Return a wish as an item of spec.tags."""
    source = {"kind": each.kind, "name": each.source, **({"namespace": each.namespace} if each.namespace else {})}
    return {
        "name": tag,
        **({"from": source} if each.sourced else {}),
        "reference": each.reference,
        "importPolicy": {"importMode": each.mode, "scheduled": each.scheduled, "insecure": each.insecure},
        "referencePolicy": {"type": each.policy},
        "annotations": dict(each.annotations),
        "generation": each.generation,
    }


def _history(tag: str, each: History) -> Json:
    items = [
        {"image": item.image, "dockerImageReference": item.reference, "generation": item.generation,
         "created": item.created}
        for item in each.items
    ]  # fmt: skip
    keys = ("type", "status", "reason", "message", "generation")
    return {"tag": tag, "items": items, "conditions": [dict(zip(keys, one, strict=True)) for one in each.conditions]}


# --- patches


def patched(document: Any, patch: Any, kind: str) -> Any:
    """Return a document after a patch: JSON (RFC 6902), merge (RFC 7386), or strategic: lists of tags merge by name."""
    if kind == JSON_PATCH:
        return _operated(copy.deepcopy(document), patch)
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif kind == STRATEGIC and key in MERGED_BY and isinstance(value, list):
            result[key] = _merged(result.get(key) or [], value, MERGED_BY[key])
        else:
            result[key] = patched(result.get(key), value, kind)
    return result


def _merged(old: list[Json], patch: list[Json], keys: tuple[str, ...]) -> list[Json]:
    key = next(each for each in keys if any(each in item for item in [*patch, *old]))
    found = {item[key]: item for item in old}
    for item in patch:
        directive = item.get("$patch")
        if directive == "delete":
            found.pop(item[key], None)
        elif directive == "replace":
            found = {each[key]: each for each in patch if "$patch" not in each}
            break
        else:
            found[item[key]] = patched(found.get(item[key]), item, STRATEGIC)
    return list(found.values())


def _operated(document: Any, operations: list[Json]) -> Any:
    for operation in operations:
        *path, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        holder = document
        for part in path:
            holder = holder[int(part)] if isinstance(holder, list) else holder[part]
        if isinstance(holder, list):
            index = len(holder) if last == "-" else int(last)
            holder[index : index + (operation["op"] != "add")] = (
                [] if operation["op"] == "remove" else [operation["value"]]
            )
        elif operation["op"] == "remove":
            del holder[last]
        elif operation["op"] != "test":
            holder[last] = operation["value"]
    return document


# --- requests


@dataclass(frozen=True)
class Request:
    """One request about a stream or a tag; `name` is that of the path, or of the body of a POST."""

    method: str
    namespace: str
    plural: str
    name: str
    body: Any = None
    patch: str = MERGE
    subresource: str = ""
    dry: bool = False
    owner: str = "system:admin"

    @property
    def place(self) -> Place:
        return self.namespace, self.name.partition(":")[0]

    @property
    def tag(self) -> str:
        return self.name.partition(":")[2]


def ask(world: World, request: Request) -> int:
    """Let the model do what a request asks for, and return the HTTP status of the answer."""
    try:
        return ACTS[request.plural](world, request)
    except Refused as refusal:
        return refusal.code


def _streams(world: World, request: Request) -> int:
    place, body = request.place, request.body
    if request.method == "POST" and request.subresource == "rollback":
        spec = body["spec"]
        world.roll_back(
            place, spec["tag"], spec["to"]["image"], hold=spec.get("hold", False), lift=spec.get("liftHold", False),
            owner=request.owner, reason=spec.get("reason", ""),
        )  # fmt: skip
        return 201
    if request.method == "POST":
        world.create(place, _checked(read(body)), dry=request.dry)
        return 201
    if request.method == "DELETE":
        world.delete(place, dry=request.dry)
        return 200
    if place not in world.streams:
        return 404
    if request.method == "PATCH":
        body = patched(written(world.streams[place], request.name), body, request.patch)
    write = world.write_status if request.subresource == "status" else world.write
    write(place, _checked(read(body)), dry=request.dry)
    return 200


def _checked(stream: Stream) -> Stream:
    for each in stream.wishes.values():
        check(each)
    return stream


def check(each: Wish) -> None:
    """Refuse a wish of which the API says that it is none."""
    if each.sourced and (each.kind not in KINDS or not each.source or (each.scheduled and each.kind != KINDS[0])):
        raise Refused(422, "no good wish")
    if each.policy not in ("Source", "Local") or each.mode not in ("Legacy", "PreserveOriginal"):
        raise Refused(422, "no good policy")


def _stream_tags(world: World, request: Request) -> int:
    if request.method == "DELETE":
        return _removed(world, request)
    present, sent = _present(world, request), request.body
    if request.method == "PATCH":
        annotations = dict(present.annotations) if present is not None else None
        tag = written_wish(request.tag, present) if present is not None else None
        sent = patched({"metadata": {"annotations": annotations}, "tag": tag}, sent, request.patch)
    asked = sent.get("tag")
    if request.method == "POST":
        if asked is not None:
            check(wish(asked))
        if present is not None:
            raise Refused(409)
        if asked is None:
            _touch(world, request)
            return 201
        return _wished(world, request, wish(asked))
    if asked is None and present is None:
        raise Refused(400)
    each = wish(asked) if asked is not None else copy.deepcopy(present) or Wish()
    annotations = {key: text for key, text in ((sent.get("metadata") or {}).get("annotations") or {}).items() if text}
    if request.method == "PUT" and not annotations and present is not None and present.held:
        annotations = {key: text for key, text in present.annotations.items() if key.startswith("holds.")}
    each.annotations = annotations
    return _wished(world, request, each)


def _image_tags(world: World, request: Request) -> int:
    if request.method == "DELETE":
        return _removed(world, request)
    present, sent = _present(world, request), request.body
    if request.method == "PATCH":
        sent = patched(
            {"spec": written_wish(request.tag, present) if present is not None else None}, sent, request.patch
        )
    asked = sent.get("spec")
    if request.method == "POST" and asked is not None and present is not None:
        check(wish(asked))
        raise Refused(409)
    if asked is None and (request.method == "POST" or request.place not in world.streams):
        raise Refused(422)
    if asked is not None:
        return _wished(world, request, wish(asked))
    new = copy.deepcopy(world.streams[request.place])
    new.wishes.pop(request.tag, None)
    world.update(request.place, new, dry=request.dry)
    return 200 if present is not None else 201


def _present(world: World, request: Request) -> Wish | None:
    stream = world.streams.get(request.place)
    return stream.wishes.get(request.tag) if stream is not None else None


def _wished(world: World, request: Request, each: Wish) -> int:
    """Wish a tag through its stream, which is made if it is missing; 201 says that it was not wished before."""
    check(each)
    known = _present(world, request) is not None
    if request.place in world.streams:
        new = copy.deepcopy(world.streams[request.place])
        new.wishes[request.tag] = each
        world.update(request.place, new, dry=request.dry)
    else:
        world.create(request.place, Stream(wishes={request.tag: each}), dry=request.dry)
    return 200 if known else 201


def _touch(world: World, request: Request) -> None:
    if request.place in world.streams:
        world.update(request.place, copy.deepcopy(world.streams[request.place]), dry=request.dry)
    else:
        world.create(request.place, Stream(), dry=request.dry)


def _removed(world: World, request: Request) -> int:
    world.remove_tag(request.place, request.tag, dry=request.dry)
    return 200


def _mappings(world: World, request: Request) -> int:
    image = request.body["image"]
    managed = (image["metadata"].get("annotations") or {}).get("openshift.io/image.managed") == "true"
    name, reference = image["metadata"]["name"], image.get("dockerImageReference", "")
    if not reference and world.internal:
        reference = f"{world.internal}/{request.namespace}/{request.name}@{name}"
    world.remap(request.place, request.body["tag"], name, reference, managed=managed)
    return 201


def _images(world: World, request: Request) -> int:
    known = request.name in world.images
    if request.method == "DELETE":
        world.images.discard(request.name)
        return 200 if known else 404
    world.images.add(request.name)
    return 409 if known else 201


ACTS = {
    "imagestreams": _streams,
    "imagestreamtags": _stream_tags,
    "imagetags": _image_tags,
    "imagestreammappings": _mappings,
    "images": _images,
}
