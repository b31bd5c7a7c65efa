"""Clients at `/oauth/token`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.http import HttpResponse

from authz.clients import CHALLENGING, COMMAND
from authz.models import AuthorizationCode
from authz.oauth import codes, pkce
from registry_meta.kube import meta
from tests.authz.conftest import Api
from tests.authz.oauth.conftest import IMPLICIT, MYSELF, NAME, VERIFIER, Program, basic

CHALLENGE = {"code_challenge": pkce.transformed(VERIFIER), "code_challenge_method": "S256"}


def body(answer: HttpResponse) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(answer.content)
    return found


def test_a_code_gives_a_token_that_lives_a_day(program: Program) -> None:
    answer = program.redeem(program.code(**CHALLENGE), code_verifier=VERIFIER)

    given = body(answer)
    token = given.pop("access_token")
    assert given == {"token_type": "Bearer", "expires_in": 86_400, "scope": "user:full"}
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    status, user = Api(token).get(MYSELF)
    assert (status, user["metadata"]["name"], user["identities"]) == (200, NAME, [f"local:{NAME}"])


def test_the_client_may_be_named_in_the_form(program: Program) -> None:
    assert program.redeem(program.code(), authorization="", client_id=CHALLENGING).status_code == 200


def test_a_code_that_comes_twice_takes_back_what_it_gave(program: Program) -> None:
    code = program.code()
    token = body(program.redeem(code))["access_token"]
    assert Api(token).get(MYSELF)[0] == 200

    again = program.redeem(code)

    assert (again.status_code, body(again)["error"]) == (400, "invalid_grant")
    assert Api(token).get(MYSELF)[0] == 401
    assert body(program.redeem(code))["error"] == "invalid_grant"


def test_who_lacks_the_proof_takes_nothing_back(program: Program) -> None:
    code = program.code(**CHALLENGE)
    token = body(program.redeem(code, code_verifier=VERIFIER))["access_token"]

    assert program.redeem(code, code_verifier="x" * 43).status_code == 400

    assert Api(token).get(MYSELF)[0] == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": ""}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "unsupported_grant_type"),
        ({"code": ""}, "invalid_request"),
        ({"redirect_uri": ""}, "invalid_request"),
        ({"code": "x" * 43}, "invalid_grant"),
        ({"code": "x" * 1000}, "invalid_grant"),
        ({"redirect_uri": IMPLICIT + "/"}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"code_verifier": "x" * 43}, "invalid_grant"),
    ],
)
def test_what_does_not_fit_the_code_gives_nothing(program: Program, form: dict[str, str], error: str) -> None:
    code = program.code(**CHALLENGE)

    answer = program.redeem(form.pop("code", code), **{"code_verifier": VERIFIER, **form})

    assert (answer.status_code, body(answer)["error"]) == (400, error)
    assert program.redeem(code, code_verifier=VERIFIER).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    ["", basic("stranger", ""), basic(CHALLENGING, "secret"), basic("a\0b", ""), "Basic ####", "Bearer x"],
)
def test_a_client_that_is_not_known_is_refused(program: Program, authorization: str) -> None:
    answer = program.redeem("x", authorization=authorization)

    assert (answer.status_code, body(answer)["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="openshift"'


def test_a_code_of_another_client_gives_nothing(program: Program) -> None:
    assert body(program.redeem(program.code(), authorization=basic(COMMAND, "")))["error"] == "invalid_grant"


def test_a_client_names_itself_in_one_way(program: Program) -> None:
    assert program.redeem(program.code(), client_id=COMMAND).status_code == 401
    assert program.redeem(program.code(), client_secret="x").status_code == 401


def test_a_code_ends_after_five_minutes(program: Program) -> None:
    code = program.code()
    AuthorizationCode.objects.update(expires_at=meta.now() - timedelta(seconds=1))

    assert body(program.redeem(code))["error"] == "invalid_grant"
    assert timedelta(minutes=5) == codes.LIFETIME


def test_codes_are_kept_until_nobody_can_misuse_them(program: Program) -> None:
    program.redeem(program.code())
    program.code()

    codes.sweep(meta.now() + timedelta(minutes=6))
    assert AuthorizationCode.objects.filter(used_at=None).count() == 0
    assert AuthorizationCode.objects.count() == 1
    codes.sweep(meta.now() + timedelta(days=1, minutes=1))
    assert not AuthorizationCode.objects.exists()


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        ("{}", "application/json", 415),
        ("a=" + "x" * 40_000, "application/x-www-form-urlencoded", 413),
        ("&".join(["a"] * 2000), "application/x-www-form-urlencoded", 400),
        ("code=1&code=2", "application/x-www-form-urlencoded", 400),
        ("--x", "multipart/form-data; boundary=x", 415),
    ],
)
def test_other_bodies_are_refused(program: Program, data: str, kind: str, status: int) -> None:
    answer = program.client.post("/oauth/token", data, content_type=kind, secure=True)

    assert answer.status_code == status


def test_only_post_is_served(program: Program) -> None:
    answer = program.client.get("/oauth/token", secure=True)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_a_code_of_somebody_who_is_gone_gives_nothing(program: Program, admin: Api) -> None:
    code = program.code()
    admin.delete(f"/apis/user.openshift.io/v1/users/{NAME}")

    assert body(program.redeem(code))["error"] == "invalid_grant"
