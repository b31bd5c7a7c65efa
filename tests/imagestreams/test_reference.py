from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagestreams import reference
from imagestreams.reference import InvalidReference, PullSpec
from tests.imagestreams.builders import digest

A = digest("a")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("foo", PullSpec(name="foo")),
        ("foo:tag", PullSpec(name="foo", tag="tag")),
        ("foo/bar", PullSpec(namespace="foo", name="bar")),
        ("a/b/c", PullSpec(namespace="a", name="b/c")),
        ("bar:5000/baz", PullSpec("bar:5000", "", "baz")),
        ("localhost/x/y:1", PullSpec("localhost", "x", "y", "1")),
        ("docker.io/u/p/app", PullSpec("docker.io", "u", "p/app")),
        ("UPPER.example/x", PullSpec("UPPER.example", "", "x")),
        ("quay.io", PullSpec("quay.io")),
        ("quay.io:5000", PullSpec("quay.io:5000")),
        (f"foo@{A}", PullSpec(name="foo", id=A)),
        (f"foo:tag@{A}", PullSpec(name="foo", tag="tag", id=A)),
        (A, PullSpec(name="sha256", tag=A.removeprefix("sha256:"))),
        ("a__b/c---d", PullSpec("", "a__b", "c---d")),
    ],
)
def test_a_pull_spec_is_read(text: str, parts: PullSpec) -> None:
    assert PullSpec.parse(text) == parts


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "repository name must have at least one component"),
        ("Foo", "repository name must be lowercase"),
        ("quay.io/Example/App", "repository name must be lowercase"),
        ("https://quay.io/a/b:1", "invalid reference format"),
        ("foo@badid", "invalid reference format"),
        (":tag", "invalid reference format"),
        (f"@{A}", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("a/b/:Tag", "invalid reference format"),
        ("a___b", "invalid reference format"),
        ("foo:-v1", "invalid reference format"),
        ("foo:" + "t" * 129, "invalid reference format"),
        ("foo@sha256:abcd", "invalid reference format"),
        (f"foo@{A[:-1]}", "invalid checksum digest length"),
        ("foo@sha256:" + "A" * 64, "invalid checksum digest format"),
        ("foo@md5:" + "0" * 32, "unsupported digest algorithm"),
        ("a" * 256, "repository name must not be more than 255 characters"),
    ],
)
def test_what_is_no_pull_spec_is_told_why(text: str, fault: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        PullSpec.parse(text)

    assert str(caught.value) == fault


def test_a_long_name_is_refused_in_no_time() -> None:
    with pytest.raises(InvalidReference):
        PullSpec.parse("a" * 100_000 + "!")


@pytest.mark.parametrize(
    ("text", "exact", "string", "minimal"),
    [
        ("foo", "foo", "foo", "foo"),
        ("docker.io/foo:latest", "docker.io/foo:latest", "docker.io/library/foo:latest", "docker.io/foo"),
        ("index.docker.io/library/foo", "index.docker.io/library/foo", "index.docker.io/library/foo", "docker.io/foo"),
        ("registry-1.docker.io/a/b:1", "registry-1.docker.io/a/b:1", "registry-1.docker.io/a/b:1", "docker.io/a/b:1"),
        (f"quay.io/a/b:1@{A}", f"quay.io/a/b@{A}", f"quay.io/a/b@{A}", f"quay.io/a/b@{A}"),
        ("quay.io/library/b:latest", "quay.io/library/b:latest", "quay.io/library/b:latest", "quay.io/library/b"),
    ],
)
def test_a_pull_spec_is_written(text: str, exact: str, string: str, minimal: str) -> None:
    spec = PullSpec.parse(text)

    assert (spec.exact(), spec.string(), spec.minimal().exact()) == (exact, string, minimal)


def test_an_id_that_is_no_digest_is_written_like_a_tag() -> None:
    assert PullSpec(name="foo", id="abc").exact() == "foo:abc"


@pytest.mark.parametrize(
    ("text", "normalised", "host", "path"),
    [
        ("busybox", "docker.io/library/busybox:latest", "registry-1.docker.io", "library/busybox"),
        ("index.docker.io/a/b:1", "docker.io/a/b:1", "registry-1.docker.io", "a/b"),
        ("quay.io/x", "quay.io/x:latest", "quay.io", "x"),
        ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c:latest", "127.0.0.1:5000", "a/b/c"),
    ],
)
def test_clients_fill_in_what_is_left_open(text: str, normalised: str, host: str, path: str) -> None:
    spec = PullSpec.parse(text)

    assert spec.normalised().exact() == normalised
    assert spec.host_and_path() == (host, path)


COMPONENT = st.from_regex(r"[a-z0-9]{1,6}([._-][a-z0-9]{1,6}){0,2}", fullmatch=True)
TAG = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,20}", fullmatch=True)


@given(st.sampled_from(["", "quay.io/", "h:5000/", "localhost/"]), st.lists(COMPONENT, min_size=2, max_size=4), TAG)
def test_what_is_written_reads_the_same(registry: str, components: list[str], tag: str) -> None:
    text = f"{registry}x{'/'.join(components)}:{tag}"

    assert PullSpec.parse(text).exact() == text


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        spec = PullSpec.parse(text)
    except InvalidReference:
        return
    assert spec.name or spec.registry


@pytest.mark.parametrize(
    ("image", "prefix", "matches"),
    [
        (A, A, True),
        (A, "sha256:a", True),
        (A, "a0", True),
        (A, "b", False),
        ("named", "nam", True),
        ("sha256:short", "short", False),
    ],
)
def test_an_image_is_meant_by_the_start_of_its_digest(image: str, prefix: str, matches: bool) -> None:
    assert reference.id_matches(image, prefix) is matches


@pytest.mark.parametrize("name", ["app", "app:", ":v1", "app:v1:x", "app@v1", "app:v1@x", ""])
def test_a_stream_tag_has_two_parts(name: str) -> None:
    with pytest.raises(InvalidReference):
        reference.split_stream_tag(name)


def test_a_stream_tag_is_split() -> None:
    assert reference.split_stream_tag("app:v1") == ("app", "v1")
    assert reference.split_stream_image(f"app@{A}") == ("app", A)


def test_a_stream_tag_is_split_leniently_where_it_is_created() -> None:
    assert reference.split_stream_tag_leniently("app:") == ("app", "latest")
    assert reference.split_stream_tag_leniently("app:a:b") == ("app", "a:b")
    with pytest.raises(InvalidReference, match='"app" must be of the form <stream_name>:<tag>'):
        reference.split_stream_tag_leniently("app")


@pytest.mark.parametrize(
    ("tags", "ordered"),
    [
        (
            "other latest v5.5 5.2.3 5.5 v5.3.6-bother 5.3.6-abba 5.6",
            "latest 5.6 5.5 v5.5 v5.3.6-bother 5.3.6-abba 5.2.3 other",
        ),
        ("v1 other v2 3 3.1 abc", "3.1 3 abc other v1 v2"),
        ("1.2-rc.1 2024.01.02 1.0.0 1.0.0-alpha 1.0.0-alpha.1", "1.0.0 1.0.0-alpha.1 1.0.0-alpha 1.2-rc.1 2024.01.02"),
        ("1.10 1.9 01.2", "1.10 1.9 01.2"),
        ("c a 2.0 v1.10.0 v1.9.0 latest b", "latest 2.0 v1.10.0 v1.9.0 a b c"),
        ("a a latest", "latest a"),
    ],
)
def test_the_most_useful_tags_come_first(tags: str, ordered: str) -> None:
    assert reference.prioritised(tags.split()) == ordered.split()


@given(st.lists(st.from_regex(r"(v?[0-9]{1,2}\.[0-9](\.[0-9](-rc\.[0-9])?)?|latest|[a-z]{1,2})", fullmatch=True)))
def test_the_foremost_tags_are_the_first_of_all(tags: list[str]) -> None:
    many = [*tags, *(f"build-{number}" for number in range(2500)), *reversed(tags)]

    assert reference.foremost(iter(many), 5) == reference.prioritised(many)[:5]


def test_a_tag_without_a_name_is_latest() -> None:
    assert reference.prioritised(["", "a"]) == ["latest", "a"]
