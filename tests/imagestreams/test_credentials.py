import base64
import json
from typing import Any

import pytest

from imagestreams import credentials
from imagestreams.credentials import DOCKERCFG, DOCKERCONFIGJSON, BadSecret
from imagestreams.reference import PullSpec


def packed(document: object) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def config_secret(auths: dict[str, dict[str, str]]) -> dict[str, Any]:
    return {"type": DOCKERCONFIGJSON, "data": {".dockerconfigjson": packed({"auths": auths})}}


def login(name: str) -> dict[str, str]:
    return {"username": name, "password": "secret"}


def users(secret: dict[str, Any], pull_spec: str) -> list[str]:
    return [found.username for found in credentials.keyring([secret]).logins(PullSpec.parse(pull_spec))]


@pytest.mark.parametrize(
    ("key", "pull_spec", "fits"),
    [
        ("quay.io", "quay.io/x/app", True),
        ("https://quay.io/v2/", "quay.io/x/app", True),
        ("quay.io/x", "quay.io/x/app", True),
        ("quay.io/y", "quay.io/x/app", False),
        ("quay.io:443", "quay.io/x/app", False),
        ("*.example.com", "eu.example.com/x/app", True),
        ("*.example.com", "example.com/x/app", False),
        ("https://index.docker.io/v1/", "busybox", True),
        ("docker.io", "busybox", True),
        ("https://index.docker.io/v1/", "quay.io/x/app", False),
        ("localhost:5000", "localhost:5000/app", True),
    ],
)
def test_a_key_fits_the_repositories_below_it(key: str, pull_spec: str, fits: bool) -> None:
    assert (users(config_secret({key: login("robot")}), pull_spec) == ["robot"]) is fits


def test_the_longer_path_comes_first() -> None:
    secret = config_secret({"quay.io": login("host"), "quay.io/x": login("path"), "*.io": login("wildcard")})

    assert users(secret, "quay.io/x/app") == ["path", "host", "wildcard"]


def test_the_auth_field_wins_over_user_and_password() -> None:
    auth = base64.b64encode(b"robot:se:cret").decode()
    secret = config_secret({"quay.io": {"auth": auth, "username": "other"}})

    found = credentials.keyring([secret]).logins(PullSpec.parse("quay.io/x/app"))

    assert [(entry.username, entry.password) for entry in found] == [("robot", "se:cret")]


def test_the_old_form_has_no_auths() -> None:
    secret = {"type": DOCKERCFG, "data": {".dockercfg": packed({"quay.io": login("robot")})}}

    assert users(secret, "quay.io/x/app") == ["robot"]


def test_a_secret_that_cannot_be_read_is_refused_without_its_content() -> None:
    secret = {"type": DOCKERCONFIGJSON, "data": {".dockerconfigjson": base64.b64encode(b"hunter2").decode()}}

    with pytest.raises(BadSecret) as caught:
        credentials.entries_of(secret)

    assert "hunter2" not in str(caught.value)


def test_a_bad_secret_does_not_stop_the_good_one() -> None:
    bad = {"type": DOCKERCONFIGJSON, "data": {".dockerconfigjson": "!"}}
    good = config_secret({"quay.io": login("robot")})

    found = credentials.keyring([bad, good]).logins(PullSpec.parse("quay.io/x/app"))

    assert [entry.username for entry in found] == ["robot"]


def test_the_shared_credentials_come_last() -> None:
    shared = json.dumps({"auths": {"quay.io": login("shared")}})
    ring = credentials.keyring([config_secret({"quay.io": login("own")})], fallback=shared)

    assert [entry.username for entry in ring.logins(PullSpec.parse("quay.io/x/app"))] == ["own", "shared"]


def test_a_login_does_not_show_its_secrets() -> None:
    ring = credentials.keyring([config_secret({"quay.io": {"username": "robot", "password": "hunter2"}})])

    assert "hunter2" not in repr(ring.logins(PullSpec.parse("quay.io/x/app")))
