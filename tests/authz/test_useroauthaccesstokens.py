"""One's own tokens: seen and ended by whoever they are of, and by nobody else."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.test import Client

from authz import accesstokens, policy
from registry_meta.kube import changes, meta
from registry_meta.kube.models import Object
from tests.authz.conftest import Api

OAUTH = "/apis/oauth.openshift.io/v1"
OWN, TOKENS = f"{OAUTH}/useroauthaccesstokens", f"{OAUTH}/oauthaccesstokens"
USERS = "/apis/user.openshift.io/v1/users"


def log_in(admin: Api, name: str, *, client: str = "openshift-cli-client", expires_in: int = 86400) -> str:
    status, user = admin.post(USERS, {"metadata": {"name": name}})
    if status == 409:
        user = admin.get(f"{USERS}/{name}")[1]
    return accesstokens.issue(
        name, uid=user["metadata"]["uid"], client=client, scopes=["user:full"], expires_in=expires_in,
        redirect_uri="https://127.0.0.1/", now=meta.now(),
    )  # fmt: skip


def names(answer: tuple[int, Any]) -> set[str]:
    assert answer[0] == 200, answer
    return {item["metadata"]["name"] for item in answer[1]["items"]}


def test_everybody_lists_his_own_tokens(admin: Api) -> None:
    first, second, other = log_in(admin, "ann"), log_in(admin, "ann"), log_in(admin, "bob")

    status, found = Api(first).get(OWN)

    assert names((status, found)) == {accesstokens.name_of(first), accesstokens.name_of(second)}
    assert found["kind"] == "UserOAuthAccessTokenList"
    assert names(Api(other).get(OWN)) == {accesstokens.name_of(other)}


def test_a_selector_chooses_among_one_s_own(admin: Api) -> None:
    first = log_in(admin, "ann")
    second = log_in(admin, "ann", client="openshift-browser-client")
    log_in(admin, "bob", client="openshift-browser-client")

    assert names(Api(first).get(f"{OWN}?fieldSelector=clientName%3Dopenshift-browser-client")) == {
        accesstokens.name_of(second)
    }
    assert names(Api(first).get(f"{OWN}?fieldSelector=userName%3Dbob")) == set()


def test_pages_hold_one_s_own_alone(admin: Api) -> None:
    mine = {accesstokens.name_of(log_in(admin, "ann")) for _ in range(3)}
    token = log_in(admin, "ann")
    for _ in range(3):
        log_in(admin, "bob")

    found: set[str] = set()
    more = ""
    while True:
        status, page = Api(token).get(f"{OWN}?limit=2&continue={more}")
        found |= names((status, page))
        more = page["metadata"].get("continue", "")
        if not more:
            break

    assert found == {*mine, accesstokens.name_of(token)}


def test_tokens_of_others_are_not_there(admin: Api) -> None:
    ann, bob = log_in(admin, "ann"), log_in(admin, "bob")
    path = f"{OWN}/{accesstokens.name_of(bob)}"

    assert Api(ann).get(path)[0] == 404
    assert Api(ann).delete(path)[0] == 404
    assert Api(bob).get(path)[1]["kind"] == "UserOAuthAccessToken"


@pytest.mark.parametrize("collection", [OWN, TOKENS])
def test_who_logs_out_is_out(admin: Api, collection: str) -> None:
    token = log_in(admin, "ann")

    status, answer = Api(token).delete(f"{collection}/{accesstokens.name_of(token)}")

    assert (status, answer["status"]) == (200, "Success")
    assert Api(token).get(f"{USERS}/~")[0] == 401


def test_a_dry_run_ends_nothing(admin: Api) -> None:
    token = log_in(admin, "ann")

    status, _ = Api(token).delete(f"{OWN}/{accesstokens.name_of(token)}?dryRun=All")

    assert (status, Api(token).get(OWN)[0]) == (200, 200)


def test_nobody_lists_the_tokens_of_all_or_makes_one(admin: Api) -> None:
    ann = Api(log_in(admin, "ann"))

    assert [ann.get(TOKENS)[0], ann.delete(TOKENS)[0], ann.post(TOKENS, {})[0], ann.delete(OWN)[0]] == [403] * 4


@pytest.mark.django_db(transaction=True)
def test_a_watch_shows_one_s_own_under_their_kind(admin: Api) -> None:
    token = log_in(admin, "ann")
    start = changes.newest()
    log_in(admin, "bob")
    second = log_in(admin, "ann")
    admin.delete(f"{TOKENS}/{accesstokens.name_of(second)}")

    path = f"{OWN}?watch=1&resourceVersion={start}&timeoutSeconds=1"
    answer = Client().get(path, HTTP_AUTHORIZATION=f"Bearer {token}")
    lines = b"".join(answer.streaming_content).splitlines()  # type: ignore[attr-defined]  # a watch streams
    changes.feed.end()

    frames = [msgspec.json.decode(line) for line in lines if line.strip()]
    assert [(frame["type"], frame["object"]["kind"], frame["object"]["metadata"]["name"]) for frame in frames] == [
        (kind, "UserOAuthAccessToken", accesstokens.name_of(second)) for kind in ("ADDED", "DELETED")
    ]


def test_a_table_of_one_s_own_names_no_user(admin: Api) -> None:
    token = log_in(admin, "ann", expires_in=0)

    _, table = Api(token).get(OWN, HTTP_ACCEPT="application/json;as=Table;v=v1;g=meta.k8s.io")

    assert [column["name"] for column in table["columnDefinitions"]] == [
        "Name", "Client Name", "Created", "Expires", "Redirect URI", "Scopes",
    ]  # fmt: skip
    [row] = table["rows"]
    assert row["cells"][1] == "openshift-cli-client"
    assert row["cells"][3:] == ["never", "https://127.0.0.1/", "user:full"]


def test_the_sweep_drops_what_is_over_and_disturbs_nobody(admin: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accesstokens, "BATCH", 2)
    short = [log_in(admin, "ann", expires_in=60) for _ in itertools.repeat(None, 3)]
    kept = [log_in(admin, "ann"), log_in(admin, "ann", expires_in=0)]
    before = policy.freshness().tokens

    dropped = accesstokens.sweep(meta.now() + timedelta(minutes=2))

    rows = Object.objects.filter(resource="oauthaccesstokens.oauth.openshift.io")
    assert dropped == len(short)
    assert {row.name for row in rows} == {accesstokens.name_of(token) for token in kept}
    assert policy.freshness().tokens == before
