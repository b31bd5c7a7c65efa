"""Bodies as HTTP lets clients send them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.served.api import Api
from tests.server import Server


@pytest.fixture
def api(served: Server) -> Api:
    return Api(served)


def pieces(text: bytes, *, size: int = 1000) -> Iterator[bytes]:
    """Yield a text in pieces, which `requests` sends in chunks, without a length."""
    for start in range(0, len(text), size):
        yield text[start : start + size]


def test_a_body_in_chunks_is_read(api: Api) -> None:
    body = json.dumps({"metadata": {"name": "chunks", "annotations": {"text": "x" * 5000}}}).encode()
    headers = {"Content-Type": "application/json"}

    answer = api.session.post(api.url(api.place("imagestreams")), data=pieces(body), headers=headers, timeout=30)

    assert (answer.status_code, answer.json()["metadata"]["annotations"]) == (201, {"text": "x" * 5000})


def test_a_body_in_chunks_may_be_too_long(api: Api) -> None:
    body = json.dumps({"metadata": {"name": "long", "annotations": {"text": "x" * 3_500_000}}}).encode()
    headers = {"Content-Type": "application/json"}

    data = pieces(body, size=100_000)
    answer = api.session.post(api.url(api.place("imagestreams")), data=data, headers=headers, timeout=30)

    assert (answer.status_code, answer.json()["reason"]) == (413, "RequestEntityTooLarge")


def test_no_body_at_all_is_said(api: Api) -> None:
    answer = api.session.post(api.url(api.place("imagestreams")), timeout=30)

    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize("path", ["", "/none"])
def test_an_answer_says_how_long_it_is(api: Api, path: str) -> None:
    answer = api.session.get(api.url(api.place("imagestreams") + path), timeout=30)

    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert "Transfer-Encoding" not in answer.headers
