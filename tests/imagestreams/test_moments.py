from __future__ import annotations

from datetime import UTC, datetime

import pytest

from imagestreams import moments
from registry_meta.kube.errors import FieldError


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02t03:04:05z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
        ("2026-01-02T03:04:05.5+02:00", datetime(2026, 1, 2, 1, 4, 5, 500000, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_rfc_3339_writes_it(text: str, meant: datetime) -> None:
    assert moments.moment(text) == meant


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-01-02", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z", "2026-01-02T03:04:60Z",
     "9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+01:00", "2026-01-02T03:04:05Z\n", "٢٠٢٦-01-02T03:04:05Z"],
)  # fmt: skip
def test_another_text_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        moments.moment(text)


def test_a_parameter_that_is_no_time_is_named() -> None:
    problems: list[FieldError] = []

    found = moments.asked({"at": "now", "since": "2026-01-02T03:04:05 02:00"}, "at", problems)
    moments.asked({"since": "2026-01-02T03:04:05 02:00"}, "since", problems)

    assert found is None
    assert [problem.field for problem in problems] == ["at", "since"]
    assert "%2B" in problems[1].message


def test_a_parameter_may_be_left_out() -> None:
    problems: list[FieldError] = []

    assert moments.asked({}, "at", problems) is None
    assert problems == []
