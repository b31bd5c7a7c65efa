"""Answers in another form than the documents': watches, tables and metadata alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from schemathesis import Case

from tests.fuzz.schemas import Schemas

JSON = "application/json"
KIND = "x-kubernetes-group-version-kind"
TYPES = ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR")
STATUS = "io.k8s.apimachinery.pkg.apis.meta.v1.Status"
FALSE = ("0", "false")


def watches(case: Case[Any]) -> bool:
    """Return whether a case asks for a stream of changes."""
    return case.method.upper() == "GET" and is_list(case) and asks_to_watch((case.query or {}).get("watch"))


def asks_to_watch(value: object) -> bool:
    """Return what the first value of the query parameter says: all but `0` and `false` is yes."""
    if isinstance(value, list):
        value = value[0] if value else None
    return value is not None and str(value).lower() not in FALSE


def is_list(case: Case[Any]) -> bool:
    """Return whether the operation lists objects."""
    return bool(case.operation.definition.raw.get("x-kubernetes-action") == "list")


def wished_form(case: Case[Any]) -> str:
    """Return the form that the Accept header of a case asks for first; empty for whole objects."""
    headers: Mapping[str, object] = case.headers or {}
    accept = str(headers.get("Accept", ""))
    return next((value for key, _, value in _parameters(accept.partition(",")[0]) if key == "as"), "")


def _parameters(clause: str) -> Iterator[tuple[str, str, str]]:
    return (part.strip().partition("=") for part in clause.split(";"))


def problems_of_object(case: Case[Any], answer: Any, form: str) -> list[str]:
    """Return what is wrong with a table, or with metadata alone; a Status stays one, whatever was asked for."""
    if isinstance(answer, dict) and answer.get("kind") == "Status":
        return _schemas(case).problems(STATUS, answer)
    problems = _schemas(case).problems(form, answer)
    if form == "Table" and not problems:
        return problems_of_table(answer)
    return problems


def problems_of_table(table: Any) -> list[str]:
    """Return what is wrong with the rows of a table: each has a cell for every column."""
    columns = table["columnDefinitions"]
    widths = {len(row["cells"]) for row in table["rows"]}
    return [] if columns is None or widths <= {len(columns)} else [f"{len(columns)} columns, but {widths} cells"]


def problems_of_frames(case: Case[Any], body: bytes) -> list[str]:
    """Return what is wrong with a watch: frames one a line, perhaps after white space, each with type and object."""
    return [problem for line in body.split(b"\n") if line.strip() for problem in _problems_of_frame(case, line)]


def _problems_of_frame(case: Case[Any], line: bytes) -> list[str]:
    frame = json.loads(line)
    if set(frame) != {"type", "object"} or frame["type"] not in TYPES:
        return [f"no frame of a watch: {line[:100]!r}"]
    if frame["type"] == "ERROR":
        return _schemas(case).problems(STATUS, frame["object"])
    if frame["type"] == "BOOKMARK" and not wished_form(case):
        # Kubernetes writes the time of creation that a bookmark has not as null, against its own documents.
        frame["object"]["metadata"].pop("creationTimestamp", None)
    return _schemas(case).problems(wished_form(case) or _item(case), frame["object"])


def _schemas(case: Case[Any]) -> Schemas:
    return Schemas.of(case.operation.schema.raw_schema)


def _item(case: Case[Any]) -> str:
    """Return the name of what the operation lists."""
    content = case.operation.definition.raw["responses"]["200"]["content"][JSON]
    return str(content["schema"]["$ref"]).rpartition("/")[2].removesuffix("List")
