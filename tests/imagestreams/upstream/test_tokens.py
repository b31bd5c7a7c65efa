"""Token services: who gets a token, how long it is kept, and to whom it is never shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest

from imagestreams.upstream.errors import Denied, Malformed, Unauthorized, UpstreamError
from imagestreams.upstream.values import Credential
from tests.imagestreams.upstream.conftest import Connect
from tests.registries import ROBOT, Reply, Request, StandIn

ROBOT_LOGIN = Credential(*ROBOT)
MALLORY = Credential("mallory", "wrong-password")
HUB = Credential("hub", "wrong-password")

Service = Callable[[Request], Reply]


class Guarded(StandIn):
    """A registry with one tag, whose tokens come from `/token` as a function says; `valid` are those it accepts."""

    def __init__(self, service: Service, *, challenge: str = "", ping: bool = True) -> None:
        super().__init__(self._serve)
        self._service = service
        self._challenge = challenge
        self._ping = ping
        self.valid = {"good"}

    def _serve(self, request: Request) -> Reply:
        if request.path == "/token":
            return self._service(request)
        if request.path == "/v2/" and not self._ping:
            return Reply(200, "{}")
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.valid:
            challenge = self._challenge or f'Bearer realm="{self.base}/token?kept=1",service="s",scope="registry:other"'
            body = json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]})
            return Reply(401, body, {"WWW-Authenticate": challenge})
        return Reply(200, json.dumps({"tags": ["v1"]}))

    def tokens(self) -> list[Request]:
        return [request for request in self.requests if request.path == "/token"]


def gives(**fields: object) -> Service:
    return lambda request: Reply(200, json.dumps(fields))


def test_anyone_may_read_what_is_public(connect: Connect, token_host: str) -> None:
    assert list(connect(f"{token_host}/public/app").tags()) == ["latest", "v1"]


def test_a_private_repository_opens_to_the_right_credential(connect: Connect, token_host: str) -> None:
    assert connect(f"{token_host}/private/app", ROBOT_LOGIN).head("v1")
    assert connect(f"{token_host}/private/team/app", MALLORY, HUB, ROBOT_LOGIN).head("v1")


def test_a_token_without_rights_is_refused_by_the_registry(connect: Connect, token_host: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        connect(f"{token_host}/private/app").manifest("v1")

    assert (caught.value.status, caught.value.codes, caught.value.answered_by) == (401, ("UNAUTHORIZED",), "registry")


def test_a_wrong_password_is_refused_by_the_token_service(connect: Connect, token_host: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        connect(f"{token_host}/private/app", MALLORY, HUB).manifest("v1")

    url = f"http://{token_host}/v2/private/app/manifests/v1"
    assert caught.value.text == f'Get "{url}": unauthorized: Invalid username or password'
    assert caught.value.answered_by == "token"


def test_docker_hub_has_words_of_its_own_for_a_wrong_password(connect: Connect, token_host: str) -> None:
    with pytest.raises(Unauthorized, match=r": incorrect username or password$"):
        connect(f"{token_host}/public/app", HUB).manifest("v1")


def test_without_a_credential_is_tried_where_the_list_says_so(connect: Connect, token_host: str) -> None:
    assert connect(f"{token_host}/public/app", HUB, None).head("v1")


def test_the_service_is_asked_for_the_repository_alone(connect: Connect) -> None:
    with Guarded(gives(token="good")) as registry:
        list(connect(f"{registry.host}/team/app", Credential("a|b", "pass")).tags())

        (request,) = registry.tokens()
        expected = {"kept": "1", "service": "s", "scope": "repository:team/app:pull", "account": "a|b"}
        assert request.query == expected
        assert request.headers["authorization"] == Credential("a|b", "pass").basic()


def test_a_token_is_kept_for_its_credential_and_scope(connect: Connect) -> None:
    with Guarded(gives(token="good", expires_in=300)) as registry:
        for place in ("team/app", "team/app", "team/other"):
            list(connect(f"{registry.host}/{place}").tags())
        list(connect(f"{registry.host}/team/app", ROBOT_LOGIN).tags())

        assert [(request.query["scope"], request.query.get("account")) for request in registry.tokens()] == [
            ("repository:team/app:pull", None),
            ("repository:team/other:pull", None),
            ("repository:team/app:pull", "robot"),
        ]


def test_many_threads_fetch_one_token(connect: Connect) -> None:
    with Guarded(gives(access_token="good", token="bad")) as registry:
        repositories = [connect(f"{registry.host}/team/app") for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda one: list(one.tags()), repositories)) == [["v1"]] * 8

        assert len(registry.tokens()) == 1
        assert registry.asked("/v2/").count("GET /v2/") <= 1


def test_an_old_token_is_not_kept(connect: Connect) -> None:
    issued = (datetime.now(UTC) - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    with Guarded(gives(token="good", expires_in=60, issued_at=issued)) as registry:
        for _ in range(2):
            list(connect(f"{registry.host}/team/app").tags())

        assert len(registry.tokens()) == 2


def test_a_token_that_was_withdrawn_is_replaced(connect: Connect) -> None:
    given = ["first", "second"]
    with Guarded(lambda request: Reply(200, json.dumps({"token": given.pop(0)}))) as registry:
        registry.valid = {"first"}
        list(connect(f"{registry.host}/team/app").tags())
        registry.valid = {"second"}

        assert list(connect(f"{registry.host}/team/app").tags()) == ["v1"]


def test_a_registry_that_asks_only_at_the_repository_gets_a_token(connect: Connect) -> None:
    with Guarded(gives(token="good"), ping=False) as registry:
        repository = connect(f"{registry.host}/team/app")

        assert list(repository.tags()) == list(repository.tags()) == ["v1"]
        assert registry.asked("/v2/team").count("GET /v2/team/app/tags/list") == 3


def test_an_identity_token_is_exchanged(connect: Connect) -> None:
    with Guarded(gives(access_token="good")) as registry:
        list(connect(f"{registry.host}/team/app", Credential(identity_token="who-i-am")).tags())

        (request,) = registry.tokens()
        form = dict(parse_qsl(request.body.decode()))
        assert request.method == "POST"
        assert form == {
            "grant_type": "refresh_token",
            "service": "s",
            "client_id": "registry-meta",
            "scope": "repository:team/app:pull",
            "refresh_token": "who-i-am",
        }


def test_a_service_without_that_flow_is_asked_with_the_password(connect: Connect) -> None:
    def old(request: Request) -> Reply:
        return Reply(404) if request.method == "POST" else Reply(200, json.dumps({"token": "good"}))

    with Guarded(old) as registry:
        list(connect(f"{registry.host}/team/app", Credential("robot", "pass", "who-i-am")).tags())

        assert [request.method for request in registry.tokens()] == ["POST", "GET"]


def test_a_registry_token_is_sent_as_it_is(connect: Connect) -> None:
    with Guarded(gives()) as registry:
        list(connect(f"{registry.host}/team/app", Credential(registry_token="good")).tags())

        assert registry.tokens() == []


@pytest.mark.parametrize(
    ("reply", "kind", "text"),
    [
        (Reply(200, "{}"), Malformed, "authorization server did not include a token in the response"),
        (Reply(200, "<html>"), Malformed, "unable to decode token response: invalid character '<'"),
        (Reply(200, '{"token": "a\\nb"}'), Malformed, "the token has characters"),
        (Reply(403, '{"details": "no entry"}'), Denied, "denied: no entry"),
        (Reply(401, '{"details": "not secret123"}'), Unauthorized, r"unauthorized: not \[hidden\]"),
    ],
)
def test_a_failing_service_is_told_with_the_request_that_needed_it(
    connect: Connect, reply: Reply, kind: type[UpstreamError], text: str
) -> None:
    with Guarded(lambda request: reply) as registry:
        with pytest.raises(kind, match=text) as caught:
            list(connect(f"{registry.host}/team/app", ROBOT_LOGIN).tags())

        assert caught.value.text.startswith(f'Get "{registry.base}/v2/team/app/tags/list": ')
        assert caught.value.answered_by == "token"


@pytest.mark.parametrize(
    ("challenge", "text"),
    [
        ('Bearer service="s"', "no realm specified for token auth challenge"),
        ('Bearer realm="ftp://a/token"', "invalid token auth challenge realm"),
        ('Bearer realm="http://[::1/token"', "malformed"),
    ],
)
def test_a_challenge_that_leads_nowhere_is_malformed(connect: Connect, challenge: str, text: str) -> None:
    with Guarded(gives(token="good"), challenge=challenge) as registry, pytest.raises(Malformed, match=text):
        list(connect(f"{registry.host}/team/app").tags())
