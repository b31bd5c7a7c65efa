"""How a failed import is told: the Status in the answer, and the condition that stays at the tag.

What clients see of a failure of the upstream registry is decided here, from the values that the failure carries. The
words are those that people and tools already know, so they are not changed lightly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from imagestreams.reference import PullSpec
from imagestreams.types import GROUP, TagEventCondition
from registry_meta.kube import errors
from registry_meta.kube.errors import StatusError
from registry_meta.kube.meta import GroupResource, timestamp

IMPORT_SUCCESS = "ImportSuccess"
IMAGE = GroupResource(GROUP, "dockerimage")

Status = dict[str, object]
"""A `meta/v1.Status` as it lies inside another object: without kind and apiVersion."""


class UpstreamFailure(Protocol):
    """What is known of a failed request: the words for it, the registry's error codes, the HTTP status, who said so."""

    @property
    def text(self) -> str:
        """Return the words for the failure."""

    @property
    def codes(self) -> Sequence[str]:
        """Return the error codes of the answer, such as MANIFEST_UNKNOWN."""

    @property
    def status(self) -> int | None:
        """Return the HTTP status of the answer, or None when there was none."""

    @property
    def answered_by(self) -> str:
        """Return `registry` or `token`."""


def success() -> Status:
    """Return the Status of an import that went well."""
    return {"metadata": {}, "status": "Success"}


def of_error(error: StatusError) -> Status:
    """Return an answer of failure in the form that it has inside another object."""
    return {key: value for key, value in error.status().items() if key not in ("kind", "apiVersion")}


def image_failure(failure: UpstreamFailure, source: PullSpec) -> Status:
    """Return the Status of an image whose manifest or configuration could not be fetched."""
    name = source.normalised().exact()
    if "MANIFEST_UNKNOWN" in failure.codes:
        return of_error(errors.not_found(IMAGE, name))
    if _is_unauthorized(failure) or failure.text.endswith("no basic auth credentials"):
        return _unauthorized(f'you may not have access to the container image "{name}"')
    if failure.text.endswith("incorrect username or password"):
        return _unauthorized(f'incorrect username or password for image "{name}"')
    return internal_failure(f"{name}: {failure.text}")


def tag_list_failure(failure: UpstreamFailure, repository: str) -> Status:
    """Return the Status of a repository, named as it was typed, whose tags could not be listed."""
    if "NAME_UNKNOWN" in failure.codes:
        return of_error(errors.not_found(IMAGE, repository))
    if _is_unauthorized(failure):
        return _unauthorized(f'you may not have access to the container image "{repository}"')
    return internal_failure(failure.text)


def internal_failure(text: str) -> Status:
    """Return the Status of any other failure: a manifest that cannot be used, a registry that is broken."""
    return of_error(errors.internal_error(text))


def bare_message(status: Mapping[str, object]) -> str:
    """Return the words of a Status of failure, without those that every internal error begins with."""
    return str(status.get("message") or "").removeprefix("Internal error occurred: ")


def combined_failure(texts: Sequence[str]) -> Status:
    """Return the Status of an image that none of several places could give."""
    unique = list(dict.fromkeys(texts))
    return internal_failure(unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]")


def blocked(registry: str) -> Status:
    """Return the Status of an image from a registry that is blocked here."""
    return of_error(errors.forbidden_path(f"registry {registry} blocked"))


def unknown_failure(reference: PullSpec, *, import_mode: str) -> Status:
    """Return the Status of an image that neither came nor failed."""
    kind, name = ("digest", reference.id) if reference.id else ("tag", reference.tag)
    repository = reference.repository().exact()
    return internal_failure(
        f'unknown error while importing {kind} "{name}" from repository "{repository}"'
        f' with import mode "{import_mode}", please try again.'
    )


def repository_status(failures: int) -> Status:
    """Return the Status of a repository import of which some images failed, or none."""
    if not failures:
        return success()
    subject = "one of the images" if failures == 1 else f"{failures} of the images"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"{subject} from this repository failed to import",
        "reason": "ImportFailed",
    }


def is_failure(status: Mapping[str, object]) -> bool:
    """Return whether a Status tells of a failure."""
    return status.get("status") != "Success"


def import_failure(status: Mapping[str, object], *, generation: int, now: datetime) -> TagEventCondition:
    """Return the condition of a tag whose import failed with a Status."""
    return TagEventCondition(
        type=IMPORT_SUCCESS,
        status="False",
        last_transition_time=timestamp(now),
        reason=str(status.get("reason") or ""),
        message=str(status.get("message") or "unknown error prevented import"),
        generation=generation,
    )


def is_same_failure(one: TagEventCondition, other: TagEventCondition) -> bool:
    """Return whether two conditions tell the same, whenever that was."""
    return (one.type, one.status, one.reason, one.message) == (other.type, other.status, other.reason, other.message)


def _is_unauthorized(failure: UpstreamFailure) -> bool:
    """Return whether the registry itself, not its token service, asked for other credentials."""
    if failure.answered_by != "registry":
        return False
    return "UNAUTHORIZED" in failure.codes or (failure.status == 401 and not failure.codes)


def _unauthorized(message: str) -> Status:
    return {"metadata": {}, "status": "Failure", "message": message, "reason": "Unauthorized", "code": 401}
