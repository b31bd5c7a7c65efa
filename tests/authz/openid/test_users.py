"""Whom the claims of a verified token stand for, and which of them nobody may stand for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from authz.openid.configuration import JWTAuthenticator
from authz.openid.users import Refused, user

ISSUER = "https://id.example.com"
CLAIMS: dict[str, Any] = {"aud": "meta", "sub": "7", "email": "ann@example.com", "groups": ["a", "b"]}


def entry(**mappings: object) -> JWTAuthenticator:
    found = {
        "issuer": {"url": ISSUER, "audiences": ["meta", "other"]},
        "claimMappings": {"username": {"claim": "sub"}, **mappings},
    }
    return msgspec.convert(found, JWTAuthenticator)


def test_a_user_is_named_by_issuer_and_claim() -> None:
    found = user(CLAIMS, entry())

    assert (found.username, found.groups, found.uid) == (f"{ISSUER}#7", ("system:authenticated",), "")


def test_groups_and_uid_come_from_their_claims() -> None:
    found = user(CLAIMS, entry(groups={"claim": "groups", "prefix": "corp:"}, uid={"claim": "sub"}))

    assert (found.groups, found.uid) == (("corp:a", "corp:b", "system:authenticated"), "7")


def test_one_group_may_be_a_text() -> None:
    found = user({**CLAIMS, "groups": "a"}, entry(groups={"claim": "groups"}))

    assert found.groups == ("a", "system:authenticated")


@pytest.mark.parametrize("audience", ["other", ["x", "meta"]])
def test_one_audience_is_enough(audience: object) -> None:
    assert user({**CLAIMS, "aud": audience}, entry())


BARE = {"claim": "sub", "prefix": ""}


@pytest.mark.parametrize(
    ("changed", "mappings"),
    [
        ({"aud": "elsewhere"}, {}),
        ({"aud": None}, {}),
        ({"aud": ["meta", 7]}, {}),
        ({"sub": None}, {}),
        ({"sub": ""}, {"username": BARE}),
        ({"sub": 7}, {}),
        ({"sub": "system:admin"}, {"username": BARE}),
        ({"sub": "admin"}, {"username": {"claim": "sub", "prefix": "system:"}}),
        ({"sub": "x\ny"}, {}),
        ({"sub": "x" * 600}, {}),
        ({"groups": ["a", "system:masters"]}, {"groups": {"claim": "groups"}}),
        ({"groups": "system:masters"}, {"groups": {"claim": "groups"}}),
        ({"groups": ["masters"]}, {"groups": {"claim": "groups", "prefix": "system:"}}),
        ({"groups": ["a", 7]}, {"groups": {"claim": "groups"}}),
        ({"groups": {"a": "b"}}, {"groups": {"claim": "groups"}}),
        ({"groups": [""]}, {"groups": {"claim": "groups"}}),
        ({"groups": [str(number) for number in range(501)]}, {"groups": {"claim": "groups"}}),
        ({"email_verified": False}, {"username": {"claim": "email"}}),
        ({"email_verified": "yes"}, {"username": {"claim": "email"}}),
        ({}, {"uid": {"claim": "oid"}}),
    ],
    ids=str,
)
def test_what_nobody_may_stand_for_is_refused(changed: dict[str, object], mappings: dict[str, object]) -> None:
    with pytest.raises(Refused):
        user({**CLAIMS, **changed}, entry(**mappings))


@pytest.mark.parametrize("value", ["example.org", None, ["example.com"], True])
def test_a_required_value_must_be_there(value: object) -> None:
    found = {**msgspec.to_builtins(entry()), "claimValidationRules": [{"claim": "hd", "requiredValue": "example.com"}]}
    ruled = msgspec.convert(found, JWTAuthenticator)

    assert user({**CLAIMS, "hd": "example.com"}, ruled)
    with pytest.raises(Refused):
        user({**CLAIMS, "hd": value}, ruled)


def test_an_empty_list_of_groups_is_none() -> None:
    assert user({**CLAIMS, "groups": []}, entry(groups={"claim": "groups"})).groups == ("system:authenticated",)
