from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from urllib3 import HTTPHeaderDict

from imagestreams.upstream.answers import Answer, failure, parsed
from imagestreams.upstream.errors import (
    Denied,
    Limited,
    Malformed,
    NotFound,
    Rejected,
    ServerFault,
    Unauthorized,
    UpstreamError,
)


def answer(status: int, body: object = b"", *, headers: Mapping[str, str] | None = None, reason: str = "") -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer("https://r.example/v2/a/manifests/b", status, reason, HTTPHeaderDict(headers or {}), data)


def told(*errors: Mapping[str, object]) -> dict[str, object]:
    return {"errors": list(errors)}


UNKNOWN = {"code": "MANIFEST_UNKNOWN", "message": "manifest unknown", "detail": {"Tag": "b"}}
DENIED = {"code": "DENIED", "message": "requested access to the resource is denied"}


@pytest.mark.parametrize(
    ("status", "body", "kind", "codes", "text"),
    [
        (404, told(UNKNOWN), NotFound, ("MANIFEST_UNKNOWN",), "manifest unknown: manifest unknown"),
        (404, told({"code": "NAME_UNKNOWN"}), NotFound, ("NAME_UNKNOWN",), "name unknown"),
        (403, told(DENIED), Denied, ("DENIED",), "denied"),
        (403, told({**DENIED, "message": "pay first"}), Denied, ("DENIED",), "denied: pay first"),
        (403, {"details": "no"}, Denied, ("DENIED",), "denied: no"),
        (401, {"details": "bad password"}, Unauthorized, ("UNAUTHORIZED",), "unauthorized: bad password"),
        (401, b"<html>", Unauthorized, ("UNAUTHORIZED",), "unauthorized: authentication required"),
        (400, {"details": "no"}, Rejected, ("UNKNOWN",), "unknown: no"),
        (400, told({"code": "OWN", "message": "m"}), Rejected, ("UNKNOWN",), "unknown: m"),
        (
            404,
            told(UNKNOWN, DENIED),
            NotFound,
            ("MANIFEST_UNKNOWN", "DENIED"),
            "errors:\nmanifest unknown: manifest unknown\ndenied\n",
        ),
        (
            404,
            b"<b>no",
            NotFound,
            (),
            "error parsing HTTP 404 response body: invalid character '<' looking for beginning of value: \"<b>no\"",
        ),
        (404, b"", NotFound, (), 'error parsing HTTP 404 response body: unexpected end of JSON input: ""'),
        (
            404,
            {},
            NotFound,
            (),
            'error parsing HTTP 404 response body: no error details found in HTTP response body: "{}"',
        ),
        (503, b"down", ServerFault, (), "received unexpected HTTP status: 503 Service Unavailable"),
        (304, b"", Malformed, (), "received unexpected HTTP status: 304 Not Modified"),
    ],
)
def test_an_answer_without_success_is_told_in_known_words(
    status: int, body: object, kind: type[UpstreamError], codes: tuple[str, ...], text: str
) -> None:
    error = failure(answer(status, body))

    assert (type(error), error.codes, error.text, error.status) == (kind, codes, text, status)


def test_a_challenge_says_what_was_wrong_with_a_token() -> None:
    header = 'Bearer realm="https://a",error="insufficient_scope",error_description="pull is not enough"'

    error = failure(answer(401, told(), headers={"WWW-Authenticate": header}))

    assert error.codes == ("DENIED",)
    assert error.text == "denied: pull is not enough"


@pytest.mark.parametrize(("header", "seconds"), [("30", 30), ("", 0), ("soon", 0), ("-1", 0), ("9" * 400, 0)])
def test_limits_carry_the_seconds_that_the_server_asks_for(header: str, seconds: int) -> None:
    error = failure(answer(429, told({"code": "TOOMANYREQUESTS"}), headers={"Retry-After": header}))

    assert isinstance(error, Limited)
    assert error.retry_after == seconds


def test_the_wait_may_be_given_as_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)

    assert 97 <= answer(503, headers={"Retry-After": later}).retry_after <= 101


def test_a_secret_that_a_server_repeats_is_hidden() -> None:
    error = failure(answer(401, {"details": "secret123 is wrong"}), hide=["secret123"])

    assert error.text == "unauthorized: [hidden] is wrong"


def test_a_long_text_is_cut() -> None:
    assert len(failure(answer(403, {"details": "x" * 100_000})).text) < 5000


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"[" * 200_000, b"\xff"])
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        parsed(body)


def test_an_error_of_the_token_service_is_told_of_the_request() -> None:
    error = failure(answer(503), answered_by="token")

    told_of = error.while_asking('Get "https://r.example/v2/a/tags/list"')

    assert isinstance(told_of, ServerFault)
    assert str(told_of) == told_of.text
    assert told_of.text.startswith('Get "https://r.example/v2/a/tags/list": received unexpected HTTP status: 503')
    assert (told_of.answered_by, told_of.status) == ("token", 503)
