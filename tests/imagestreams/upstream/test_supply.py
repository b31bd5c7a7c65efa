"""Credentials that are made when they are needed, and made once more when they are refused."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from imagestreams.upstream.client import Limits
from imagestreams.upstream.errors import Denied, Unauthorized, Unreachable, UpstreamError
from imagestreams.upstream.guard import Guard
from imagestreams.upstream.transport import Call, Transport
from imagestreams.upstream.values import Credential, Deadline
from tests.imagestreams.upstream.conftest import Connect
from tests.registries import Reply, Request, StandIn


@dataclass(eq=False)
class Passwords:
    """Gives passwords one after the other, or fails; remembers what it was asked."""

    given: list[str]
    failure: UpstreamError | None = None
    asked: list[str] = field(default_factory=list)
    origin: object = "passwords"
    is_identity: bool = False

    def credential(self, *, deadline: Deadline) -> Credential:
        self.asked.append("credential")
        if self.failure:
            raise self.failure
        return self._credential()

    def renewed(self, refused: Credential, *, deadline: Deadline) -> Credential | None:
        self.asked.append(f"instead of {refused.password or refused.identity_token}")
        self.given.pop(0)
        return self._credential() if self.given else None

    def _credential(self) -> Credential:
        return Credential(identity_token=self.given[0]) if self.is_identity else Credential("robot", self.given[0])


class Guarded(StandIn):
    """A registry that takes one password; another one is refused as told."""

    def __init__(self, password: str, refusal: Reply) -> None:
        super().__init__(self._serve)
        self._wanted = Credential("robot", password).basic()
        self._refusal = refusal

    def _serve(self, request: Request) -> Reply:
        given = request.headers.get("authorization")
        if given == self._wanted:
            return Reply(200, '{"tags": ["v1"]}')
        return self._refusal if given else Reply(401, "", {"WWW-Authenticate": 'Basic realm="r"'})


def refuses(status: int, code: str, words: str) -> Reply:
    body = f'{{"errors": [{{"code": "{code}", "message": "{words}"}}]}}'
    return Reply(status, body, {"WWW-Authenticate": 'Basic realm="r"'})


NOT_THIS = refuses(401, "UNAUTHORIZED", "not this one")
HAS_ENDED = refuses(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
NOT_HERE = refuses(403, "DENIED", "not in this repository")


def test_nothing_is_made_before_the_registry_is_asked(connect: Connect) -> None:
    passwords = Passwords(["good"])
    with Guarded("good", NOT_THIS) as registry:
        repository = connect(f"{registry.host}/app", passwords)
        assert passwords.asked == []

        assert list(repository.tags()) == ["v1"]
        assert passwords.asked == ["credential"]


@pytest.mark.parametrize("refusal", [NOT_THIS, HAS_ENDED])
def test_what_was_made_and_refused_is_made_once_more(connect: Connect, refusal: Reply) -> None:
    passwords = Passwords(["old", "good"])
    with Guarded("good", refusal) as registry:
        assert list(connect(f"{registry.host}/app", passwords).tags()) == ["v1"]

    assert passwords.asked == ["credential", "instead of old"]


def test_a_refresh_token_that_has_ended_is_made_once_more(connect: Connect) -> None:
    def answer(request: Request) -> Reply:
        if request.path == "/token":
            ended = Reply(400, '{"error": "invalid_grant"}')
            return Reply(200, '{"token": "t"}') if b"refresh_token=good" in request.body else ended
        if request.headers.get("authorization") == "Bearer t":
            return Reply(200, '{"tags": ["v1"]}')
        challenge = f'Bearer realm="http://{request.headers["host"]}/token",service="s"'
        return Reply(401, "", {"WWW-Authenticate": challenge})

    tokens = Passwords(["old", "good"], is_identity=True)
    with StandIn(answer) as registry:
        assert list(connect(f"{registry.host}/app", tokens).tags()) == ["v1"]

    assert tokens.asked == ["credential", "instead of old"]


def test_a_second_refusal_is_the_answer(connect: Connect) -> None:
    passwords = Passwords(["old", "bad", "worse"])
    with Guarded("good", NOT_THIS) as registry, pytest.raises(Unauthorized, match="not this one"):
        list(connect(f"{registry.host}/app", passwords).tags())

    assert passwords.asked == ["credential", "instead of old"]


def test_a_right_that_lacks_is_not_made_anew(connect: Connect) -> None:
    passwords = Passwords(["old", "good"])
    with Guarded("good", NOT_HERE) as registry, pytest.raises(Denied):
        list(connect(f"{registry.host}/app", passwords).tags())

    assert passwords.asked == ["credential"]


def test_the_next_credential_is_tried_where_none_could_be_made(connect: Connect) -> None:
    nobody = Passwords([], Unauthorized("nobody is known by this key"))
    with Guarded("good", NOT_THIS) as registry:
        assert list(connect(f"{registry.host}/app", nobody, Credential("robot", "good")).tags()) == ["v1"]
        with pytest.raises(Unauthorized, match="nobody is known"):
            list(connect(f"{registry.host}/app", nobody, None).tags())


def test_a_service_that_is_away_is_not_taken_for_a_refusal(connect: Connect) -> None:
    away = Passwords([], Unreachable("the service is away"))
    with Guarded("good", NOT_THIS) as registry, pytest.raises(Unreachable):
        list(connect(f"{registry.host}/app", away, None).tags())


def test_a_service_that_is_away_is_not_needed_where_another_credential_does(connect: Connect) -> None:
    away = Passwords([], Unreachable("the service is away"))
    with Guarded("good", NOT_THIS) as registry:
        assert list(connect(f"{registry.host}/app", away, Credential("robot", "good"), None).tags()) == ["v1"]


def test_a_body_is_sent_as_it_is_and_follows_no_redirect() -> None:
    def answer(request: Request) -> Reply:
        return Reply(307, "", {"Location": "/elsewhere"}) if request.path == "/moved" else Reply(200, request.body)

    transport = Transport(limits=Limits(), guard=Guard(anything=True), ca_bundle=None, user_agent="t")
    with StandIn(answer) as server:
        calls = [Call("POST", server.base + path, Deadline(5), 1000, body=b"a=b&c") for path in ("/here", "/moved")]
        answers = [transport.send(call) for call in calls]

        assert [(one.status, one.body) for one in answers] == [(200, b"a=b&c"), (307, b"")]
        assert server.asked() == ["POST /here", "POST /moved"]
    transport.close()


def test_proxies_are_left_out_where_the_way_is_direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with StandIn(lambda request: Reply(200, b"here")) as server:
        call = Call("GET", server.base, Deadline(5), 1000)
        direct = Transport(limits=Limits(), guard=Guard(anything=True), ca_bundle=None, user_agent="t", direct=True)
        other = Transport(limits=Limits(), guard=Guard(anything=True), ca_bundle=None, user_agent="t")

        assert direct.send(call).body == b"here"
        with pytest.raises(Unreachable):
            other.send(call)
        direct.close()
        other.close()
