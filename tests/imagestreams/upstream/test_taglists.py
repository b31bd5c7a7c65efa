from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagestreams.upstream.errors import Malformed
from imagestreams.upstream.taglists import DEEPEST, LONGEST_NAME, names

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


def read(text: str | bytes, *, size: int = 7) -> list[str]:
    return list(names(pieces(text.encode() if isinstance(text, str) else text, size)))


@settings(deadline=None)
@given(
    st.lists(st.text(max_size=12), max_size=12),
    st.dictionaries(st.text(max_size=6).filter(lambda key: key != "tags"), VALUES, max_size=4),
    st.integers(1, 40),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
def test_any_list_is_read_as_it_was_written_however_it_comes(
    tags: list[str], others: dict[str, object], size: int, indent: int | str | None, escaped: bool
) -> None:
    document = {**others, "tags": tags, "last": others}
    body = json.dumps(document, indent=indent, ensure_ascii=escaped).encode(errors="surrogatepass")

    assert read(body, size=size) == tags


@pytest.mark.parametrize(
    "text", ['{"tags": null}', "{}", '{"name": "a"}', '{"tags": []}', ' {"tags" : [ ] } \n', '{"tags": null, "a": 1}']
)
def test_a_list_may_be_empty(text: str) -> None:
    assert read(text) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "unexpected end of JSON input"),
        ("<html>", "invalid character '<' looking for beginning of value"),
        ('["a"]', "no list of names"),
        ('"tags"', "no list of names"),
        ("null", "no list of names"),
        ('{"tags": ["a", 1]}', "no list of names"),
        ('{"tags": ["a", null]}', "no list of names"),
        ('{"tags": [["a"]]}', "no list of names"),
        ('{"tags": "a"}', "looking for beginning"),
        ('{"tags": {"a": "b"}}', "looking for beginning"),
        ('{"tags": 1}', "no list of names"),
        ('{"tags": ["a"', "unexpected end of JSON input"),
        ('{"tags": ["a', "unexpected end of JSON input"),
        ('{"tags": ["a",', "unexpected end of JSON input"),
        ('{"tags": ["a",]}', "no list of names"),
        ('{"tags": ["a" "b"]}', "invalid character"),
        ('{"tags": ["a"]', "unexpected end of JSON input"),
        ('{"tags": ["a"]}}', "after top-level value"),
        ('{"tags": ["a"], }', "looking for beginning"),
        ('{"tags": ["\\q"]}', "invalid character in string literal"),
        ('{"tags" ["a"]}', "invalid character"),
        ('{"name": ]}', "invalid character"),
        ('{"name": ' + "[" * (DEEPEST + 1), "exceeded max depth"),
        ('{"name": ' + '{"a": ' * 100_000, "exceeded max depth"),
        ('{"tags": ["' + "a" * (LONGEST_NAME + 1) + '"]}', "more than"),
        ('{"tags": ["' + "a" * 10_000_000, "more than"),
        ('{"name": "' + "a" * 10_000_000, "more than"),
        ('{"name": ' + "1" * 10_000_000, "more than"),
        ('{"tags": ["\\ud800"]}', "invalid character in string literal"),
        (b'{"tags": ["\xff"]}', "invalid UTF-8"),
        (b'{"tags": ["\xc3', "invalid UTF-8"),
    ],
)
def test_what_is_no_list_of_names_is_malformed(text: str | bytes, complaint: str) -> None:
    with pytest.raises(Malformed, match=complaint):
        read(text, size=1000)


def test_what_came_before_the_fault_was_read() -> None:
    found = names(pieces(b'{"tags": ["a", "b", 3]}', 5))

    assert [next(found), next(found)] == ["a", "b"]
    with pytest.raises(Malformed):
        next(found)


def test_a_name_that_comes_letter_by_letter_costs_little() -> None:
    started = time.monotonic()

    with pytest.raises(Malformed):
        read('{"name": "' + "a" * 60_000, size=1)

    assert time.monotonic() - started < 2


def endless(count: int) -> Iterator[bytes]:
    yield b'{"name": "a/b", "tags": ["latest"'
    for start in range(0, count, 1000):
        yield "".join(f', "build-{number:012d}"' for number in range(start, start + 1000)).encode()
    yield b"]}"


def test_names_need_the_memory_of_a_piece_however_many_they_are() -> None:
    tracemalloc.start()
    count = sum(1 for _ in names(endless(50_000)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert count == 50_001
    assert peak < 500_000


def test_half_a_million_names_are_read_in_a_moment() -> None:
    came = list(endless(500_000))
    started = time.process_time()

    count = sum(1 for _ in names(came))

    assert count == 500_001
    assert time.process_time() - started < 2
