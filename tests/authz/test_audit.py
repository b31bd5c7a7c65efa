"""What is told of requests that may change something."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
import pytest

from tests.authz.conftest import Api

NAMESPACES = "/api/v1/namespaces"
SECRETS = f"{NAMESPACES}/default/secrets"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
HIDDEN = "planted-value"


class Lines(logging.Handler):
    """Keeps the lines of the audit."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())

    @property
    def last(self) -> dict[str, Any]:
        """Return the last line."""
        line: dict[str, Any] = msgspec.json.decode(self.texts[-1])
        return line


@pytest.fixture
def audit() -> Iterator[Lines]:
    """The lines that a test causes."""
    lines = Lines()
    logger = logging.getLogger("audit")
    logger.addHandler(lines)
    yield lines
    logger.removeHandler(lines)


def secret(**metadata: str) -> dict[str, Any]:
    return {"kind": "Secret", "apiVersion": "v1", "metadata": metadata, "stringData": {"key": HIDDEN}}


def test_a_write_is_told_with_the_name_that_it_got(admin: Api, audit: Lines) -> None:
    _, made = admin.post(SECRETS, secret(generateName="s-"), HTTP_AUDIT_ID="known", HTTP_USER_AGENT="tests")

    line = audit.last
    assert line["objectRef"] == {
        "resource": "secrets", "namespace": "default", "name": made["metadata"]["name"], "apiVersion": "v1",
    }  # fmt: skip
    assert (line["verb"], line["responseStatus"]["code"]) == ("create", 201)
    assert (line["auditID"], line["userAgent"], line["sourceIPs"]) == ("known", "tests", ["127.0.0.1"])
    assert line["user"] == {"username": "system:admin", "groups": ["system:masters", "system:authenticated"]}
    assert "impersonatedUser" not in line
    assert datetime.fromisoformat(line["requestReceivedTimestamp"]) <= datetime.fromisoformat(line["stageTimestamp"])
    assert line["annotations"]["apiserver.latency.k8s.io/total"].endswith("ms")


def test_whoever_acts_for_another_is_told_with_both_names(admin: Api, audit: Lines) -> None:
    status, _ = admin.acting_for("ann", "devs").delete(f"{SECRETS}/x")

    line = audit.last
    assert status == line["responseStatus"]["code"] == 403
    assert line["user"] == {"username": "system:admin", "groups": ["system:masters", "system:authenticated"]}
    assert line["impersonatedUser"] == {"username": "ann", "groups": ["devs", "system:authenticated"]}


def test_who_may_not_act_for_another_is_named(admin: Api, audit: Lines) -> None:
    _, made = admin.post("/api/v1/namespaces/default/serviceaccounts/builder/token", {"spec": {}})

    status, answer = Api(made["status"]["token"]).acting_for("ann").delete(f"{SECRETS}/x")

    line = audit.last
    assert (status, line["responseStatus"]["code"]) == (403, 403)
    assert answer["details"]["kind"] == "users"
    assert line["user"]["username"] == "system:serviceaccount:default:builder"
    assert "system:serviceaccounts:default" in line["user"]["groups"]
    assert "impersonatedUser" not in line


def test_a_bad_credential_names_nobody(admin: Api, audit: Lines) -> None:
    Api("a.b.c").delete(f"{SECRETS}/x")

    assert (audit.last["user"], audit.last["responseStatus"]["code"]) == ({}, 401)
    assert "a.b.c" not in audit.texts[-1]


def test_a_dry_run_is_told_as_one(admin: Api, audit: Lines) -> None:
    admin.post(f"{SECRETS}?dryRun=All", secret(name="dry"))

    assert audit.last["annotations"]["registry-meta/dry-run"] == "true"


def test_neither_bodies_nor_queries_are_told(admin: Api, audit: Lines) -> None:
    admin.post(f"{SECRETS}?fieldManager={HIDDEN}", secret(name="hidden"))
    admin.patch(f"{SECRETS}/hidden", {"stringData": {"key": HIDDEN}})
    admin.post(SECRETS, f'{{"{HIDDEN}')
    admin.delete(f"{SECRETS}/hidden")

    assert len(audit.texts) == 4
    assert not [line for line in audit.texts if HIDDEN in line]


def test_reading_and_asking_is_not_told(admin: Api, audit: Lines) -> None:
    question = {"spec": {"nonResourceAttributes": {"path": "/metrics", "verb": "get"}}}

    admin.get(SECRETS)
    assert admin.post(REVIEWS, question)[0] == 201

    assert audit.texts == []


def test_the_uid_and_the_extras_of_who_acts_and_who_is_acted_for_are_told(admin: Api, audit: Lines) -> None:
    headers = {
        "HTTP_IMPERSONATE_USER": "ann",
        "HTTP_IMPERSONATE_UID": "42",
        "HTTP_IMPERSONATE_USER_SCOPE": "user:info",
    }

    admin.send("DELETE", f"{SECRETS}/x", None, **headers)

    assert audit.last["user"] == {"username": "system:admin", "groups": ["system:masters", "system:authenticated"]}
    assert audit.last["impersonatedUser"] == {
        "username": "ann",
        "groups": ["system:authenticated"],
        "uid": "42",
        "extra": {"scopes.authorization.openshift.io": ["user:info"]},
    }
