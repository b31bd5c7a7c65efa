"""Pages of tags that are read while they come."""

from __future__ import annotations

import json
from collections.abc import Generator

import pytest

from imagestreams.upstream.client import Limits
from imagestreams.upstream.errors import Malformed
from tests.imagestreams.upstream.test_transport import registry, repository
from tests.registries import Reply


def test_a_page_that_breaks_off_is_read_anew() -> None:
    body = json.dumps({"tags": [f"v{number}" for number in range(20_000)]})
    whole = {"Content-Length": str(len(body))}
    replies = [Reply(200, body[:100_000], {**whole, "Connection": "close"}), Reply(200, body, whole)]
    with registry({"tags/list": lambda request: replies.pop(0)}) as server:
        found = list(repository(server).tags())

    assert len(found) > 20_000
    assert len(set(found)) == 20_000


def test_a_repository_with_more_tags_than_allowed_is_malformed() -> None:
    page = Reply(200, json.dumps({"tags": ["a", "b", "c"]}), {"Link": "<list?page=2>"})
    with registry({"tags/list": page}) as server, pytest.raises(Malformed, match="more than 5 tags"):
        list(repository(server, limits=Limits(tags=5)).tags())


def test_whoever_reads_only_the_first_tags_gives_the_place_back() -> None:
    body = json.dumps({"tags": [f"v{number}" for number in range(100_000)]})
    with registry({"tags/list": Reply(200, body), "manifests/v1": Reply(200, "{}")}) as server:
        one = repository(server, limits=Limits(per_host=1))
        tags = one.tags()
        assert isinstance(tags, Generator)
        assert next(tags) == "v0"
        tags.close()

        assert one.manifest("v1").body == b"{}"
