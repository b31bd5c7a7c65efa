from __future__ import annotations

import pytest

from imagestreams.upstream.challenge import Challenge, parse, preferred, widened


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('Bearer realm="https://a/t",service="s"', [("bearer", {"realm": "https://a/t", "service": "s"})]),
        ("BASIC realm=plain", [("basic", {"realm": "plain"})]),
        ('Bearer Realm = "a\\"b\\\\c" , SCOPE="x:y,z"', [("bearer", {"realm": 'a"b\\c', "scope": "x:y,z"})]),
        ('Bearer realm="a", Basic realm="b"', [("bearer", {"realm": "a"}), ("basic", {"realm": "b"})]),
        ('Bearer realm="a",broken="never closed', [("bearer", {"realm": "a"})]),
        ("Negotiate", [("negotiate", {})]),
        ('="nothing"', []),
        ("", []),
    ],
)
def test_a_line_is_read_up_to_its_first_malformed_part(line: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(challenge.scheme, challenge.parameters) for challenge in parse([line])] == expected


def test_bearer_is_preferred_to_basic_in_whatever_order() -> None:
    challenges = parse(['Basic realm="b"', 'Negotiate, Bearer realm="a"'])

    chosen = preferred(challenges)

    assert chosen == Challenge("bearer", {"realm": "a"})


def test_a_scheme_that_is_not_known_is_no_challenge() -> None:
    assert preferred(parse(["Negotiate", "Digest realm=x"])) is None


@pytest.mark.parametrize(
    ("asked", "scope"),
    [
        ("", "repository:a/b:pull"),
        ("repository:a/b:pull", "repository:a/b:pull"),
        ("repository:a/b:metadata_read", "repository:a/b:pull repository:a/b:metadata_read"),
        ("repository:group/a/b:pull,push", "repository:a/b:pull repository:group/a/b:pull"),
        ("repository:host:5000/a:pull", "repository:a/b:pull repository:host:5000/a:pull"),
        ("repository:a/b:push,delete", "repository:a/b:pull"),
        ("registry:catalog:*", "repository:a/b:pull"),
        ("repository:a:pull " * 9, "repository:a/b:pull repository:a:pull"),
        ("repository:a:pull repository:b:pull repository:c:pull repository:d:pull repository:e:pull",
         "repository:a/b:pull repository:a:pull repository:b:pull repository:c:pull"),
    ],
)  # fmt: skip
def test_a_scope_is_widened_by_what_reads_repositories(asked: str, scope: str) -> None:
    assert widened("repository:a/b:pull", asked) == scope
