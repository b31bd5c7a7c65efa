"""As whom a request wants to be served."""

from __future__ import annotations

import pytest

from authz.impersonation import Wish, wish
from authz.rules import Attributes
from registry_meta.kube.errors import StatusError
from tests.authz.conftest import Api, bind

REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def test_a_request_without_headers_is_for_oneself() -> None:
    assert wish({"HTTP_ACCEPT": "*/*"}) is None


def test_headers_name_user_groups_uid_and_extra() -> None:
    headers = {
        "HTTP_IMPERSONATE_USER": "ann",
        "HTTP_IMPERSONATE_GROUP": "a,b",
        "HTTP_IMPERSONATE_UID": "42",
        "HTTP_IMPERSONATE_EXTRA_EXAMPLE.COM%2FSHOE_SIZE": "xl,m",
    }

    assert wish(headers) == Wish("ann", ("a", "b"), "42", {"example.com/shoe-size": ("xl", "m")})


def test_scopes_may_come_in_the_header_of_older_clients() -> None:
    headers = {"HTTP_IMPERSONATE_USER": "ann", "HTTP_IMPERSONATE_USER_SCOPE": "user:info"}

    assert wish(headers) == Wish("ann", extra={"scopes.authorization.openshift.io": ("user:info",)})


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_IMPERSONATE_GROUP": "system:masters"},
        {"HTTP_IMPERSONATE_UID": "42"},
        {"HTTP_IMPERSONATE_EXTRA_COLOR": "red"},
        {"HTTP_IMPERSONATE_USER_SCOPE": "user:info"},
        {"HTTP_IMPERSONATE_USER": ""},
    ],
)
def test_a_user_whose_name_is_lost_does_not_become_the_caller(headers: dict[str, str]) -> None:
    with pytest.raises(StatusError) as refused:
        wish(headers)

    assert refused.value.code == 400


def test_every_part_of_a_wish_needs_a_right() -> None:
    wished = Wish("system:serviceaccount:ns:robot", ("a",), "42", {"color": ("red",)})

    assert list(wished.questions()) == [
        Attributes("impersonate", "ns", resource="serviceaccounts", name="robot"),
        Attributes("impersonate", resource="groups", name="a"),
        Attributes("impersonate", group="authentication.k8s.io", version="v1", resource="userextras/color", name="red"),
        Attributes("impersonate", group="authentication.k8s.io", version="v1", resource="uids", name="42"),
    ]


def test_the_administrator_acts_for_a_user(admin: Api) -> None:
    status, review = admin.acting_for("ann", "team").post(REVIEWS, {})

    assert status == 201
    assert review["status"]["userInfo"] == {"username": "ann", "groups": ["team", "system:authenticated"]}


def test_another_may_not(admin: Api, team: str) -> None:
    bind(admin, team, "edit", "system:serviceaccount:team:default")
    _, answer = admin.post(f"/api/v1/namespaces/{team}/serviceaccounts/default/token", {"spec": {}})
    account = Api(answer["status"]["token"])

    refused = account.acting_for("ann").get("/api")
    allowed, review = account.acting_for("system:serviceaccount:team:builder").post(REVIEWS, {})

    assert refused[0] == 403
    assert refused[1]["message"] == (
        'users "ann" is forbidden: User "system:serviceaccount:team:default" cannot impersonate resource "users"'
        ' in API group "" at the cluster scope'
    )
    assert allowed == 201
    assert review["status"]["userInfo"]["groups"][1] == "system:serviceaccounts:team"
