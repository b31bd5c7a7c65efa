"""Puts cases where there is something: a case of random names meets nothing but 404.

Most cases keep what was made for them, with the names, kinds and versions of objects that exist put in; some keep
everything. Watches are kept short, and most lists are left lists, because each watch takes its second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from schemathesis import Case

from tests.fuzz.forms import KIND, asks_to_watch, is_list
from tests.fuzz.objects import NAMESPACE, POINTERS, names_at

META_FORM = "application/json;as={form};v={version};g=meta.k8s.io"
ACCEPTS = (
    "*/*",
    "application/json",
    "application/yaml",
    "application/yaml;q=0.5, application/json;q=0.1",
    "application/vnd.kubernetes.protobuf, application/json",
    *(META_FORM.format(form="Table", version=version) for version in ("v1", "v1beta1")),
    *(META_FORM.format(form=form, version="v1") for form in ("PartialObjectMetadata", "PartialObjectMetadataList")),
    META_FORM.format(form="Nothing", version="v1"),
    "text/html",
    "application/vnd.kubernetes.protobuf",
    ";;,q=x",
)
WATCHED = 0.1
"""How many of the lists that would be watches stay watches."""

JSON_PATCH = "application/json-patch+json"
PATCH_WORDS = ("add", "remove", "replace", "move", "copy", "test")


def place(case: Case[Any], random: Random, bodies: Sequence[Any] = ()) -> None:
    """Change a case so that it meets what the server has; `bodies` are objects of the kind, for patches of it."""
    _place_path(case, random)
    _place_query(case, random)
    if case.method.upper() == "PATCH":
        _place_patch(case, random, bodies)
    _place_body(case, random)
    if random.random() < 0.3:
        case.headers["Accept"] = random.choice(ACCEPTS)


def _place_path(case: Case[Any], random: Random) -> None:
    chosen = dict(case.path_parameters or {})
    if "namespace" in chosen and random.random() < 0.95:
        chosen["namespace"] = NAMESPACE
    if "name" in chosen and random.random() < 0.85:
        chosen["name"] = random.choice(names_at(case.operation.path))
    if chosen != case.path_parameters:
        case.path_parameters = chosen


def _place_query(case: Case[Any], random: Random) -> None:
    """Keep watches short, and let most writes write."""
    if not isinstance(case.query, Mapping):
        return
    query = dict(case.query)
    if is_list(case) and asks_to_watch(query.get("watch")):
        if random.random() < WATCHED:
            query["timeoutSeconds"] = 1
        else:
            query.pop("watch")
    for name in ("dryRun", "fieldValidation", "resourceVersion", "continue", "labelSelector", "fieldSelector"):
        if name in query and random.random() < 0.7:
            query.pop(name)
    case.query = query


def _place_body(case: Case[Any], random: Random) -> None:
    """Give a body the kind, the version and a name that its path has."""
    if not isinstance(case.body, dict) or case.operation.definition.raw.get("x-kubernetes-action") == "delete":
        return
    if random.random() > 0.85:
        return
    body: dict[str, Any] = dict(case.body)
    kind = case.operation.definition.raw[KIND]
    body["kind"] = kind["kind"]
    body["apiVersion"] = f"{kind['group']}/{kind['version']}" if kind["group"] else kind["version"]
    metadata = dict(body["metadata"]) if isinstance(body.get("metadata"), dict) else {}
    if random.random() < 0.9:
        for name in ("namespace", "uid", "resourceVersion", "ownerReferences", "finalizers", "managedFields"):
            metadata.pop(name, None)
    named = (case.path_parameters or {}).get("name")
    metadata["name"] = named or random.choice(names_at(case.operation.path))
    body["metadata"] = metadata
    case.body = body


def _place_patch(case: Case[Any], random: Random, bodies: Sequence[Any]) -> None:
    """Let a patch be about the fields of its kind."""
    if not bodies or random.random() < 0.2:
        return
    body = random.choice(bodies)
    if case.media_type != JSON_PATCH:
        case.body = body
        return
    case.body = [_step(body, random) for _ in range(random.randrange(4))]


def _step(body: Any, random: Random) -> dict[str, Any]:
    step: dict[str, Any] = {
        "op": random.choice(PATCH_WORDS),
        "path": random.choice(POINTERS),
        "from": random.choice(POINTERS),
    }
    fields = list(body.values()) if isinstance(body, dict) and body else [None]
    step["value"] = random.choice([*fields, "text", {}, [], None])
    for name in ("from", "value"):
        if random.random() < 0.2:
            step.pop(name)
    return step
