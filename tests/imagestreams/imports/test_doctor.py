"""What whoever imports is told of the credentials: which were tried, what registries said, and what to do."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import pytest

from imagestreams import credentials
from imagestreams.configuration import Configuration
from imagestreams.credentials import DOCKERCONFIGJSON, EXCLUDED
from imagestreams.imports import doctor
from imagestreams.imports.sources import Sources
from imagestreams.reference import PullSpec
from imagestreams.upstream.attempts import Attempts
from imagestreams.upstream.client import Limits, UpstreamClient
from imagestreams.upstream.errors import UpstreamError
from imagestreams.upstream.values import Credential, Repository
from tests.imagestreams.upstream.test_attempts import basic, bearer, names, only, refusal
from tests.registries import PASSWORDS, ROBOT, Distribution, Reply, Request, StandIn, token_guarded
from tests.requirements import found

Json = dict[str, Any]
Ask = Callable[..., Json]
WRONG = "correct-horse-battery"


def secret(name: str, auths: Mapping[str, object], *, kind: str = DOCKERCONFIGJSON, excluded: bool = False) -> Json:
    document = base64.b64encode(json.dumps({"auths": auths}).encode()).decode()
    annotations = {EXCLUDED: "true"} if excluded else {}
    return {
        "type": kind,
        "metadata": {"name": name, "annotations": annotations},
        "data": {".dockerconfigjson": document},
    }


def login(name: str, password: str = WRONG) -> Json:
    return {"username": name, "password": password}


@pytest.fixture(scope="module")
def client() -> Iterator[UpstreamClient]:
    made = UpstreamClient(limits=Limits(), allow_private=True)
    yield made
    made.close()


@pytest.fixture
def ask(client: UpstreamClient) -> Ask:
    """What asks for a pull spec with secrets, and returns what is told of it; empty when nothing is."""

    def asked(pull_spec: str, *secrets: Json, dry_run: bool = True, named: bool = True, shared: str = "") -> Json:
        spec = PullSpec.parse(pull_spec)
        ring = credentials.keyring(secrets, fallback=shared)
        sources = Sources(client, ring, cluster=Configuration(0))
        failed = True
        with suppress(UpstreamError):
            sources.repository(spec, insecure=True).manifest(spec.tag or "latest")
            failed = False
        told = doctor.diagnosis(sources.attempts, ring, dry_run=dry_run, failed=failed, names=named)
        if not told:
            return {}
        (annotation,) = told.values()
        (repository,) = json.loads(annotation)["repositories"]
        result: Json = repository
        return result

    return asked


def outcomes(told: Json) -> list[tuple[str, str]]:
    """Return the secrets that were tried, by name or kind, and what came of it."""
    who = [one["credential"] for one in told["tried"]]
    return [(one.get("name", one["kind"]), tried["outcome"]) for one, tried in zip(who, told["tried"], strict=True)]


def skipped(told: Json) -> list[tuple[str, str, str]]:
    return [(one["credential"]["name"], one["credential"].get("key", ""), one["reason"]) for one in told["skipped"]]


def test_an_accepted_credential_is_named(ask: Ask) -> None:
    with basic(only("good")) as registry:
        told = ask(f"{registry.host}/team/app:v1", secret("mine", {registry.host: login("good")}))

        assert told == {
            "repository": f"{registry.host}/team/app",
            "accepted": {"kind": "Secret", "name": "mine", "key": registry.host},
            "tried": [
                {
                    "credential": {"kind": "Secret", "name": "mine", "key": registry.host},
                    "outcome": "Accepted",
                    "wanted": "basic",
                }
            ],
            "advice": "",
        }


def test_a_password_that_the_token_service_refuses_is_told_with_all_that_is_known(ask: Ask) -> None:
    with token_guarded() as host:
        told = ask(f"{host}/private/app:v1", secret("mine", {host: login("mallory")}))

    tried, anonymous = told["tried"]
    assert tried == {
        "credential": {"kind": "Secret", "name": "mine", "key": host},
        "outcome": "Refused",
        "wanted": "bearer",
        "realm": f"http://{host}/token",
        "service": "odd",
        "scope": "repository:private/app:pull",
        "answeredBy": "token service",
        "status": 401,
        "message": f'Get "http://{host}/v2/private/app/manifests/v1": unauthorized: Invalid username or password',
    }
    assert (anonymous["credential"], anonymous["outcome"]) == ({"kind": "Anonymous"}, "Refused")
    assert told["advice"] == (
        f'Renew the key "{host}" of the secret "mine": the token service says that it is wrong or has ended.'
    )
    assert "accepted" not in told


def test_a_good_login_without_the_right_is_told_from_a_wrong_one(ask: Ask) -> None:
    with bearer(names, only("nobody-at-all")) as registry:
        told = ask(f"{registry.host}/team/app:v1", secret("mine", {registry.host: login("good")}))

    assert told["tried"][0]["answeredBy"] == "registry"
    assert told["advice"].endswith("read team/app: its login is good, but it may not read this.")


@pytest.mark.parametrize(
    ("key", "reason", "advice"),
    [
        ("{host}/other", "OtherPath", 'Write {host} in place of the key "{host}/other" of the secret "mine"'),
        ("127.0.0.1", "OtherPort", 'Write {host} in place of the key "127.0.0.1" of the secret "mine"'),
        ("quay.io", "OtherHost", "Make a pull secret in the namespace with the key {host}: none fits."),
    ],
)
def test_a_key_that_does_not_fit_is_told_with_what_would(ask: Ask, key: str, reason: str, advice: str) -> None:
    with basic(only("good")) as registry:
        written = key.format(host=registry.host)
        told = ask(f"{registry.host}/team/app:v1", secret("mine", {written: login("good")}))

        assert skipped(told) == [("mine", written, reason)]
        assert told["advice"].startswith(advice.format(host=registry.host))


def test_secrets_that_cannot_be_used_are_told(ask: Ask) -> None:
    with basic(only("good")) as registry:
        place, auths = f"{registry.host}/team/app:v1", {registry.host: login("good")}

        assert skipped(ask(place, secret("out", auths, excluded=True))) == [("out", registry.host, "Excluded")]
        assert skipped(ask(place, secret("plain", auths, kind="Opaque"))) == [("plain", "", "OtherType")]
        assert skipped(ask(place, secret("helper", {registry.host: {}}))) == [("helper", registry.host, "Empty")]
        told = ask(place, secret("broken", {registry.host: {"auth": "!!!"}}))
        assert told["skipped"][0]["message"] == "it cannot be read: the auth field is not base64"
        assert told["advice"].startswith('Make the secret "broken" anew')


def test_the_second_secret_is_accepted_and_the_first_one_named(ask: Ask) -> None:
    with basic(only("good")) as registry:
        told = ask(
            f"{registry.host}/team/app:v1",
            secret("old", {registry.host: login("left")}),
            secret("young", {registry.host: login("good")}),
        )

        assert outcomes(told) == [("old", "Refused"), ("young", "Accepted")]
        assert told["accepted"]["name"] == "young"
        assert told["advice"] == (
            f'Renew or remove the key "{registry.host}" of the secret "old": the repository opens without it.'
        )


def test_a_hidden_repository_is_told(ask: Ask) -> None:
    with basic(only("good", 404, "NAME_UNKNOWN")) as registry:
        told = ask(f"{registry.host}/team/app:v1", secret("mine", {registry.host: login("other")}))

    assert outcomes(told) == [("mine", "NotFound")]
    assert "the account may read team/app" in told["advice"]


def test_an_open_registry_needs_none(ask: Ask) -> None:
    with StandIn(lambda request: Reply(200, "{}")) as registry:
        told = ask(f"{registry.host}/team/app:v1", secret("mine", {registry.host: login("good")}))

    assert outcomes(told) == [("mine", "NotNeeded")]
    assert "accepted" not in told


def test_a_registry_that_breaks_says_nothing_of_credentials(ask: Ask) -> None:
    with StandIn(lambda request: Reply(404)) as registry:
        told = ask(f"{registry.host}/team/app:v1", secret("mine", {registry.host: login("good")}))

    assert outcomes(told) == [("mine", "NotAsked")]
    assert told["advice"].endswith("it gave no answer that says anything of credentials.")


def test_there_is_nothing_to_tell_of_what_went_well_or_has_nothing_to_do_with_credentials(ask: Ask) -> None:
    with StandIn(lambda request: Reply(200, "{}")) as registry:
        assert ask(f"{registry.host}/team/app:v1") == {}
    with StandIn(lambda request: Reply(200) if request.path == "/v2/" else Reply(404)) as registry:
        assert ask(f"{registry.host}/team/app:v1") == {}
    with basic(only("good")) as registry:
        mine = secret("mine", {registry.host: login("good")})
        assert ask(f"{registry.host}/team/app:v1", mine, dry_run=False) == {}


def test_the_server_s_own_secret_is_not_shown(ask: Ask) -> None:
    with basic(only("good")) as registry:
        auths = {registry.host: login("good"), "secret-registry.example.com": login("hidden")}
        told = ask(f"{registry.host}/team/app:v1", shared=json.dumps({"auths": auths}))

    assert told["accepted"] == {"kind": "Server"}
    assert "secret-registry" not in json.dumps(told)


def test_names_are_for_those_who_may_read_the_secrets(ask: Ask) -> None:
    with basic(only("good")) as registry:
        told = ask(
            f"{registry.host}/team/app:v1",
            secret("mine-alone", {f"{registry.host}/team": login("left"), "private.example.com": login("x")}),
            secret("out-of-use", {registry.host: login("good")}, excluded=True),
            named=False,
        )

    assert told["tried"][0]["credential"] == {"kind": "Secret"}
    assert [(one["reason"], one["count"]) for one in told["skipped"]] == [("Excluded", 1), ("OtherHost", 1)]
    assert not {"mine-alone", "out-of-use", "private.example.com"} & set(json.dumps(told).split('"'))
    assert "mine-alone" not in json.dumps(told)


def test_what_a_registry_repeats_is_hidden(ask: Ask) -> None:
    def talkative(name: str, request: Request) -> Reply:
        given = request.headers["authorization"]
        return refusal_with(f"{name} gave {WRONG} in {given}\n, not {base64.b64encode(WRONG.encode()).decode()}")

    def refusal_with(text: str) -> Reply:
        return Reply(401, json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": text}]}))

    with basic(talkative) as registry:
        told = ask(f"{registry.host}/team/app:v1", secret("mine", {registry.host: login("mallory")}))

    text = json.dumps(told)
    assert "[hidden] gave [hidden] in Basic [hidden]" in text
    for hidden in (WRONG, "mallory", base64.b64encode(WRONG.encode()).decode(), "\\n"):
        assert hidden not in text


def test_long_lists_are_cut_and_counted(ask: Ask) -> None:
    with basic(lambda name, request: refusal(401, "UNAUTHORIZED")) as registry:
        auths = {f"host{number}.example.com": login("x") for number in range(50)}
        told = ask(f"{registry.host}/team/app:v1", secret("mine", auths))

    assert (len(told["skipped"]), told["skippedLeftOut"]) == (20, 30)


def test_what_is_told_has_a_limit(client: UpstreamClient) -> None:
    attempts = Attempts()
    with basic(lambda name, request: refusal_of_length(1000)) as registry:
        for number in range(12):
            made = [Credential(f"user{one}", f"{WRONG}{one}") for one in range(18)]
            place = Repository(registry.host, f"team/app{number}")
            with suppress(UpstreamError):
                client.repository(place, credentials=made, insecure=True, attempts=attempts).manifest("v1")
    (annotation,) = doctor.diagnosis(attempts, credentials.keyring([]), dry_run=False, failed=True, names=True).values()

    told = json.loads(annotation)
    assert 1 < len(told["repositories"]) < 12
    assert len(told["repositories"]) + told["repositoriesLeftOut"] == 12
    assert len(annotation.encode()) < 130 * 1024


def refusal_of_length(length: int) -> Reply:
    return Reply(401, json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "ä" * length}]}))


def test_a_credential_that_is_kept_nowhere_is_not_taken_for_none(client: UpstreamClient) -> None:
    attempts = Attempts()
    with basic(only("good")) as registry:
        place, made = Repository(registry.host, "team/app"), Credential("left", WRONG)
        with suppress(UpstreamError):
            client.repository(place, credentials=[made, None], insecure=True, attempts=attempts).manifest("v1")
    (annotation,) = doctor.diagnosis(attempts, credentials.keyring([]), dry_run=False, failed=True, names=True).values()

    (told,) = json.loads(annotation)["repositories"]
    assert outcomes(told) == [("Minted", "Refused"), ("Anonymous", "Refused")]
    assert told["advice"].startswith("Renew the credential that is made for this registry")


def test_docker_hub_is_named_as_people_name_it() -> None:
    ring = credentials.keyring([secret("hub", {"hub.docker.com": login("x")})])
    spec = PullSpec.parse("busybox")
    host, path = spec.host_and_path()

    again = doctor.spec_of(Repository(host, path))

    assert (again.registry, again.namespace, again.name) == ("docker.io", "library", "busybox")
    assert [one.why.value for one in ring.skipped(again)] == ["NotTheKeyOfDockerHub"]


def test_a_real_registry_with_passwords_is_diagnosed(ask: Ask) -> None:
    if not found("docker-registry"):
        pytest.skip("docker-registry is not installed")
    with Distribution().start(htpasswd=PASSWORDS) as registry:
        registry.push("team/app", "v1", seed="doctor")
        place = f"{registry.host}/team/app:v1"
        wrong = ask(place, secret("mine", {registry.host: login(ROBOT[0])}))
        right = ask(place, secret("mine", {registry.host: login(*ROBOT)}))

    assert outcomes(wrong) == [("mine", "Refused"), ("Anonymous", "Refused")]
    assert wrong["tried"][0]["status"] == 401
    assert wrong["advice"].startswith("Renew the key")
    assert outcomes(right) == [("mine", "Accepted")]
