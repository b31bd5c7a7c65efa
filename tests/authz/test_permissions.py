"""Every default role, everything that is served, every verb: who is let through, and who is not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

import pytest
from django.test import Client

from authz import bootstrap
from tests import beginnings
from tests.authz import matrix
from tests.authz.conftest import JSON, RBAC, Api
from tests.authz.matrix import KINDS, OWN, RECORDED, TEAM, Question, Row, row

pytestmark = pytest.mark.any_database
METHODS = {
    "get": "GET", "list": "GET", "watch": "GET", "create": "POST", "update": "PUT", "patch": "PATCH",
    "delete": "DELETE", "deletecollection": "DELETE", "post": "POST",
}  # fmt: skip
HARMLESS = {"list": "limit=x", "watch": "watch=1&resourceVersion=x", "deletecollection": "labelSelector=!!"}
"""What lets a request that is allowed end at once; the others are of objects that do not exist, or have no body."""

BODIES = {(entry["group"], entry["resource"]): json.dumps(entry["body"]) for entry in KINDS["bodies"]}
"""The reviews that are authorised by what they ask for: these ask about somebody else."""

ANSWERS = {200, 201, 400, 404, 405, 415, 422}
EVERYWHERE, WITHIN = "by ClusterRoleBinding", "by RoleBinding"

FIXED = [
    row("nobody known", "system:anonymous"),
    row("somebody known", "ann"),
    row("somebody logged in", "ann", "system:authenticated:oauth", "system:authenticated"),
    *(row(f"account {name}", matrix.account(TEAM, name)) for name in ("default", "builder", "deployer")),
    row("account of elsewhere", matrix.account("elsewhere", "builder")),
]


def subjects() -> Iterable[Row]:
    """Yield everybody whom a default binding names, as the binding makes them."""
    for binding in matrix.bindings():
        for subject in binding["subjects"]:
            label = f"{subject['kind']} {subject['name']}"
            if subject["kind"] == "Group":
                if subject["name"] != "system:unauthenticated":
                    yield row(label, "ann", subject["name"], "system:authenticated")
            elif subject["kind"] == "User":
                yield row(label, subject["name"])
            else:
                yield row(label, matrix.account(subject["namespace"], subject["name"]))


@pytest.fixture
def started(transactional_db: None) -> Api:
    """A new server with a namespace; what it reads of its roles it remembers, as it does outside of tests."""
    beginnings.begin()
    admin = Api(bootstrap.administrator(""))
    assert admin.post("/api/v1/namespaces", {"metadata": {"name": TEAM}})[0] == 201
    return admin


def path_of(asked: Question) -> str:
    """Return the path and query of a request that asks for something and changes nothing."""
    if asked.path:
        return asked.path
    plural, _, sub = asked.resource.partition("/")
    root = f"/apis/{asked.group}" if asked.group else "/api"
    is_namespace = (asked.group, plural) in matrix.NAMED_AS_THEIR_NAMESPACE
    place = f"/namespaces/{asked.namespace}" if asked.namespace and not is_namespace else ""
    item = f"/{asked.name}" if asked.name else ""
    below = f"/{sub}" if sub else ""
    return f"{root}/{asked.version}{place}/{plural}{item}{below}?{HARMLESS.get(asked.verb, 'dryRun=All')}"


class Asker:
    """Asks on behalf of a row, and collects what is answered otherwise than the tables say."""

    def __init__(self, admin: Api) -> None:
        self.client = Client()
        self.headers = {"HTTP_AUTHORIZATION": f"Bearer {admin.token}", "HTTP_ACCEPT": JSON}
        self.asked = 0
        self.wrong: list[str] = []

    def ask(self, row: Row, questions: Iterable[Question]) -> None:
        """Send each question as a request."""
        headers = {**self.headers, "HTTP_IMPERSONATE_USER": row.user}
        if row.groups:
            headers["HTTP_IMPERSONATE_GROUP"] = ",".join(row.groups)
        for asked in questions:
            body = BODIES.get((asked.group, asked.resource), "")
            answer = self.client.generic(METHODS[asked.verb], path_of(asked), body, content_type=JSON, **headers)  # type: ignore[arg-type]  # headers are text
            expected = ANSWERS if row.may(asked) else {403}
            self.asked += 1
            if answer.status_code not in expected:
                words = "is to be let through" if row.may(asked) else "is to be refused"
                self.wrong.append(f"{row.label}: {asked} {words}, and was answered {answer.status_code}")


def bound(admin: Api, role: str, how: str) -> Row:
    """Give a role to a user of his own, and return him."""
    user = f"holder of {role} {how}"
    path = f"{RBAC}/clusterrolebindings" if how == EVERYWHERE else f"{RBAC}/namespaces/{TEAM}/rolebindings"
    reference, subject = {"kind": "ClusterRole", "name": role}, {"kind": "User", "name": user}
    body = {"metadata": {"name": f"matrix:{role}"}, "roleRef": reference, "subjects": [subject]}
    assert admin.post(path, body)[0] == 201
    given = {"everywhere": [role]} if how == EVERYWHERE else {"within": [role]}
    return row(f"{role} {how}", user, **given)


def test_a_role_allows_what_its_table_says_and_nothing_else(started: Api) -> None:
    rows = [bound(started, role, EVERYWHERE) for role in matrix.cluster_roles()]
    questions = list(matrix.requests_of(TEAM))
    asker = Asker(started)

    for holder in rows:
        asker.ask(holder, questions)

    assert not asker.wrong, "\n".join(asker.wrong[:20])
    assert asker.asked > 4000


def test_a_role_in_one_namespace_allows_nothing_elsewhere(started: Api) -> None:
    rows = {role: bound(started, role, WITHIN) for role in matrix.cluster_roles()}
    questions = [*matrix.requests_of(TEAM), *(asked for asked in matrix.requests_of("elsewhere") if asked.namespace)]
    asker = Asker(started)

    for role, holder in rows.items():
        asker.ask(holder, (asked for asked in questions if matrix.allows(role, asked)))

    assert not asker.wrong, "\n".join(asker.wrong[:20])
    assert asker.asked > 1000


def test_the_default_bindings_give_what_their_tables_say(started: Api) -> None:
    asker = Asker(started)
    questions = list(matrix.requests_of(TEAM))

    for somebody in FIXED:
        asker.ask(somebody, [*questions, *(asked for asked in matrix.requests_of("openshift") if asked.namespace)])
    for somebody in subjects():
        asker.ask(somebody, (asked for asked in questions if somebody.may(asked)))

    assert not asker.wrong, "\n".join(asker.wrong[:20])
    assert asker.asked > 2000


def test_reviews_answer_by_the_same_tables(started: Api) -> None:
    rows = [bound(started, role, how) for role in matrix.cluster_roles() for how in (EVERYWHERE, WITHIN)]
    wrong = []

    for somebody in chain(FIXED, rows):
        for document in KINDS["questions"]:
            asked = Question(**document)
            resource, _, sub = asked.resource.partition("/")
            attributes = {**document, "resource": resource, "subresource": sub}
            groups = list(somebody.groups or matrix.groups_of(somebody.user))
            body = {"spec": {"user": somebody.user, "groups": groups, "resourceAttributes": attributes}}
            status, answer = started.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
            if status != 201 or answer["status"]["allowed"] is not somebody.may(asked):
                wrong.append(f"{somebody.label}: {asked} was answered {answer['status']}")

    assert not wrong, "\n".join(wrong[:20])


def test_every_default_role_is_in_the_tables(started: Api) -> None:
    path = f"{RBAC}/clusterroles"

    found = {role["metadata"]["name"] for role in started.get(path)[1]["items"]}

    unknown = sorted(found - set(matrix.cluster_roles()))
    assert not unknown, f"write the rules that {', '.join(unknown)} has to have in tests/authz/permissions/own.json"
    assert set(matrix.cluster_roles()) <= found


def test_every_default_binding_is_in_the_tables(started: Api) -> None:
    def told(binding: Mapping[str, Any]) -> set[tuple[str, ...]]:
        subjects = binding.get("subjects") or []
        return {(s["kind"], s.get("namespace", ""), s["name"]) for s in subjects}

    items = started.get(f"{RBAC}/clusterrolebindings")[1]["items"]

    found = {item["metadata"]["name"]: (item["roleRef"]["name"], told(item)) for item in items}
    assert found == {b["name"]: (b["role"], told(b)) for b in matrix.bindings()}


def test_all_that_is_served_is_in_the_tables() -> None:
    listed = {(group, resource) for group, resources in KINDS["kinds"].items() for resource in resources}
    found = {kind for kind, *_ in matrix.served()}

    missing = [f"{group or 'the core group'}: {resource}" for group, resource in sorted(found - listed)]
    assert not missing, (
        f"add to tests/authz/permissions/kinds.json {'; '.join(missing)} with `recorded` if a rule of recorded.json"
        " names it, with `own` if one of own.json has to name it, with `none` if only roles for everything reach it"
    )
    assert listed == found


@pytest.mark.parametrize(
    ("group", "resource", "whose"),
    [(group, resource, whose) for group, found in KINDS["kinds"].items() for resource, whose in found.items()],
)
def test_the_tables_say_whose_rules_name_a_kind(group: str, resource: str, whose: str) -> None:
    def names_it(tables: dict[str, list[matrix.Rule]]) -> bool:
        rules = [rule for role in tables.values() for rule in role if rule.get("resources")]
        return any(group in rule["apiGroups"] and resource in rule["resources"] for rule in rules)

    assert names_it(RECORDED["clusterRoles"]) is (whose == "recorded")
    assert whose == "recorded" or names_it(OWN["clusterRoles"]) is (whose == "own")
