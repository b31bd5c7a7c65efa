"""How the client behaves to a registry that wants to be left alone."""

from __future__ import annotations

import json

import pytest

from imagestreams.upstream.client import Limits, UpstreamClient
from imagestreams.upstream.errors import Limited, NotFound
from imagestreams.upstream.values import Credential, Repository
from tests.imagestreams.upstream.test_transport import DIGEST, LOGIN, registry, repository
from tests.registries import Reply, Request, StandIn


def test_a_registry_that_said_stop_is_asked_no_more_by_anybody() -> None:
    busy = Reply(429, json.dumps({"errors": [{"code": "TOOMANYREQUESTS", "message": "later"}]}), {"Retry-After": "60"})
    with registry({"tags/list": busy, "manifests/v1": Reply(200, "{}")}) as server:
        client = UpstreamClient(limits=Limits(), allow_private=True)
        with pytest.raises(Limited):
            list(client.repository(Repository(server.host, "team/app"), insecure=True).tags())
        before = len(server.requests)

        for asking in (client, client.in_background()):
            with pytest.raises(Limited, match=r"^toomanyrequests: later$") as caught:
                asking.repository(Repository(server.host, "team/app"), insecure=True).manifest("v1")
            assert caught.value.retry_after == 60

        assert len(server.requests) == before


def test_the_words_of_a_registry_outlast_the_tries() -> None:
    busy = Reply(429, json.dumps({"errors": [{"code": "TOOMANYREQUESTS", "message": "your quota is used up"}]}))
    with registry({"manifests/v1": busy}) as server:
        with pytest.raises(Limited, match="your quota is used up"):
            repository(server).manifest("v1")

        assert len(server.asked("/v2/team")) == 2


def limited(message: str) -> Reply:
    return Reply(429, json.dumps({"details": message}), {"Retry-After": "60"})


def said(client: UpstreamClient, place: Repository, credential: Credential | None = None) -> str:
    asking = client.repository(place, insecure=True, credentials=[credential] if credential else [])
    with pytest.raises(Limited) as caught:
        asking.manifest("v1")
    return caught.value.text


def test_a_head_that_is_limited_is_told_in_words_of_others_or_of_ours() -> None:
    with registry({"manifests/v1": Reply(429, "", {"Retry-After": "60"})}) as server:
        client = UpstreamClient(limits=Limits(), allow_private=True)
        with pytest.raises(Limited, match=f"^toomanyrequests: {server.host} allows no more requests for now$") as first:
            client.repository(Repository(server.host, "team/app"), insecure=True).head("v1")

        assert first.value.status == 429
        assert said(client, Repository(server.host, "team/app")) == first.value.text


def test_a_head_that_is_limited_after_a_pull_is_told_in_the_words_of_that() -> None:
    short = Reply(429, json.dumps({"details": "your quota is used up"}), {"Retry-After": "1"})
    with registry({"manifests/v1": short}) as server:
        client = UpstreamClient(limits=Limits(), allow_private=True)
        asking = client.repository(Repository(server.host, "team/app"), insecure=True)
        with pytest.raises(Limited):
            asking.manifest("v1")

        with pytest.raises(Limited, match=r"^toomanyrequests: your quota is used up$"):
            asking.head("v1")


def test_what_names_a_repository_or_a_secret_is_not_told_to_others() -> None:
    named = {"/v2/private/a/manifests/v1": limited("no more of /v2/private/a")}
    with registry(named) as server:
        client = UpstreamClient(limits=Limits(), allow_private=True)

        words = [said(client, Repository(server.host, path)) for path in ("private/a", "public/b")]

        assert words[0].endswith("no more of /v2/private/a")
        assert words[1] == f"toomanyrequests: {server.host} allows no more requests for now"


def test_a_secret_that_a_registry_echoes_is_in_no_words() -> None:
    def manifest(request: Request) -> Reply:
        return limited(f"no more for {request.headers.get('authorization')} alias {LOGIN.password}")

    with registry({"manifests/v1": manifest}, basic=True) as server:
        client = UpstreamClient(limits=Limits(), allow_private=True)

        words = [said(client, Repository(server.host, path), LOGIN) for path in ("team/app", "team/other")]

        assert words[0] == words[1]
        assert "[hidden]" in words[1]
        assert LOGIN.password not in words[1]
        assert LOGIN.basic().partition(" ")[2] not in words[1]


def test_a_ping_that_is_limited_is_told_the_same_when_it_is_not_repeated() -> None:
    with StandIn(lambda request: Reply(429, "", {"Retry-After": "60"})) as server:
        client = UpstreamClient(limits=Limits(), allow_private=True)

        words = [said(client, Repository(server.host, "team/app")) for _ in range(2)]

        assert words[0] == words[1]
        assert words[0].endswith("does not support v2 API (got 429 Too Many Requests)")
        assert len(server.requests) == 1


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
