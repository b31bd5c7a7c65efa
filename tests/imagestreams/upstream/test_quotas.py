from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
from urllib3 import HTTPHeaderDict

from imagestreams.upstream.answers import Answer
from imagestreams.upstream.budget import News
from imagestreams.upstream.quotas import news


def answer(status: int, headers: Mapping[str, str]) -> Answer:
    return Answer("https://r.example/v2/a/manifests/b", status, "", HTTPHeaderDict(headers), b"")


@pytest.mark.parametrize(
    ("headers", "quota"),
    [
        ({"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "20;w=21600"}, (100, 20, 21600)),
        ({"RateLimit-Limit": "100, 100;w=60", "RateLimit-Remaining": "3", "RateLimit-Reset": "7"}, (100, 3, 7)),
        ({"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "0"}, (10, 0, None)),
        ({"RateLimit": "limit=100, remaining=5, reset=30"}, (100, 5, 30)),
        ({"RateLimit": '"default";r=50;t=30', "RateLimit-Policy": '"default";q=100;w=60'}, (100, 50, 30)),
    ],
)
def test_a_quota_is_read_in_any_spelling(headers: Mapping[str, str], quota: tuple[int, int, float | None]) -> None:
    found = news(answer(200, headers), counted=True)

    assert found == News(None, False, *quota)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ratelimit-limit": ";w=21600", "ratelimit-remaining": ";w=21600"},
        {"ratelimit-limit": "many", "ratelimit-remaining": "-1"},
        {"ratelimit-remaining": "9" * 40, "ratelimit-limit": "1"},
        {"RateLimit": "r"},
    ],
)
def test_what_is_no_quota_is_no_news(headers: Mapping[str, str]) -> None:
    assert news(answer(200, headers), counted=True) is None


def test_a_reset_may_be_a_moment() -> None:
    headers = {"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "1", "X-RateLimit-Reset": str(int(time.time()) + 60)}

    found = news(answer(200, headers), counted=True)

    assert found is not None
    assert found.reset == pytest.approx(60, abs=2)


USED_UP = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "0;w=21600"}


@pytest.mark.parametrize(
    ("status", "headers", "counted", "stop", "pulls_only"),
    [
        (429, {}, True, 0, False),
        (429, {"Retry-After": "7"}, True, 7, False),
        (429, USED_UP, True, 900, True),
        (429, USED_UP, False, 900, False),
        (429, {**USED_UP, "Retry-After": "60"}, True, 60, True),
        (503, {"Retry-After": "5"}, True, 5, False),
    ],
)
def test_a_registry_says_how_long_it_wants_no_requests(
    status: int, headers: Mapping[str, str], counted: bool, stop: float, pulls_only: bool
) -> None:
    found = news(answer(status, headers), counted=counted)

    assert found is not None
    assert (found.stop, found.pulls_only) == (stop, pulls_only)


@pytest.mark.parametrize("status", [200, 404, 500, 503])
def test_other_answers_stop_nobody(status: int) -> None:
    assert news(answer(status, {}), counted=True) is None
