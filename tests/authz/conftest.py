"""A database with the defaults of a first start, and clients that speak to the API as it is served."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from django.test import Client

from authz import bootstrap, policy
from authz.oauth import passwords
from tests import beginnings

JSON = "application/json"
MERGE = "application/merge-patch+json"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@dataclass(frozen=True)
class Api:
    """Requests with a token, perhaps for somebody else; answers are (status, body)."""

    token: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()

    def acting_for(self, user: str, *groups: str) -> Api:
        return Api(self.token, user, groups)

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        return self.send("GET", path, None, **headers)

    def post(self, path: str, body: object, **headers: str) -> tuple[int, Any]:
        return self.send("POST", path, body, **headers)

    def put(self, path: str, body: object) -> tuple[int, Any]:
        return self.send("PUT", path, body)

    def patch(self, path: str, body: object, kind: str = MERGE) -> tuple[int, Any]:
        return self.send("PATCH", path, body, content_type=kind)

    def delete(self, path: str, body: object = None) -> tuple[int, Any]:
        return self.send("DELETE", path, body)

    def send(
        self, method: str, path: str, body: object, *, content_type: str = JSON, **headers: str
    ) -> tuple[int, Any]:
        sent = {"HTTP_ACCEPT": JSON, **headers}
        if self.token:
            sent["HTTP_AUTHORIZATION"] = f"Bearer {self.token}"
        if self.user:
            sent["HTTP_IMPERSONATE_USER"] = self.user
        if self.groups:
            sent["HTTP_IMPERSONATE_GROUP"] = ",".join(self.groups)
        data: Any = "" if body is None else body
        answer = Client().generic(method, path, _bytes(data), content_type=content_type, **sent)  # type: ignore[arg-type]  # headers are text
        return answer.status_code, answer.json() if answer.headers["Content-Type"] == JSON else answer.content


def _bytes(data: Any) -> bytes:

    return data.encode() if isinstance(data, str) else msgspec.json.encode(data)


@pytest.fixture(autouse=True)
def no_memory() -> Iterator[None]:
    """Each test has a database of its own, of which the last one's memory knows nothing."""
    policy.memory.forget()
    yield
    policy.memory.forget()


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash of a password takes a quarter of a second by intent, and few tests are about that."""
    monkeypatch.setattr(passwords.Hasher, "work_factor", 2**4)


@pytest.fixture
def admin(db: None) -> Api:
    """The administrator of a server that has just begun."""
    beginnings.begin()
    return Api(bootstrap.administrator(""))


@pytest.fixture
def team(admin: Api) -> str:
    """A namespace."""
    status, _ = admin.post("/api/v1/namespaces", {"metadata": {"name": "team"}})
    assert status == 201
    return "team"


def bind(admin: Api, namespace: str, role: str, user: str, *, kind: str = "ClusterRole", name: str = "b") -> None:
    """Give a role in a namespace to a user."""
    body = {
        "metadata": {"name": name},
        "roleRef": {"kind": kind, "name": role},
        "subjects": [{"kind": "User", "name": user}],
    }
    status, answer = admin.post(f"{RBAC}/namespaces/{namespace}/rolebindings", body)
    assert status == 201, answer
