"""Whom the headers of a trusted proxy name."""

from __future__ import annotations

import pytest

from authz.frontproxy import KEY, Headers, actor_of, named
from registry_meta.bridge import environ_of
from registry_meta.kube.request import Actor

SCOPE = {
    "method": "GET",
    "path": "/",
    "raw_path": b"/a%2Fb",
    "query_string": b"x=1",
    "http_version": "1.1",
    "server": ("127.0.0.1", 1),
    "client": ("127.0.0.2", 2),
    "scheme": "https",
}


@pytest.mark.parametrize(
    ("headers", "actor"),
    [
        ([], None),
        ([("x-remote-user", "")], None),
        ([("x-remote-group", "system:masters")], None),
        ([("x-remote-user", "jane")], Actor("jane", ("system:authenticated",))),
        (
            [("x-remote-user", "jane"), ("x-remote-user", "root"), ("x-remote-group", "a,b"), ("x-remote-group", "c")],
            Actor("jane", ("a,b", "c", "system:authenticated")),
        ),
        (
            [("x-remote-user", "jane"), ("x-remote-extra-a%2fb", "1"), ("x-remote-extra-a%2fb", "2")],
            Actor("jane", ("system:authenticated",), "", {"a/b": ("1", "2")}),
        ),
    ],
)
def test_the_headers_of_a_proxy_name_somebody(headers: Headers, actor: Actor | None) -> None:
    assert named(headers) == actor


def test_nobody_is_named_where_there_is_no_proxy() -> None:
    assert actor_of({"HTTP_X_REMOTE_USER": "root"}) is None


def test_headers_are_told_apart_as_they_came() -> None:
    lines = [(b"x-remote-user", b"jane"), (b"x_remote_user", b"root"), (b"accept", b"a"), (b"accept", b"b")]

    environ = environ_of({**SCOPE, "headers": lines}, b"")

    assert environ[KEY] == [("x-remote-user", "jane")]
    assert (environ["PATH_INFO"], environ["HTTP_ACCEPT"]) == ("/a/b", "a,b")
    assert not any("REMOTE_USER" in name for name in environ)
