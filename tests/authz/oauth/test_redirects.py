"""Where browsers may be sent back to."""

from __future__ import annotations

import pytest

from authz.oauth import redirects

LOOPBACK = ("http://127.0.0.1/callback", "http://[::1]/callback")
OWN = ("https://meta.example.com/oauth/token/implicit",)


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1/callback",
        "http://127.0.0.1:1/callback",
        "http://127.0.0.1:65535/callback",
        "http://[::1]:4711/callback",
    ],
)
def test_a_program_on_the_machine_listens_on_any_port(uri: str) -> None:
    assert redirects.is_registered(uri, LOOPBACK)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:65536/callback",
        "http://127.0.0.1:4711/callback/",
        "http://127.0.0.1:4711/callback?x=1",
        "http://127.0.0.1:4711/callback#x",
        "http://127.0.0.1:4711/other",
        "http://127.0.0.1:4711@evil.example.com/callback",
        "http://127.0.0.1:4711.evil.example.com/callback",
        "http://127.0.0.1.evil.example.com/callback",
        "http://user@127.0.0.1:4711/callback",
        "http://localhost:4711/callback",
        "https://127.0.0.1:4711/callback",
        "http://127.0.0.2:4711/callback",
        "http://127.0.0.1:\uff14/callback",
        "http://127.0.0.1:4711/callback\n",
    ],
)
def test_nothing_but_the_port_is_free(uri: str) -> None:
    assert not redirects.is_registered(uri, LOOPBACK)


@pytest.mark.parametrize(
    "uri",
    [
        "https://meta.example.com/oauth/token/implicit/",
        "https://meta.example.com:443/oauth/token/implicit",
        "https://meta.example.com/oauth/token/implicit?x",
        "https://meta.example.com/oauth/token/../token/implicit",
        "https://META.example.com/oauth/token/implicit",
        "https://meta.example.com/oauth/token",
        "http://meta.example.com/oauth/token/implicit",
    ],
)
def test_other_addresses_count_letter_by_letter(uri: str) -> None:
    assert redirects.is_registered(OWN[0], OWN)
    assert not redirects.is_registered(uri, OWN)


@pytest.mark.parametrize(
    ("uri", "is_native"),
    [
        ("http://127.0.0.1:4711/callback", True),
        ("http://[::1]/callback", True),
        ("http://localhost/callback", True),
        ("com.example.app:/callback", True),
        ("https://127.0.0.1:8443/oauth/token/implicit", False),
        ("https://app.example.com/callback", False),
    ],
)
def test_a_program_beside_the_browser_is_told_from_a_site(uri: str, is_native: bool) -> None:
    assert redirects.is_native(uri) is is_native


def test_an_answer_is_added_to_the_query_or_is_the_fragment() -> None:
    answer = {"state": "a b&c", "code": "x", "scope": ""}

    assert redirects.in_query("https://a/b", answer) == "https://a/b?code=x&state=a+b%26c"
    assert redirects.in_query("https://a/b?c=d", answer) == "https://a/b?c=d&code=x&state=a+b%26c"
    assert redirects.in_fragment("https://a/b", answer) == "https://a/b#code=x&state=a+b%26c"


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("http://127.0.0.1:4711/callback", "http://127.0.0.1:4711"),
        ("https://app.example.com/a/b", "https://app.example.com"),
        ("http://[::1]:4711/callback", "http:"),
        ("com.example.app:/callback", "com.example.app:"),
    ],
)
def test_a_form_may_lead_where_its_answer_redirects_to(uri: str, source: str) -> None:
    assert redirects.form_target(uri) == source


@pytest.mark.parametrize("path", ["/", "/oauth/authorize?client_id=a&state=%2F%2F", "/login"])
def test_paths_of_this_server_are_its_own(path: str) -> None:
    assert redirects.is_own_path(path)


@pytest.mark.parametrize(
    "path",
    ["", "//evil.example.com", "/\\evil.example.com", "\\/evil", "https://evil.example.com/", "evil", "javascript:x",
     "/\t/evil.example.com", "/a\nb", "/é", " /a", "/a b", "/a\\b"],
)  # fmt: skip
def test_everything_that_a_browser_may_take_for_another_server_is_not(path: str) -> None:
    assert not redirects.is_own_path(path)
