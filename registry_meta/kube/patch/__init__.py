"""Patches of API objects: JSON patch, merge patch and strategic merge patch on plain JSON, and their errors."""

from __future__ import annotations

from registry_meta.kube.errors import StatusError, bad_request

REJECTED = "the server rejected our request due to an error in our request"


def rejected(why: str) -> StatusError:
    """Return 422: a patch that can be read does not fit the object; the cause at the field `patch` says why."""
    cause = {"reason": "FieldValueInvalid", "message": why, "field": "patch"}
    return StatusError(422, "Invalid", REJECTED, details={"causes": [cause]})


def malformed(why: str) -> StatusError:
    """Return 400: a patch does not have the form that its media type demands."""
    return bad_request(f"error decoding patch: {why}")
