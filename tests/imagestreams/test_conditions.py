from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from imagestreams import conditions
from imagestreams.reference import PullSpec
from tests.imagestreams.builders import digest


@dataclass
class Failure:
    """A failure of an upstream registry, by its values."""

    text: str
    codes: Sequence[str] = ()
    status: int | None = None
    answered_by: str = "registry"


SOURCE = PullSpec.parse("busybox")
NAME = "docker.io/library/busybox:latest"
HUB = Failure('Get "https://r/v2/": unauthorized: incorrect username or password', ["UNAUTHORIZED"], 401, "token")


@pytest.mark.parametrize(
    ("failure", "reason", "code", "message"),
    [
        (
            Failure("manifest unknown", ["MANIFEST_UNKNOWN"], 404),
            "NotFound",
            404,
            f'dockerimage.image.openshift.io "{NAME}" not found',
        ),
        (
            Failure("unauthorized: authentication required", ["UNAUTHORIZED"], 401),
            "Unauthorized",
            401,
            f'you may not have access to the container image "{NAME}"',
        ),
        (
            Failure('Get "https://r/v2/x": no basic auth credentials'),
            "Unauthorized",
            401,
            f'you may not have access to the container image "{NAME}"',
        ),
        (HUB, "Unauthorized", 401, f'incorrect username or password for image "{NAME}"'),
        (
            Failure("unauthorized: Please login", ["UNAUTHORIZED"], 401, "token"),
            "InternalError",
            500,
            f"Internal error occurred: {NAME}: unauthorized: Please login",
        ),
        (Failure("denied", ["DENIED"], 403), "InternalError", 500, f"Internal error occurred: {NAME}: denied"),
        (
            Failure("name unknown", ["NAME_UNKNOWN"], 404),
            "InternalError",
            500,
            f"Internal error occurred: {NAME}: name unknown",
        ),
        (
            Failure("received unexpected HTTP status: 503 Service Unavailable", status=503),
            "InternalError",
            500,
            f"Internal error occurred: {NAME}: received unexpected HTTP status: 503 Service Unavailable",
        ),
    ],
)
def test_a_failed_image_is_told(failure: Failure, reason: str, code: int, message: str) -> None:
    status = conditions.image_failure(failure, SOURCE)

    assert (status["reason"], status["code"], status["message"]) == (reason, code, message)
    assert status["status"] == "Failure"
    assert "kind" not in status


def test_the_details_of_a_missing_image_name_it() -> None:
    status = conditions.image_failure(
        Failure("", ["MANIFEST_UNKNOWN"], 404), PullSpec.parse(f"quay.io/a/b@{digest('a')}")
    )

    name = f"quay.io/a/b@{digest('a')}"
    assert status["details"] == {"name": name, "group": "image.openshift.io", "kind": "dockerimage"}


def test_an_internal_error_repeats_its_words_as_cause() -> None:
    assert conditions.internal_failure("x: y")["details"] == {"causes": [{"message": "x: y"}]}


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (Failure("", ["NAME_UNKNOWN"], 404), 'dockerimage.image.openshift.io "busybox" not found'),
        (Failure("", ["UNAUTHORIZED"], 401), 'you may not have access to the container image "busybox"'),
        (Failure("no basic auth credentials"), "Internal error occurred: no basic auth credentials"),
        (Failure("denied", ["DENIED"], 403), "Internal error occurred: denied"),
    ],
)
def test_a_repository_that_cannot_be_listed_is_told(failure: Failure, message: str) -> None:
    assert conditions.tag_list_failure(failure, "busybox")["message"] == message


@pytest.mark.parametrize(
    ("failures", "message"),
    [
        (1, "one of the images from this repository failed to import"),
        (3, "3 of the images from this repository failed to import"),
    ],
)
def test_a_repository_sums_up_its_failures(failures: int, message: str) -> None:
    status = conditions.repository_status(failures)

    assert (status["reason"], status["message"]) == ("ImportFailed", message)
    assert conditions.is_failure(status)


def test_success_has_no_words() -> None:
    assert conditions.repository_status(0) == {"metadata": {}, "status": "Success"}
    assert not conditions.is_failure(conditions.success())


def test_several_failures_are_one() -> None:
    assert conditions.combined_failure(["a", "b", "a"])["message"] == "Internal error occurred: [a, b]"
    assert conditions.combined_failure(["a", "a"])["message"] == "Internal error occurred: a"


def test_a_blocked_registry_is_forbidden() -> None:
    status = conditions.blocked("evil.example")

    assert (status["reason"], status["code"], status["message"]) == (
        "Forbidden",
        403,
        "forbidden: registry evil.example blocked",
    )


def test_an_image_that_neither_came_nor_failed_is_told() -> None:
    by_tag = conditions.unknown_failure(PullSpec.parse("quay.io/a/b:1"), import_mode="Legacy")
    by_digest = conditions.unknown_failure(PullSpec.parse(f"quay.io/a/b@{digest('a')}"), import_mode="Legacy")

    assert 'importing tag "1" from repository "quay.io/a/b" with import mode "Legacy"' in str(by_tag["message"])
    assert f'importing digest "{digest("a")}"' in str(by_digest["message"])
