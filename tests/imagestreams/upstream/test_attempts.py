"""Several credentials at one registry: which of them are shown, how often, and what is known afterwards."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from imagestreams.upstream.attempts import Attempts, Verdict
from imagestreams.upstream.client import RepositoryClient, UpstreamClient
from imagestreams.upstream.errors import Denied, NotFound, Rejected, Unauthorized
from imagestreams.upstream.values import Credential, Repository
from tests.imagestreams.upstream.conftest import Connect
from tests.registries import ROBOT, Distribution, Reply, Request, StandIn

GOOD = Credential("good", "password")
WRONG = Credential("wrong", "password")
OTHER = Credential("other", "password")
MANIFEST = json.dumps({"schemaVersion": 2})
Opened = Callable[..., RepositoryClient]


def user(request: Request) -> str:
    """Return who a request says that it is from."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    return base64.b64decode(rest).decode().partition(":")[0] if scheme == "Basic" else rest


def refusal(status: int, code: str) -> Reply:
    return Reply(status, json.dumps({"errors": [{"code": code, "message": f"no: {code}"}]}))


def basic(answers: Callable[[str, Request], Reply]) -> StandIn:
    """Return a registry that wants a password, and answers by user name."""

    def answer(request: Request) -> Reply:
        if not user(request):
            return Reply(401, headers={"WWW-Authenticate": 'Basic realm="here"'})
        return Reply(200, "{}") if request.path == "/v2/" else answers(user(request), request)

    return StandIn(answer)


def bearer(tokens: Callable[[str, Request], Reply], answers: Callable[[str, Request], Reply]) -> StandIn:
    """Return a registry that wants a token; the token that everybody gets at `/token` is his name."""

    def answer(request: Request) -> Reply:
        if request.path == "/token":
            return tokens(user(request), request)
        if not request.headers.get("authorization"):
            realm = f'Bearer realm="http://{request.headers["host"]}/token",service="here"'
            return Reply(401, headers={"WWW-Authenticate": realm})
        return Reply(200, "{}") if request.path == "/v2/" else answers(user(request), request)

    return StandIn(answer)


def names(name: str, request: Request) -> Reply:
    return Reply(200, json.dumps({"token": name or "nobody", "expires_in": 300}))


def only(accepted: str, status: int = 401, code: str = "UNAUTHORIZED") -> Callable[[str, Request], Reply]:
    """Return what answers one user, and refuses all others."""
    return lambda name, request: Reply(200, MANIFEST) if name == accepted else refusal(status, code)


@pytest.fixture
def opened(client: UpstreamClient) -> Opened:
    """What opens `host/path` for one import, which `attempts` stands for."""

    def connected(place: str, *credentials: Credential | None, attempts: Attempts) -> RepositoryClient:
        host, _, path = place.partition("/")
        return client.repository(Repository(host, path), credentials=credentials, insecure=True, attempts=attempts)

    return connected


def shown(registry: StandIn, name: str) -> int:
    """Return how often a user was named to a registry."""
    return sum(user(request) == name for request in registry.requests)


@pytest.mark.parametrize("status", [401, 403])
def test_what_the_registry_refuses_gives_way_to_the_next(connect: Connect, status: int) -> None:
    with basic(only("good", status, "DENIED")) as registry:
        assert connect(f"{registry.host}/a", WRONG, GOOD).manifest("v1")


@pytest.mark.parametrize("status", [400, 401, 403])
def test_what_the_token_service_refuses_gives_way_to_the_next(connect: Connect, status: int) -> None:
    def tokens(name: str, request: Request) -> Reply:
        return names(name, request) if name == "good" else Reply(status, '{"error": "invalid_grant"}')

    with bearer(tokens, only("good")) as registry:
        assert connect(f"{registry.host}/a", WRONG, GOOD).manifest("v1")
        assert connect(f"{registry.host}/a", Credential(identity_token="ended"), GOOD).manifest("v1")


def test_the_error_is_that_of_the_first(connect: Connect) -> None:
    def answers(name: str, request: Request) -> Reply:
        return refusal(403 if name == "wrong" else 401, "DENIED" if name == "wrong" else "UNAUTHORIZED")

    with basic(answers) as registry:
        with pytest.raises(Denied):
            connect(f"{registry.host}/a", WRONG, OTHER, None).manifest("v1")
        with pytest.raises(Unauthorized):
            connect(f"{registry.host}/a", OTHER, WRONG, None).manifest("v1")


def test_a_repository_that_is_hidden_from_one_may_be_shown_to_another(connect: Connect) -> None:
    with basic(only("good", 404, "NAME_UNKNOWN")) as registry:
        assert connect(f"{registry.host}/a", WRONG, GOOD, None).manifest("v1")


def test_what_is_hidden_from_all_is_not_there(connect: Connect) -> None:
    def answers(name: str, request: Request) -> Reply:
        return refusal(404, "NAME_UNKNOWN") if name == "good" else refusal(401, "UNAUTHORIZED")

    with basic(answers) as registry, pytest.raises(NotFound):
        connect(f"{registry.host}/a", WRONG, GOOD, None).manifest("v1")


def test_a_tag_that_is_missing_is_asked_for_once(connect: Connect) -> None:
    with basic(lambda name, request: refusal(404, "MANIFEST_UNKNOWN")) as registry:
        with pytest.raises(NotFound):
            connect(f"{registry.host}/a", OTHER, GOOD, None).manifest("v1")

        assert len(registry.asked("/v2/a")) == 1


def test_many_tags_do_not_repeat_what_was_refused(opened: Opened) -> None:
    attempts = Attempts()
    with basic(only("good")) as registry:

        def fetch(number: int) -> bytes:
            return opened(f"{registry.host}/a", WRONG, GOOD, None, attempts=attempts).manifest(f"v{number}").body

        with ThreadPoolExecutor(8) as pool:
            assert len(list(pool.map(fetch, range(24)))) == 24

        assert (shown(registry, "wrong"), shown(registry, "good")) == (1, 24)


def test_a_wrong_password_is_shown_to_the_token_service_once(opened: Opened) -> None:
    attempts = Attempts()

    def tokens(name: str, request: Request) -> Reply:
        return refusal(401, "UNAUTHORIZED") if name == "wrong" else names(name, request)

    with bearer(tokens, only("")) as registry:

        def fetch(number: int) -> str:
            with pytest.raises(Unauthorized) as caught:
                opened(f"{registry.host}/a", WRONG, None, attempts=attempts).manifest(f"v{number}")
            return caught.value.text

        with ThreadPoolExecutor(8) as pool:
            texts = list(pool.map(fetch, range(16)))

        assert shown(registry, "wrong") == 1
        assert all(f'/manifests/v{number}": ' in text for number, text in enumerate(texts))


def test_another_import_asks_again(opened: Opened) -> None:
    accepted = {"late": False}

    def answers(name: str, request: Request) -> Reply:
        return Reply(200, MANIFEST) if accepted["late"] else refusal(401, "UNAUTHORIZED")

    with basic(answers) as registry:
        with pytest.raises(Unauthorized):
            opened(f"{registry.host}/a", GOOD, attempts=Attempts()).manifest("v1")
        accepted["late"] = True

        assert opened(f"{registry.host}/a", GOOD, attempts=Attempts()).manifest("v1")


def test_who_asks_for_no_import_is_answered_anew_each_time(connect: Connect) -> None:
    accepted = {"late": False}

    def answers(name: str, request: Request) -> Reply:
        return Reply(200, MANIFEST) if accepted["late"] else refusal(401, "UNAUTHORIZED")

    with basic(answers) as registry:
        repository = connect(f"{registry.host}/a", GOOD)
        with pytest.raises(Unauthorized):
            repository.manifest("v1")
        accepted["late"] = True

        assert repository.manifest("v1")


def test_one_denied_image_says_nothing_of_the_others(opened: Opened) -> None:
    attempts = Attempts()

    def answers(name: str, request: Request) -> Reply:
        return refusal(403, "DENIED") if request.path.endswith("/quarantined") else Reply(200, MANIFEST)

    with basic(answers) as registry:
        with pytest.raises(Denied):
            opened(f"{registry.host}/a", GOOD, attempts=attempts).manifest("quarantined")

        assert opened(f"{registry.host}/a", GOOD, attempts=attempts).manifest("v1")


def test_a_right_for_tags_and_one_for_manifests_are_two(opened: Opened) -> None:
    attempts = Attempts()

    def answers(name: str, request: Request) -> Reply:
        return refusal(401, "UNAUTHORIZED") if "/tags/" in request.path else Reply(200, MANIFEST)

    with basic(answers) as registry:
        with pytest.raises(Unauthorized):
            list(opened(f"{registry.host}/a", GOOD, attempts=attempts).tags())

        assert opened(f"{registry.host}/a", GOOD, attempts=attempts).manifest("v1")


def test_a_kept_token_without_the_right_is_renewed_once(connect: Connect) -> None:
    given = iter(["few-rights", "all-rights", "too-many"])
    allowed = {"few-rights", "all-rights"}

    def answers(token: str, request: Request) -> Reply:
        return Reply(200, MANIFEST) if token in allowed else refusal(403, "DENIED")

    with bearer(lambda name, request: Reply(200, json.dumps({"token": next(given)})), answers) as registry:
        connect(f"{registry.host}/a", GOOD).manifest("v1")
        allowed.remove("few-rights")
        connect(f"{registry.host}/a", GOOD).manifest("v1")

        assert len(registry.asked("/token")) == 2


def test_the_scope_of_a_challenge_is_asked_for_as_well(connect: Connect) -> None:
    def tokens(name: str, request: Request) -> Reply:
        return Reply(200, json.dumps({"token": f"token-{len(request.query['scope'])}"}))

    def answers(token: str, request: Request) -> Reply:
        if token != f"token-{len('repository:a:metadata_read')}":
            host = request.headers["host"]
            scope = "repository:a:metadata_read"
            challenge = f'Bearer realm="http://{host}/token",service="here",scope="{scope}"'
            return Reply(401, headers={"WWW-Authenticate": challenge})
        return Reply(200, '{"tags": ["v1"]}')

    with bearer(tokens, answers) as registry:
        repository = connect(f"{registry.host}/a")

        assert list(repository.tags()) == list(repository.tags()) == ["v1"]
        assert len(registry.asked("/token")) == 2


def test_what_was_tried_can_be_told(opened: Opened) -> None:
    attempts = Attempts()
    with bearer(names, only("good")) as registry:
        opened(f"{registry.host}/a", WRONG, GOOD, None, attempts=attempts).manifest("v1")

        refused, accepted = attempts.all()
    assert (refused.credential, refused.verdict, refused.is_sent) == (WRONG, Verdict.REFUSED, True)
    assert (accepted.credential, accepted.verdict, accepted.is_sent) == (GOOD, Verdict.ACCEPTED, True)
    assert refused.challenge is not None
    assert refused.challenge["service"] == "here"
    assert refused.scope == "repository:a:pull"


def test_an_open_registry_is_shown_nothing(opened: Opened) -> None:
    attempts = Attempts()
    with StandIn(lambda request: Reply(200, MANIFEST)) as registry:
        opened(f"{registry.host}/a", GOOD, attempts=attempts).manifest("v1")

        (attempt,) = attempts.all()
    assert (attempt.verdict, attempt.is_sent, attempt.challenge) == (Verdict.ACCEPTED, False, None)


def test_what_breaks_is_no_verdict(opened: Opened) -> None:
    attempts = Attempts()
    with StandIn(lambda request: Reply(404)) as registry, pytest.raises(Exception, match="does not support v2 API"):
        opened(f"{registry.host}/a", GOOD, attempts=attempts).manifest("v1")

    assert [attempt.verdict for attempt in attempts.all()] == [Verdict.FAILED]


def test_other_refusals_of_the_registry_end_the_walk(connect: Connect) -> None:
    with basic(lambda name, request: refusal(412, "UNSUPPORTED")) as registry:
        with pytest.raises(Rejected):
            connect(f"{registry.host}/a", OTHER, GOOD).manifest("v1")

        assert shown(registry, "good") == 0


def test_a_real_registry_takes_the_second_password(opened: Opened, closed_registry: Distribution) -> None:
    digest = closed_registry.push("attempts/app", "v1", seed="attempts")
    attempts = Attempts()
    repository = opened(f"{closed_registry.host}/attempts/app", WRONG, Credential(*ROBOT), None, attempts=attempts)

    assert repository.manifest("v1").digest == digest
    assert [(one.verdict, one.error.status if one.error else None) for one in attempts.all()] == [
        (Verdict.REFUSED, 401),
        (Verdict.ACCEPTED, None),
    ]


def test_a_head_that_is_refused_asks_for_other_credentials_as_a_get_does(opened: Opened) -> None:
    has_ended: list[bool] = []

    def answers(name: str, request: Request) -> Reply:
        if not has_ended:
            kind = "application/vnd.oci.image.manifest.v1+json"
            return Reply(200, json.dumps({"schemaVersion": 2, "mediaType": kind}), {"Content-Type": kind})
        challenge = f'Bearer realm="http://{request.headers["host"]}/token",service="here",error="insufficient_scope"'
        body = "" if request.method == "HEAD" else json.dumps({"errors": [{"code": "UNAUTHORIZED"}]})
        return Reply(401, body, {"WWW-Authenticate": challenge})

    with bearer(lambda name, request: Reply(200, json.dumps({"token": "some-token"})), answers) as registry:
        opened(f"{registry.host}/a", None, attempts=Attempts()).manifest("v1")
        has_ended.append(True)

        with pytest.raises(Unauthorized) as after_head:
            opened(f"{registry.host}/a", None, attempts=Attempts()).manifest("v1")
        with pytest.raises(Unauthorized) as of_get:
            opened(f"{registry.host}/a", None, attempts=Attempts()).manifest("v2")

        assert any(request.method == "HEAD" for request in registry.requests)
        assert "UNAUTHORIZED" in after_head.value.codes
        assert "UNAUTHORIZED" in of_get.value.codes
