"""Access tokens: objects that hold a hash, and the people whom they let in."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from authz import accesstokens, policy, scopes
from registry_meta.kube import meta
from registry_meta.kube.models import Change, Object
from tests.authz.conftest import Api, bind

TOKENS = "/apis/oauth.openshift.io/v1/oauthaccesstokens"
USERS = "/apis/user.openshift.io/v1/users"
GROUPS = "/apis/user.openshift.io/v1/groups"
REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
CLIENT = "openshift-challenging-client"


@pytest.fixture
def uid(admin: Api) -> str:
    """The uid of the user ann."""
    status, user = admin.post(USERS, {"metadata": {"name": "ann"}})
    assert status == 201
    return str(user["metadata"]["uid"])


def log_in(uid: str, *limits: str, expires_in: int = 86400, ago: timedelta = timedelta(0)) -> str:
    return accesstokens.issue(
        "ann", uid=uid, client=CLIENT, scopes=limits or ("user:full",), expires_in=expires_in,
        redirect_uri="https://127.0.0.1/oauth/token/implicit", now=meta.now() - ago,
    )  # fmt: skip


def who(token: str) -> tuple[int, Any]:
    status, answer = Api(token).post(REVIEWS, {})
    return status, answer["status"]["userInfo"] if status == 201 else answer


def test_a_token_is_kept_as_its_hash_alone(uid: str) -> None:
    token = log_in(uid)
    secret = token.removeprefix("sha256~")

    digest = base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()).decode().rstrip("=")
    rows = Object.objects.filter(resource="oauthaccesstokens.oauth.openshift.io")
    assert [row.name for row in rows] == [f"sha256~{digest}"]
    assert len(secret) == 43
    assert not Object.objects.filter(document__contains=secret).exists()
    assert not Change.objects.filter(document__contains=secret).exists()


def test_a_token_makes_its_bearer_the_user(uid: str) -> None:
    status, user = who(log_in(uid, "user:info"))

    assert status == 201
    assert user == {
        "username": "ann",
        "uid": uid,
        "groups": ["system:authenticated:oauth", "system:authenticated"],
        "extra": {scopes.EXTRA: ["user:info"]},
    }


def test_groups_count_at_the_next_request(admin: Api, uid: str) -> None:
    token = log_in(uid)
    before = who(token)[1]["groups"]
    admin.post(GROUPS, {"metadata": {"name": "team"}, "users": ["bob", "ann"]})
    inside = who(token)[1]["groups"]
    admin.patch(f"{GROUPS}/team", {"users": ["bob"]})

    assert before == who(token)[1]["groups"] == ["system:authenticated:oauth", "system:authenticated"]
    assert inside == ["team", *before]


def test_a_group_gives_its_members_what_it_is_bound_to(admin: Api, team: str, uid: str) -> None:
    ann = Api(log_in(uid))
    admin.post(GROUPS, {"metadata": {"name": "developers"}, "users": ["ann"]})
    body = {
        "metadata": {"name": "b"},
        "roleRef": {"kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "Group", "name": "developers"}],
    }
    path = "/apis/image.openshift.io/v1/namespaces/team/imagestreams"
    before, _ = ann.get(path)
    admin.post("/apis/rbac.authorization.k8s.io/v1/namespaces/team/rolebindings", body)

    assert (before, ann.get(path)[0]) == (403, 200)
    admin.delete(f"{GROUPS}/developers")
    assert ann.get(path)[0] == 403


def test_nobody_whom_another_acts_for_is_in_groups_of_his_own(admin: Api, uid: str) -> None:
    admin.post(GROUPS, {"metadata": {"name": "team"}, "users": ["ann"]})

    _, answer = admin.acting_for("ann").post(REVIEWS, {})

    assert answer["status"]["userInfo"]["groups"] == ["system:authenticated"]


def test_a_deleted_token_ends_at_the_next_request(admin: Api, uid: str) -> None:
    token = log_in(uid)
    before, _ = who(token)
    admin.delete(f"{TOKENS}/{accesstokens.name_of(token)}")

    assert (before, who(token)[0]) == (201, 401)


def test_a_token_ends_with_its_user_and_stays_ended(admin: Api, uid: str) -> None:
    token = log_in(uid)
    before, _ = who(token)
    admin.delete(f"{USERS}/ann")
    gone, _ = who(token)
    admin.post(USERS, {"metadata": {"name": "ann"}})

    assert (before, gone, who(token)[0]) == (201, 401, 401)


def test_a_user_who_is_going_is_let_in_no_more(admin: Api, uid: str) -> None:
    token = log_in(uid)
    admin.patch(f"{USERS}/ann", {"metadata": {"finalizers": ["example.com/kept"]}})
    before, _ = who(token)
    admin.delete(f"{USERS}/ann")

    assert (before, who(token)[0]) == (201, 401)


def test_a_token_ends_with_its_time(uid: str) -> None:
    assert who(log_in(uid, expires_in=60, ago=timedelta(seconds=50)))[0] == 201
    assert who(log_in(uid, expires_in=60, ago=timedelta(seconds=61)))[0] == 401
    assert who(log_in(uid, expires_in=0, ago=timedelta(days=999)))[0] == 201


@pytest.mark.parametrize("token", ["sha256~", "sha256~" + "a" * 43, "sha256~" + "a" * 5000])
def test_other_texts_are_no_tokens(admin: Api, token: str) -> None:
    assert Api(token).post(REVIEWS, {})[0] == 401


def test_the_hash_of_a_token_is_no_token(uid: str) -> None:
    assert who(accesstokens.name_of(log_in(uid)))[0] == 401


def test_a_token_review_says_whose_it_is(admin: Api, uid: str) -> None:
    admin.post(GROUPS, {"metadata": {"name": "team"}, "users": ["ann"]})

    _, answer = admin.post(TOKEN_REVIEWS, {"spec": {"token": log_in(uid)}})

    assert answer["status"]["user"]["username"] == "ann"
    assert answer["status"]["user"]["groups"][0] == "team"
    assert answer["status"]["audiences"] == [settings.ENVIRONMENT.server_url]


def test_a_token_holds_its_bearer_to_its_scopes(admin: Api, team: str, uid: str) -> None:
    bind(admin, team, "admin", "ann")
    streams, secrets = (
        "/apis/image.openshift.io/v1/namespaces/team/imagestreams",
        "/api/v1/namespaces/team/secrets",
    )

    asked = {
        limit: tuple(Api(log_in(uid, limit)).get(path)[0] for path in (streams, secrets, f"{USERS}/~"))
        for limit in ("user:full", "user:info", "role:admin:team", "role:admin:team:!", "role:admin:other")
    }

    assert asked == {
        "user:full": (200, 200, 200),
        "user:info": (403, 403, 200),
        "role:admin:team": (200, 403, 403),
        "role:admin:team:!": (200, 200, 403),
        "role:admin:other": (403, 403, 403),
    }


@pytest.mark.django_db(transaction=True)
def test_a_token_that_is_known_costs_no_statement_but_the_look_at_the_marks(admin: Api, uid: str) -> None:
    token = log_in(uid)
    who(token)

    with CaptureQueriesContext(connection) as queries:
        who(token)

    assert ["kube_counter" in query["sql"] for query in queries.captured_queries] == [True]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"metadata": {"name": "short"}}, "metadata.name"),
        ({"metadata": {"name": "x" * 50}}, "metadata.name"),
        ({"clientName": ""}, "clientName"),
        ({"userName": "system:admin"}, "userName"),
        ({"userUID": ""}, "userUID"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["user:nonsense"]}, "scopes[0]"),
        ({"redirectURI": ""}, "redirectURI"),
        ({"redirectURI": "https://a/../b"}, "redirectURI"),
        ({"redirectURI": "https://a/#b"}, "redirectURI"),
        ({"expiresIn": -1}, "expiresIn"),
        ({"inactivityTimeoutSeconds": -1}, "inactivityTimeoutSeconds"),
    ],
)
def test_a_token_says_all_that_it_must(admin: Api, change: dict[str, object], field: str) -> None:
    body = {
        "metadata": {"name": "sha256~" + "a" * 43},
        "clientName": CLIENT,
        "userName": "ann",
        "userUID": "u",
        "scopes": ["user:full"],
        "redirectURI": "https://127.0.0.1/",
    }

    status, answer = admin.post(TOKENS, {**body, **change})

    assert status == 422
    assert field in {cause["field"] for cause in answer["details"]["causes"]}


def test_a_token_does_not_change(admin: Api, uid: str) -> None:
    path = f"{TOKENS}/{accesstokens.name_of(log_in(uid, 'user:info'))}"

    status, answer = admin.patch(path, {"scopes": ["user:full"], "userName": "root"})
    labelled, _ = admin.patch(path, {"metadata": {"labels": {"a": "b"}}})

    assert (status, labelled) == (422, 200)
    assert [cause["field"] for cause in answer["details"]["causes"]] == ["scopes", "userName"]


def test_a_table_of_tokens_shows_what_oc_shows(admin: Api, uid: str) -> None:
    token = log_in(uid, "user:info", "user:check-access", ago=timedelta(hours=12))
    forever = log_in(uid, expires_in=0)

    _, table = admin.get(TOKENS, HTTP_ACCEPT="application/json;as=Table;v=v1;g=meta.k8s.io")

    assert [column["name"] for column in table["columnDefinitions"]] == [
        "Name", "User Name", "Client Name", "Created", "Expires", "Redirect URI", "Scopes",
    ]  # fmt: skip
    rows = {row["cells"][0]: row["cells"][1:] for row in table["rows"]}
    shown = rows[accesstokens.name_of(token)]
    assert shown[:3] == ["ann", CLIENT, "12h"]
    assert shown[3].endswith(" +0000 UTC")
    assert shown[4:] == ["https://127.0.0.1/oauth/token/implicit", "user:info,user:check-access"]
    assert rows[accesstokens.name_of(forever)][3] == "never"


@pytest.fixture
def idling(admin: Api) -> str:
    """A client whose tokens may go unused for ten minutes."""
    body = {"metadata": {"name": "idling"}, "grantMethod": "auto", "accessTokenInactivityTimeoutSeconds": 600}
    assert admin.post("/apis/oauth.openshift.io/v1/oauthclients", body)[0] == 201
    return "idling"


def log_in_idling(uid: str, *, minutes: float, expires_in: int = 86400) -> str:
    return accesstokens.issue(
        "ann", uid=uid, client="idling", scopes=["user:full"], expires_in=expires_in,
        redirect_uri="https://127.0.0.1/", now=meta.now() - timedelta(minutes=minutes),
    )  # fmt: skip


def idle_seconds(admin: Api, token: str) -> int:
    return int(admin.get(f"{TOKENS}/{accesstokens.name_of(token)}")[1]["inactivityTimeoutSeconds"])


def test_a_token_that_goes_unused_for_too_long_ends(admin: Api, uid: str, idling: str) -> None:
    assert who(log_in_idling(uid, minutes=9))[0] == 201
    assert who(log_in_idling(uid, minutes=10.1))[0] == 401


def test_the_end_of_a_token_moves_on_with_its_use(admin: Api, uid: str, idling: str) -> None:
    fresh, older = log_in_idling(uid, minutes=1), log_in_idling(uid, minutes=8)
    before = policy.freshness().tokens

    assert [who(token)[0] for token in (fresh, older)] == [201, 201]

    assert idle_seconds(admin, fresh) == 600
    assert idle_seconds(admin, older) == pytest.approx(480 + 600, abs=5)
    assert policy.freshness().tokens == before


def test_no_use_moves_a_token_beyond_its_time(admin: Api, uid: str, idling: str) -> None:
    assert who(log_in_idling(uid, minutes=9, expires_in=500))[0] == 401


def test_nobody_shortens_or_begins_the_idle_time_of_a_token(admin: Api, uid: str, idling: str) -> None:
    timing, other = (
        f"{TOKENS}/{accesstokens.name_of(token)}" for token in (log_in_idling(uid, minutes=0), log_in(uid))
    )

    def status(path: str, seconds: int) -> int:
        return admin.patch(path, {"inactivityTimeoutSeconds": seconds})[0]

    assert [status(timing, 599), status(timing, 700), status(timing, -1), status(other, 600)] == [422, 200, 422, 422]
