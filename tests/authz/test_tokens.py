"""Bearer tokens: how they are kept, recognised and taken back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Q

from authz import policy, tokens
from authz.models import Token
from registry_meta.kube import meta
from tests.authz.conftest import Api, bind

NOW = meta.parse_time("2026-01-02T03:04:05Z")
REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def recognised(token: str) -> tokens.Known | None:
    return tokens.recognise(token, counter=policy.freshness().tokens)


@pytest.mark.django_db
def test_only_the_hash_of_a_token_is_kept() -> None:
    token = tokens.issue("ann", now=NOW)

    row = Token.objects.get()
    assert token.startswith("sha256~")
    assert len(token) == len("sha256~") + 43
    assert not [value for value in vars(row).values() if isinstance(value, str) and token[7:] in value]
    assert row.hash == tokens.hash_of(token)


@pytest.mark.django_db
def test_a_token_says_who_it_is() -> None:
    known = recognised(tokens.issue("system:serviceaccount:ns:robot", now=NOW, groups=("a",), uid="u"))

    assert known is not None
    assert known.actor.uid == "u"
    assert known.actor.groups == ("a", "system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated")


@pytest.mark.django_db
@pytest.mark.parametrize("token", ["", "sha256~", "nonsense", "sha256~" + "a" * 43, "sha256~" + "a" * 10_000])
def test_other_texts_are_no_tokens(token: str) -> None:
    assert recognised(token) is None


@pytest.mark.django_db
def test_a_token_ends_when_its_time_is_over() -> None:
    known = recognised(tokens.issue("ann", now=NOW, expires_at=NOW + timedelta(minutes=10)))

    assert known is not None
    assert known.serves((tokens.AUDIENCE,), now=NOW + timedelta(minutes=9))
    assert not known.serves((tokens.AUDIENCE,), now=NOW + timedelta(minutes=10))


@pytest.mark.django_db
def test_a_token_serves_its_audiences_only() -> None:
    known = recognised(tokens.issue("ann", now=NOW, audiences=("elsewhere",)))

    assert known is not None
    assert known.serves(("elsewhere", "x"), now=NOW)
    assert not known.serves((tokens.AUDIENCE,), now=NOW)


def test_a_revoked_token_is_refused_at_the_next_request(admin: Api) -> None:
    other = Api(tokens.issue("ann", now=meta.now()))
    before = other.post(REVIEWS, {})[0]

    revoked = tokens.revoke(Q(username="ann"), now=meta.now())

    assert (before, revoked, other.post(REVIEWS, {})[0]) == (201, 1, 401)


def test_a_late_thread_does_not_remember_for_others() -> None:
    memory = tokens.Memory()
    late = memory.at(5)
    memory.at(6)

    late["hash"] = tokens.Known(tokens.actor_of(Token(username="ann", groups=[])), None, ())

    assert memory.at(6) == {}


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dTpw"])
def test_a_request_without_a_token_is_anonymous(admin: Api, header: str) -> None:
    status, answer = Api().get("/api/v1/namespaces", HTTP_AUTHORIZATION=header)

    assert status == 403
    assert 'User "system:anonymous" cannot list resource "namespaces"' in answer["message"]


def test_a_request_with_a_bad_token_is_refused(admin: Api) -> None:
    assert Api("nonsense").get("/version") == (
        401,
        {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "Unauthorized", "reason": "Unauthorized", "code": 401,
        },
    )  # fmt: skip


def test_the_tokens_of_an_account_end_with_it(admin: Api, team: str) -> None:
    accounts = f"/api/v1/namespaces/{team}/serviceaccounts"
    admin.post(accounts, {"metadata": {"name": "robot"}})
    robot = Api(admin.post(f"{accounts}/robot/token", {"spec": {}})[1]["status"]["token"])
    before = robot.post(REVIEWS, {})[0]

    admin.delete(f"{accounts}/robot")
    admin.post(accounts, {"metadata": {"name": "robot"}})

    assert (before, robot.post(REVIEWS, {})[0]) == (201, 401)


def test_a_token_ends_with_the_secret_to_which_it_is_tied(admin: Api, team: str) -> None:
    admin.post(f"/api/v1/namespaces/{team}/secrets", {"metadata": {"name": "tie"}})
    body = {"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Secret", "name": "tie"}}}
    answer = admin.post(f"/api/v1/namespaces/{team}/serviceaccounts/default/token", body)[1]
    account = Api(answer["status"]["token"])
    before = account.post(REVIEWS, {})[0]

    admin.delete(f"/api/v1/namespaces/{team}/secrets/tie")

    assert (before, account.post(REVIEWS, {})[0]) == (201, 401)


@pytest.mark.django_db(transaction=True)
def test_a_request_costs_one_query_before_it_is_served(admin: Api, django_assert_num_queries: Any) -> None:
    user = Api(tokens.issue("ann", now=meta.now()))
    user.get("/apis/image.openshift.io")

    with django_assert_num_queries(1):
        status, _ = user.get("/apis/image.openshift.io")

    assert status == 200


@pytest.mark.django_db
def test_tokens_that_ended_long_ago_are_dropped() -> None:
    tokens.issue("old", now=NOW, expires_at=NOW)
    tokens.issue("new", now=NOW, expires_at=NOW + timedelta(days=2))
    tokens.issue("revoked", now=NOW)
    tokens.revoke(Q(username="revoked"), now=NOW)

    assert tokens.sweep(NOW + timedelta(days=2)) == 2
    assert [row.username for row in Token.objects.all()] == ["new"]


def test_what_a_token_may_do_ends_with_its_binding(admin: Api, team: str) -> None:
    bind(admin, team, "view", "ann")
    user = Api(tokens.issue("ann", now=meta.now()))
    path = f"/apis/image.openshift.io/v1/namespaces/{team}/imagestreams"
    before = user.get(path)[0]

    admin.delete(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{team}/rolebindings/b")

    assert (before, user.get(path)[0]) == (200, 403)
