"""What somebody may do counts from the next request on, in every web process; what ended is over at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pinned import EachProcess
from tests.served.api import Api
from tests.served.logins import PASSWORD, Login, sent_back, somebody
from tests.server import Server

RBAC = "apis/rbac.authorization.k8s.io/v1"
GROUPS = "apis/user.openshift.io/v1/groups"
TURNS = 5


@pytest.fixture
def each(served: Server) -> Iterator[EachProcess]:
    """A connection to each web process of each kind of server in turn."""
    with EachProcess(served) as connections:
        assert len(connections.connections) >= 2
        yield connections


def answers(each: EachProcess, path: str, token: str) -> set[int]:
    """Return the statuses with which the processes answer."""
    return {connection.send("GET", f"/{path}", token)[0] for connection in each.connections}


def person(server: Server) -> tuple[str, str]:
    """Return the name and the token of somebody who has logged in."""
    name, login = somebody(server), Login(server)
    token: str = login.redeem(sent_back(login.authorize(name, PASSWORD))["code"]).json()["access_token"]
    return name, token


def bound(api: Api, kind: str, name: str, binding: str) -> str:
    """Let a user or a group read a namespace; return the path of the binding."""
    subject = {"kind": kind, "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    body = {"metadata": {"name": binding}, "roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": [subject]}
    place = api.place("rolebindings", prefix=RBAC)
    api.post(place, body)
    return f"{place}/{binding}"


def delete(api: Api, path: str) -> None:
    assert api.session.delete(api.url(path), timeout=30).ok


def test_a_binding_counts_at_once_and_no_longer_than_it_is_there(served: Server, each: EachProcess) -> None:
    api = Api(served)
    name, token = person(served)
    streams = api.place("imagestreams")
    seen = [answers(each, streams, token)]

    for turn in range(TURNS):
        path = bound(api, "User", name, f"b{turn}")
        seen.append(answers(each, streams, token))
        delete(api, path)
        seen.append(answers(each, streams, token))

    assert seen == [{403}, *([{200}, {403}] * TURNS)]


def test_membership_of_a_group_counts_at_once(served: Server, each: EachProcess) -> None:
    api = Api(served)
    name, token = person(served)
    bound(api, "Group", f"{name}-s-team", "team")
    streams, group = api.place("imagestreams"), f"{GROUPS}/{name}-s-team"
    api.post(GROUPS, {"metadata": {"name": f"{name}-s-team"}, "users": []})
    seen = [answers(each, streams, token)]

    for _ in range(TURNS):
        for users in ([name], []):
            api.patch(group, {"users": users})
            seen.append(answers(each, streams, token))

    assert seen == [{403}, *([{200}, {403}] * TURNS)]


def test_a_token_ends_at_once(served: Server, each: EachProcess) -> None:
    api = Api(served)
    tokens = "apis/oauth.openshift.io/v1/oauthaccesstokens"

    for _ in range(TURNS):
        name, token = person(served)
        before = answers(each, "api", token)
        [found] = [item for item in api.get(tokens)["items"] if item["userName"] == name]
        delete(api, f"{tokens}/{found['metadata']['name']}")

        assert (before, answers(each, "api", token)) == ({200}, {401})


def test_a_token_ends_with_its_account(served: Server, each: EachProcess) -> None:
    api = Api(served)
    accounts = api.place("serviceaccounts", prefix="api/v1")

    for turn in range(TURNS):
        api.post(accounts, {"metadata": {"name": f"a{turn}"}})
        token = api.post(f"{accounts}/a{turn}/token", {"spec": {}})["status"]["token"]
        before = answers(each, "api", token)
        delete(api, f"{accounts}/a{turn}")

        assert (before, answers(each, "api", token)) == ({200}, {401})
