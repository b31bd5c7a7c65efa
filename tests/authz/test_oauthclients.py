"""OAuth clients: what they may ask for, and those that every server has."""

from __future__ import annotations

import pytest

from authz import clients
from authz.api.oauthclients import ClusterRoleScopeRestriction, OAuthClient, ScopeRestriction, excess
from registry_meta.kube.meta import ObjectMeta
from registry_meta.kube.models import Change, Object
from tests import beginnings
from tests.authz.conftest import Api

OAUTH = "/apis/oauth.openshift.io/v1"
CLIENTS, TOKENS = f"{OAUTH}/oauthclients", f"{OAUTH}/oauthaccesstokens"
KEY = "oauthclients.oauth.openshift.io"


def restricted(*restrictions: ScopeRestriction) -> OAuthClient:
    return OAuthClient(metadata=ObjectMeta(name="catalog"), scope_restrictions=list(restrictions) or None)


INFO = ScopeRestriction(literals=["user:info", "user:check-access"])
VIEW = ScopeRestriction(cluster_role=ClusterRoleScopeRestriction(role_names=["view"], namespaces=["a", "b"]))
ANY = ScopeRestriction(
    cluster_role=ClusterRoleScopeRestriction(role_names=["*"], namespaces=["*"], allow_escalation=True)
)


@pytest.mark.parametrize(
    ("client", "scopes", "why"),
    [
        (restricted(), ["user:full"], ""),
        (restricted(), [], "catalog may not request unscoped tokens"),
        (restricted(INFO), ["user:info", "user:check-access"], ""),
        (restricted(INFO), ["user:info", "user:full"], "user:full did not match any scope restriction"),
        (restricted(INFO), ["role:view:a"], "role:view:a did not match any scope restriction"),
        (restricted(INFO, VIEW), ["user:info", "role:view:b"], ""),
        (restricted(VIEW), ["role:view:c"], "role:view:c did not match any scope restriction"),
        (restricted(VIEW), ["role:view:*"], "role:view:* did not match any scope restriction"),
        (restricted(VIEW), ["role:edit:a"], "role:edit:a did not match any scope restriction"),
        (restricted(VIEW), ["role:view:a:!"], "role:view:a:! did not match any scope restriction"),
        (restricted(ANY), ["role:admin:c:!", "role:view:*"], ""),
        (restricted(ANY), ["user:full"], "user:full did not match any scope restriction"),
    ],
)
def test_a_client_asks_for_no_more_than_it_may(client: OAuthClient, scopes: list[str], why: str) -> None:
    assert excess(client, scopes) == why


def test_every_server_has_the_clients_of_oc(admin: Api) -> None:
    _, found = admin.get(CLIENTS)

    by_name = {item["metadata"]["name"]: item for item in found["items"]}
    challenging, browser, command = (by_name[name] for name in (clients.CHALLENGING, clients.BROWSER, clients.COMMAND))
    assert challenging["respondWithChallenges"]
    assert challenging["redirectURIs"] == ["https://127.0.0.1:8443/oauth/token/implicit"]
    assert browser["redirectURIs"] == ["https://127.0.0.1:8443/oauth/token/display"]
    assert command["redirectURIs"] == ["http://127.0.0.1/callback", "http://[::1]/callback"]
    assert [bool(item.get("secret")) for item in (challenging, browser, command)] == [False, True, False]
    assert {item["grantMethod"] for item in by_name.values()} == {"auto"}


def test_a_start_adds_where_browsers_go_and_changes_nothing_else(admin: Api) -> None:
    path = f"{CLIENTS}/{clients.BROWSER}"
    mine = {"redirectURIs": ["https://other.example.com/"], "grantMethod": "prompt", "secret": "my own"}
    admin.patch(path, mine)

    beginnings.begin()

    client = admin.get(path)[1]
    assert client["redirectURIs"] == ["https://other.example.com/", "https://127.0.0.1:8443/oauth/token/display"]
    assert (client["grantMethod"], client["secret"]) == ("prompt", "my own")


def test_the_secret_of_a_client_lies_encrypted(admin: Api) -> None:
    body = {"metadata": {"name": "catalog"}, "grantMethod": "auto", "secret": "planted-secret"}

    status, made = admin.post(CLIENTS, body)

    assert (status, made["secret"]) == (201, "planted-secret")
    texts = [
        text
        for model in (Object, Change)
        for text in model.objects.filter(resource=KEY).values_list("document", flat=True)
    ]
    assert texts
    assert not [text for text in texts if not text.startswith("sealed:") or "planted-secret" in text]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"grantMethod": ""}, "grantMethod"),
        ({"grantMethod": "deny"}, "grantMethod"),
        ({"redirectURIs": ["https://a/#b"]}, "redirectURIs[0]"),
        ({"additionalSecrets": ["a", ""]}, "additionalSecrets[1]"),
        ({"accessTokenMaxAgeSeconds": -1}, "accessTokenMaxAgeSeconds"),
        ({"accessTokenInactivityTimeoutSeconds": 60}, "accessTokenInactivityTimeoutSeconds"),
        ({"accessTokenInactivityTimeoutSeconds": -1}, "accessTokenInactivityTimeoutSeconds"),
        ({"scopeRestrictions": [{}]}, "scopeRestrictions[0]"),
        ({"scopeRestrictions": [{"literals": [""]}]}, "scopeRestrictions[0].literals[0]"),
        ({"scopeRestrictions": [{"clusterRole": {}}]}, "scopeRestrictions[0].clusterRole.roleNames"),
    ],
)
def test_a_client_is_refused_what_makes_no_sense(admin: Api, change: dict[str, object], field: str) -> None:
    status, answer = admin.post(CLIENTS, {"metadata": {"name": "catalog"}, "grantMethod": "auto", **change})

    assert status == 422
    assert field in {cause["field"] for cause in answer["details"]["causes"]}


def test_a_token_is_of_a_client_that_may_ask_for_it(admin: Api) -> None:
    admin.post(
        CLIENTS,
        {
            "metadata": {"name": "catalog"},
            "grantMethod": "auto",
            "scopeRestrictions": [{"literals": ["user:info"]}],
        },
    )
    body = {
        "metadata": {"name": "sha256~" + "a" * 43},
        "userName": "ann",
        "userUID": "u",
        "redirectURI": "https://127.0.0.1/",
    }

    def answer(client: str, scope: str) -> int:
        return admin.post(f"{TOKENS}?dryRun=All", {**body, "clientName": client, "scopes": [scope]})[0]

    asked = {
        (client, scope): answer(client, scope) for client in ("catalog", "none") for scope in ("user:info", "user:full")
    }

    assert asked == {
        ("catalog", "user:info"): 201,
        ("catalog", "user:full"): 422,
        ("none", "user:info"): 422,
        ("none", "user:full"): 422,
    }


def test_a_table_of_clients_shows_what_oc_shows(admin: Api) -> None:
    for name, seconds in (("a", None), ("b", 0), ("c", 86400), ("d", 61)):
        body = {"metadata": {"name": name}, "grantMethod": "auto", "redirectURIs": ["https://a/", "https://b/"]}
        admin.post(CLIENTS, {**body, "accessTokenMaxAgeSeconds": seconds})

    _, table = admin.get(CLIENTS, HTTP_ACCEPT="application/json;as=Table;v=v1;g=meta.k8s.io")

    assert [column["name"] for column in table["columnDefinitions"]] == [
        "Name", "Secret", "WWW-Challenge", "Token-Max-Age", "Redirect URIs",
    ]  # fmt: skip
    rows = [row["cells"] for row in table["rows"]][:4]
    ages = ["default", "unexpiring", "24h0m0s", "1m1s"]
    assert rows == [[name, "", False, age, "https://a/,https://b/"] for name, age in zip("abcd", ages, strict=True)]
