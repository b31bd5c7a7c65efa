"""Paths byte by byte, and parameters that contradict each other: each is answered with a Status, or as no page."""

from __future__ import annotations

import json

import pytest

from tests.served.api import IMAGES
from tests.served.wire import Answer, send
from tests.server import Server

LONG = "x" * 8000

GETS = [
    ("/", 200),
    ("//", 404),
    ("/./", 404),
    ("/apis/", 200),
    (f"/{IMAGES}", 200),
    (f"/{IMAGES}/", 200),
    (f"/{IMAGES}/images/", 200),
    (f"/{IMAGES}//images", 200),
    (f"/{IMAGES}/images/a%2Fb", 404),
    (f"/{IMAGES}/images/a%00b", 404),
    (f"/{IMAGES}/images/%FF%FE", 404),
    (f"/{IMAGES}/images/%zz", 404),
    (f"/{IMAGES}/images/..", 404),
    (f"/{IMAGES}/images/{LONG}", 404),
    (f"/{IMAGES}/nothing", 404),
    (f"/{IMAGES}/%00", 404),
    ("/nothing", 404),
    ("/%FF", 404),
    (f"/{LONG}", 404),
    ("https://elsewhere.example/version", 200),
    ("/version?x=%FF", 200),
    (f"/{IMAGES}/images?labelSelector=%FF", 400),
    (f"/{IMAGES}/images?fieldSelector=metadata.name%3D%00", 200),
    (f"/{IMAGES}/images?watch=1&limit=x", 400),
    (f"/{IMAGES}/watch/images/a?fieldSelector=metadata.name%3Db", 400),
    (f"/{IMAGES}/images/a?export=true", 400),
]


def ask(server: Server, target: str, method: str = "GET", body: str = "") -> Answer:
    """Return what is answered to a request target, sent as it is."""
    head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\nConnection: close\r\n"
    return send(server, f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())


@pytest.mark.parametrize(("target", "code"), GETS)
def test_an_odd_target_is_answered(sqlite_server: Server, target: str, code: int) -> None:
    answer = ask(sqlite_server, target)

    assert answer.code == code, answer.body
    if code >= 400:
        is_status = answer.headers["content-type"].startswith("application/json")
        assert json.loads(answer.body)["code"] == code if is_status else answer.body == b"404 page not found\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("target", [target for target, _ in GETS])
def test_a_path_without_the_method_says_which_it_has(sqlite_server: Server, target: str, method: str) -> None:
    answer = ask(sqlite_server, target.replace("/images", "/imagesignatures"), method)

    assert answer.code in (200, 400, 403, 404, 405, 415), answer.body
    if answer.code == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize(("kind", "found"), [(["a"], "array"), (1, "number"), (True, "bool"), ({}, "object")])
def test_a_kind_that_is_no_text_is_told_as_go_tells_it(sqlite_server: Server, kind: object, found: str) -> None:
    body = json.dumps({"kind": kind, "metadata": {"name": "x"}})

    answer = ask(sqlite_server, "/api/v1/namespaces", "POST", body)

    assert answer.code == 400
    assert f"cannot unmarshal {found} into Go struct field .kind of type string" in json.loads(answer.body)["message"]


def test_a_field_manager_is_as_long_as_its_bytes(sqlite_server: Server) -> None:
    body = json.dumps({"metadata": {"name": "manager"}})

    answer = ask(sqlite_server, f"/api/v1/namespaces?dryRun=All&fieldManager={'%C3%A4' * 65}", "POST", body)

    assert answer.code == 422
