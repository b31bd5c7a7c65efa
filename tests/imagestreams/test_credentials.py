import base64
import json
from typing import Any

import pytest

from imagestreams import credentials
from imagestreams.credentials import DOCKERCFG, DOCKERCONFIGJSON, MOST_TRIED, Login, Origin, Why
from imagestreams.reference import PullSpec

Auths = dict[str, Any]


def packed(document: object) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def config_secret(auths: Auths, *, name: str = "", **annotations: str) -> dict[str, Any]:
    return {
        "type": DOCKERCONFIGJSON,
        "metadata": {"name": name, "annotations": annotations},
        "data": {".dockerconfigjson": packed({"auths": auths})},
    }


def excluded(auths: Auths, *, name: str = "") -> dict[str, Any]:
    secret = config_secret(auths, name=name)
    secret["metadata"]["annotations"] = {credentials.EXCLUDED: "true"}
    return secret


def login(name: str) -> dict[str, str]:
    return {"username": name, "password": "secret"}


def users(secret: dict[str, Any], pull_spec: str) -> list[str]:
    return [found.username for found in credentials.keyring([secret]).logins(PullSpec.parse(pull_spec))]


def entry(**fields: str) -> Login:
    """Return the login that the fields of an entry make."""
    ring = credentials.keyring([config_secret({"quay.io": fields})])
    (found,) = ring.logins(PullSpec.parse("quay.io/x/app"))
    return found


def reasons(secret: dict[str, Any], pull_spec: str) -> list[tuple[str, Why]]:
    """Return the keys of a secret that are not tried, and why."""
    skipped = credentials.keyring([secret]).skipped(PullSpec.parse(pull_spec))
    return [(one.origin.key, one.why) for one in skipped]


MATCHES = [
    ("quay.io", "quay.io/x/app", None),
    ("https://quay.io", "quay.io/x/app", None),
    ("http://quay.io/", "quay.io/x/app", None),
    ("https://quay.io/v1/", "quay.io/x/app", None),
    ("https://quay.io/v2/", "quay.io/x/app", None),
    ("https://quay.io/v2/x", "quay.io/x/app", None),
    ("quay.io/x", "quay.io/x/app", None),
    ("quay.io/x/ap", "quay.io/x/app", None),
    ("quay.io/x/app", "quay.io/x/app:v1", None),
    ("quay.io/x/app/", "quay.io/x/app", Why.OTHER_PATH),
    ("quay.io/y", "quay.io/x/app", Why.OTHER_PATH),
    ("quay.io/v2", "quay.io/x/app", Why.OTHER_PATH),
    ("quay.io/X", "quay.io/x/app", Why.OTHER_PATH),
    ("quay.io:443", "quay.io/x/app", Why.OTHER_PORT),
    ("quay.io", "quay.io:443/x/app", Why.OTHER_PORT),
    ("quay.io:5000", "quay.io:443/x/app", Why.OTHER_PORT),
    ("quay.io:443/x", "quay.io:443/x/app", None),
    ("QUAY.io", "quay.io/x/app", Why.OTHER_HOST),
    ("quay.io.example.com", "quay.io/x/app", Why.OTHER_HOST),
    ("xquay.io", "quay.io/x/app", Why.OTHER_HOST),
    ("*.example.com", "eu.example.com/x/app", None),
    ("*.example.com", "example.com/x/app", Why.OTHER_HOST),
    ("*.example.com", "a.eu.example.com/x/app", Why.OTHER_HOST),
    ("*.*.example.com", "a.eu.example.com/x/app", None),
    ("e?.example.com", "eu.example.com/x/app", None),
    ("[a-f]u.example.com", "eu.example.com/x/app", None),
    ("[^e]u.example.com", "eu.example.com/x/app", Why.OTHER_HOST),
    ("[^a]u.example.com", "eu.example.com/x/app", None),
    ("*.example.com:5000", "eu.example.com:5000/x/app", None),
    ("*.example.com:5*", "eu.example.com:5000/x/app", Why.OTHER_PORT),
    ("*", "quay.io/x/app", Why.OTHER_HOST),
    ("*.*", "quay.io/x/app", None),
    ("https://index.docker.io/v1/", "busybox", None),
    ("https://index.docker.io/v1/", "docker.io/x/app", None),
    ("https://index.docker.io/v1/", "index.docker.io/x/app", None),
    ("index.docker.io", "busybox", None),
    ("index.docker.io/library", "busybox", Why.OTHER_HOST),
    ("docker.io", "busybox", None),
    ("docker.io/library", "busybox", None),
    ("docker.io/x", "busybox", Why.OTHER_PATH),
    ("registry-1.docker.io", "busybox", Why.HUB_NAME),
    ("https://hub.docker.com/", "docker.io/x/app", Why.HUB_NAME),
    ("registry-1.docker.io", "quay.io/x/app", Why.OTHER_HOST),
    ("registry-1.docker.io", "registry-1.docker.io/x/app", None),
    ("https://index.docker.io/v1/", "quay.io/x/app", Why.OTHER_HOST),
    ("https://index.docker.io/v1/", "localhost/x/app", Why.OTHER_HOST),
    ("localhost", "localhost/x/app", None),
    ("localhost:5000", "localhost:5000/app", None),
    ("127.0.0.1:5000", "127.0.0.1:5000/app", None),
    ("", "quay.io/x/app", Why.OTHER_HOST),
    ("https://", "quay.io/x/app", Why.OTHER_HOST),
]


@pytest.mark.parametrize(("key", "pull_spec", "why"), MATCHES)
def test_a_key_fits_the_repositories_below_it_or_says_why_not(key: str, pull_spec: str, why: Why | None) -> None:
    secret = config_secret({key: login("robot")})

    assert users(secret, pull_spec) == ([] if why else ["robot"])
    assert reasons(secret, pull_spec) == ([(key, why)] if why else [])


def test_the_longer_path_comes_first() -> None:
    secret = config_secret({"quay.io": login("host"), "quay.io/x": login("path"), "*.io": login("wildcard")})

    assert users(secret, "quay.io/x/app") == ["path", "host", "wildcard"]


def test_names_of_docker_hub_come_before_its_key() -> None:
    secret = config_secret({"https://index.docker.io/v1/": login("key"), "docker.io": login("name")})

    assert users(secret, "busybox") == ["name", "key"]


def test_of_equal_keys_those_of_linked_secrets_come_first() -> None:
    secrets = [
        config_secret({"quay.io": login("a")}, name="a"),
        config_secret({"quay.io": login("b"), "quay.io/x": login("b-path")}, name="b"),
        config_secret({"quay.io": login("c"), "quay.io/x": login("c-path")}, name="c"),
    ]

    found = credentials.keyring(secrets, linked={"c", "missing"}).logins(PullSpec.parse("quay.io/x/app"))

    assert [one.username for one in found] == ["c-path", "b-path", "c", "a", "b"]


@pytest.mark.parametrize(
    ("text", "user", "password"),
    [
        (b"robot:se:cret", "robot", "se:cret"),
        (b"1234567|service-account:ey.x", "1234567|service-account", "ey.x"),
        (b"$oauthtoken:abc", "$oauthtoken", "abc"),
        ("jürgen:grün".encode(), "jürgen", "grün"),
        (b"user:p", "user", "p"),
        (b"user:pa", "user", "pa"),
        (b"user:pas", "user", "pas"),
    ],
)
def test_the_auth_field_wins_over_user_and_password(text: bytes, user: str, password: str) -> None:
    padded = base64.b64encode(text).decode()

    for auth in (padded, padded.rstrip("=")):
        found = entry(auth=auth, username="other", password="other")
        assert (found.username, found.password) == (user, password)


def test_tokens_are_read_as_well() -> None:
    found = entry(auth=base64.b64encode(b"<token>:").decode(), identitytoken="identity", registrytoken="registry")

    assert (found.identity_token, found.registry_token, found.password) == ("identity", "registry", "")


def test_the_old_form_has_no_auths() -> None:
    secret = {"type": DOCKERCFG, "data": {".dockercfg": packed({"quay.io": login("robot")})}}

    assert users(secret, "quay.io/x/app") == ["robot"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({".dockerconfigjson": "!"}, "the pull secret is no JSON"),
        ({".dockerconfigjson": base64.b64encode(b"hunter2").decode()}, "the pull secret is no JSON"),
        ({".dockerconfigjson": packed(["hunter2"])}, "the pull secret is no JSON object"),
        ({".dockerconfigjson": packed({"auths": ["hunter2"]})}, "the pull secret holds no map of registries"),
        ({".dockerconfigjson": base64.b64encode(b"[" * 100_000).decode()}, "the pull secret is no JSON"),
        ({}, "the pull secret is no JSON"),
    ],
)
def test_a_secret_that_cannot_be_read_does_not_stop_the_good_one(data: dict[str, str], words: str) -> None:
    bad = {"type": DOCKERCONFIGJSON, "metadata": {"name": "bad"}, "data": data}
    ring = credentials.keyring([bad, config_secret({"quay.io": login("robot")})])
    spec = PullSpec.parse("quay.io/x/app")

    (skipped,) = ring.skipped(spec)
    assert [found.username for found in ring.logins(spec)] == ["robot"]
    assert (skipped.origin, skipped.why, skipped.detail) == (Origin("bad"), Why.UNREADABLE, words)


@pytest.mark.parametrize(
    ("value", "why", "words"),
    [
        ({"auth": "!!!"}, Why.UNREADABLE, "the auth field is not base64"),
        ({"auth": base64.b64encode(b"hunter2").decode()}, Why.UNREADABLE, "unable to parse auth field"),
        ({"auth": base64.b64encode(b"\xff:\xff").decode()}, Why.UNREADABLE, "the auth field is not base64"),
        ("hunter2", Why.UNREADABLE, "the entry is no JSON object"),
        ({}, Why.EMPTY, ""),
        ({"username": "robot"}, Why.EMPTY, ""),
        ({"email": "robot@example.com"}, Why.EMPTY, ""),
    ],
)
def test_an_entry_that_cannot_be_used_does_not_stop_those_beside_it(value: object, why: Why, words: str) -> None:
    secret = config_secret({"quay.io/x": value, "quay.io": login("robot")}, name="mixed")
    ring = credentials.keyring([secret])
    spec = PullSpec.parse("quay.io/x/app")

    (skipped,) = ring.skipped(spec)
    assert [found.username for found in ring.logins(spec)] == ["robot"]
    assert (skipped.origin, skipped.why) == (Origin("mixed", "quay.io/x"), why)
    assert skipped.detail.startswith(words)
    assert "hunter2" not in skipped.detail


def test_an_excluded_secret_is_not_used() -> None:
    secret = excluded({"quay.io": login("robot"), "ghcr.io": login("robot")})

    assert users(secret, "quay.io/x/app") == []
    assert reasons(secret, "quay.io/x/app") == [("quay.io", Why.EXCLUDED), ("ghcr.io", Why.OTHER_HOST)]
    assert reasons(excluded({"https://index.docker.io/v1/": login("robot")}), "busybox")[0][1] is Why.EXCLUDED


def test_a_secret_of_another_type_is_told_when_it_looks_like_one() -> None:
    secret = {**config_secret({"quay.io": login("robot")}), "type": "Opaque"}

    assert users(secret, "quay.io/x/app") == []
    assert reasons(secret, "quay.io/x/app") == [("", Why.OTHER_TYPE)]
    assert reasons({"type": "Opaque", "data": {"password": "aHVudGVyMg=="}}, "quay.io/x/app") == []


def test_equal_logins_are_tried_once() -> None:
    secrets = [config_secret({"quay.io": login("robot")}, name=name) for name in ("one", "two")]
    ring = credentials.keyring(secrets)
    spec = PullSpec.parse("quay.io/x/app")

    assert [found.origin.secret for found in ring.logins(spec)] == ["one"]
    assert [(one.origin.secret, one.why) for one in ring.skipped(spec)] == [("two", Why.SAME)]


def test_no_more_than_some_credentials_are_tried() -> None:
    auths = {f"quay.io/{'x' * length}": login(f"robot{length}") for length in range(1, MOST_TRIED + 3)}
    ring = credentials.keyring([config_secret(auths)])
    spec = PullSpec.parse(f"quay.io/{'x' * 30}/app")

    assert len(ring.logins(spec)) == MOST_TRIED
    assert [one.why for one in ring.skipped(spec)] == [Why.TOO_MANY] * 2


def test_near_misses_are_told_first() -> None:
    auths = {"ghcr.io": login("a"), "quay.io:443": login("b"), "quay.io/y": login("c"), "quay.io/x": {}}

    found = [why for _, why in reasons(config_secret(auths), "quay.io/x/app")]

    assert found == [Why.OTHER_PATH, Why.OTHER_PORT, Why.EMPTY, Why.OTHER_HOST]


SHARED = json.dumps({"auths": {"quay.io": login("shared")}})


def test_the_shared_credentials_come_last() -> None:
    ring = credentials.keyring([config_secret({"quay.io": login("own")})], fallback=SHARED)

    assert [found.username for found in ring.logins(PullSpec.parse("quay.io/x/app"))] == ["own", "shared"]


def test_the_shared_credentials_may_be_closed_to_a_namespace() -> None:
    ring = credentials.keyring([], fallback=SHARED, closed=True)
    spec = PullSpec.parse("quay.io/x/app")

    assert ring.logins(spec) == []
    assert [(one.origin, one.why) for one in ring.skipped(spec)] == [(Origin(), Why.NOT_HERE)]


def test_a_keyring_says_whether_there_is_anything() -> None:
    assert credentials.keyring([{"type": "Opaque", "data": {}}]).is_empty
    assert not credentials.keyring([excluded({"quay.io": login("robot")})]).is_empty
    assert not credentials.keyring([{"type": DOCKERCFG}]).is_empty


def test_a_login_does_not_show_its_secrets() -> None:
    ring = credentials.keyring([config_secret({"quay.io": {"username": "robot", "password": "hunter2"}})])

    assert "hunter2" not in repr(ring.logins(PullSpec.parse("quay.io/x/app")))
