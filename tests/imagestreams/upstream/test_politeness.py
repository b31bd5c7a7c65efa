"""How the client behaves to a registry that wants to be left alone."""

from __future__ import annotations

import json

import pytest

from imagestreams.upstream.client import Limits, UpstreamClient
from imagestreams.upstream.errors import Limited, NotFound
from imagestreams.upstream.values import Credential, Repository
from tests.imagestreams.upstream.test_transport import DIGEST, LOGIN, registry, repository
from tests.registries import Reply, Request


def test_a_registry_that_said_stop_is_asked_no_more_by_anybody() -> None:
    busy = Reply(429, json.dumps({"errors": [{"code": "TOOMANYREQUESTS"}]}), {"Retry-After": "60"})
    with registry({"tags/list": busy, "manifests/v1": Reply(200, "{}")}) as server:
        client = UpstreamClient(limits=Limits(), allow_private=True)
        with pytest.raises(Limited):
            list(client.repository(Repository(server.host, "team/app"), insecure=True).tags())
        before = len(server.requests)

        for asking in (client, client.in_background()):
            with pytest.raises(Limited, match=f"{server.host} allows no more requests for now") as caught:
                asking.repository(Repository(server.host, "team/app"), insecure=True).manifest("v1")
            assert caught.value.retry_after == 60

        assert len(server.requests) == before


def test_the_words_of_a_registry_outlast_the_tries() -> None:
    busy = Reply(429, json.dumps({"errors": [{"code": "TOOMANYREQUESTS", "message": "your quota is used up"}]}))
    with registry({"manifests/v1": busy}) as server:
        with pytest.raises(Limited, match="your quota is used up"):
            repository(server).manifest("v1")

        assert len(server.asked("/v2/team")) == 2


def test_the_schedule_leaves_the_last_pulls_to_people_and_goes_on_checking() -> None:
    quota = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "5;w=21600", "Docker-Content-Digest": DIGEST}
    with registry({"manifests/v1": Reply(200, "{}", quota), "tags/list": Reply(200, "{}")}) as server:
        client = UpstreamClient(limits=Limits(), allow_private=True)
        person, clock = (
            one.repository(Repository(server.host, "team/app"), insecure=True)
            for one in (client, client.in_background())
        )
        person.manifest("v1")

        with pytest.raises(Limited, match="kept for imports on request"):
            clock.manifest("v1")

        assert clock.head("v1") == DIGEST
        assert list(clock.tags()) == []
        person.manifest("v1")


def test_one_payer_does_not_stop_another() -> None:
    def manifest(request: Request) -> Reply:
        is_customer = request.headers.get("authorization") == LOGIN.basic()
        return Reply(200, "{}") if is_customer else Reply(429, "", {"Retry-After": "60"})

    with registry({"manifests/v1": manifest}, basic=True) as server:
        client = UpstreamClient(limits=Limits(), allow_private=True)
        poor = client.repository(Repository(server.host, "a/b"), insecure=True, credentials=[Credential("poor", "x")])
        rich = client.repository(Repository(server.host, "team/app"), insecure=True, credentials=[LOGIN])
        with pytest.raises((Limited, NotFound)):
            poor.manifest("v1")

        assert rich.manifest("v1").body == b"{}"
