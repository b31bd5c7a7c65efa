"""Every Status a client can see: errors with the field errors inside them, and success."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from registry_meta.kube.meta import GroupKind, GroupResource


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong at one field; `str()` gives `path: Type: value: detail` as Kubernetes prints it."""

    reason: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


PASSWORD = re.compile(r'("|//)([^\s/:@"]*):[^\s/"]+@(?!sha\d+:)')
"""A user name and a password before a host (RFC 3986, section 3.2.1); a tag before a digest only looks like one."""


def _printed(value: object) -> str:
    """Return a value as Kubernetes prints it in field errors: strings quoted, the rest as JSON; without passwords."""
    if isinstance(value, msgspec.Struct):
        text = msgspec.json.encode(value).decode()
    else:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return PASSWORD.sub(r"\1\2:***@", text) if "@" in text else text


def _detailed(text: str, detail: str) -> str:
    return f"{text}: {detail}" if detail else text


def required(field: str, detail: str = "") -> FieldError:
    """Return the error of a missing value."""
    return FieldError("FieldValueRequired", field, _detailed("Required value", detail))


def invalid_value(field: str, value: object, detail: str) -> FieldError:
    """Return the error of a value that breaks a rule."""
    return FieldError("FieldValueInvalid", field, _detailed(f"Invalid value: {_printed(value)}", detail))


def type_invalid(field: str, value: object, detail: str) -> FieldError:
    """Return the error of a value of the wrong type."""
    return FieldError("FieldValueTypeInvalid", field, _detailed(f"Invalid value: {_printed(value)}", detail))


def not_supported(field: str, value: object, supported: Sequence[str]) -> FieldError:
    """Return the error of a value outside a closed set, whose members are listed as given."""
    listed = ", ".join(_printed(item) for item in supported)
    return FieldError(
        "FieldValueNotSupported", field, f"Unsupported value: {_printed(value)}: supported values: {listed}"
    )


def field_forbidden(field: str, detail: str) -> FieldError:
    """Return the error of a value that may not be set here."""
    return FieldError("FieldValueForbidden", field, f"Forbidden: {detail}")


def duplicate(field: str, value: object) -> FieldError:
    """Return the error of a value given twice."""
    return FieldError("FieldValueDuplicate", field, f"Duplicate value: {_printed(value)}")


def field_not_found(field: str, value: object) -> FieldError:
    """Return the error of a reference to something that does not exist."""
    return FieldError("FieldValueNotFound", field, f"Not found: {_printed(value)}")


def too_long(field: str, limit: int) -> FieldError:
    """Return the error of a value over `limit` bytes."""
    return FieldError("FieldValueTooLong", field, f"Too long: may not be more than {limit} bytes")


def too_many(field: str, count: int, limit: int) -> FieldError:
    """Return the error of a list over `limit` items."""
    return FieldError("FieldValueTooMany", field, f"Too many: {count}: must have at most {limit} items")


def internal_field(field: str, detail: str) -> FieldError:
    """Return the error of a check that failed for a reason of its own."""
    return FieldError("InternalError", field, f"Internal error: {detail}")


class StatusError(Exception):
    """An answer that is a Kubernetes `Status` of failure.

    `code` is the HTTP status, `reason` the machine-readable word, `details` the optional object
    {name, group, kind, uid, causes: [{reason, message, field}], retryAfterSeconds}, `continue_` a token for the rest
    of a list. `asked_by` is the Actor who was refused before it was known as whom he is served.
    """

    def __init__(
        self, code: int, reason: str, message: str, *, details: dict[str, object] | None = None, retry_after: int = 0,
        continue_: str = "",
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.retry_after = retry_after
        self.continue_ = continue_
        self.asked_by: object = None

    def status(self) -> dict[str, object]:
        """Return the Status object that goes on the wire."""
        details = self.details
        if self.retry_after:
            details = {**(details or {}), "retryAfterSeconds": self.retry_after}
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.continue_} if self.continue_ else {},
            "status": "Failure",
            "message": self.message,
            **({"reason": self.reason} if self.reason else {}),
            **({"details": details} if details is not None else {}),
            "code": self.code,
        }


def _about(resource: GroupResource, name: str, *, uid: str = "") -> dict[str, object]:
    """Return the details that name an object by its plural resource."""
    about = {"name": name, "group": resource.group, "kind": resource.resource, "uid": uid}
    return {key: value for key, value in about.items() if value}


def bad_request(message: str) -> StatusError:
    """Return 400: the request itself makes no sense."""
    return StatusError(400, "BadRequest", message)


def unauthorized() -> StatusError:
    """Return 401: the credential presented is not valid."""
    return StatusError(401, "Unauthorized", "Unauthorized")


def forbidden(resource: GroupResource, name: str, why: str) -> StatusError:
    """Return 403 for an object (or, with an empty name, for a whole resource)."""
    subject = f'{resource} "{name}"' if name else str(resource)
    return StatusError(403, "Forbidden", f"{subject} is forbidden: {why}", details=_about(resource, name))


def forbidden_path(why: str) -> StatusError:
    """Return 403 for a path that is no resource."""
    return StatusError(403, "Forbidden", f"forbidden: {why}", details={})


def not_found(resource: GroupResource, name: str) -> StatusError:
    """Return 404 for an object."""
    return StatusError(404, "NotFound", f'{resource} "{name}" not found', details=_about(resource, name))


def no_such_path() -> StatusError:
    """Return 404 for a path below a served prefix that leads nowhere."""
    return StatusError(404, "NotFound", "the server could not find the requested resource", details={})


def method_not_allowed() -> StatusError:
    """Return 405 for a path that exists but not with this method."""
    message = "the server does not allow this method on the requested resource"
    return StatusError(405, "MethodNotAllowed", message, details={})


def not_supported_verb(resource: GroupResource, verb: str) -> StatusError:
    """Return 405 for a resource that lacks a verb."""
    message = f'{verb} is not supported on resources of kind "{resource}"'
    details: dict[str, object] = {"group": resource.group, "kind": resource.resource}
    return StatusError(405, "MethodNotAllowed", message, details=details)


def not_acceptable(media_types: Sequence[str]) -> StatusError:
    """Return 406: no media type that the client accepts is served."""
    listed = ", ".join(media_types)
    return StatusError(406, "NotAcceptable", f"only the following media types are accepted: {listed}")


def unsupported_media_type(media_types: Sequence[str]) -> StatusError:
    """Return 415: the body is in a format that is not read here."""
    listed = ", ".join(media_types)
    message = f"the body of the request was in an unknown format - accepted media types include: {listed}"
    return StatusError(415, "UnsupportedMediaType", message)


def already_exists(resource: GroupResource, name: str) -> StatusError:
    """Return 409: the name is taken."""
    return StatusError(409, "AlreadyExists", f'{resource} "{name}" already exists', details=_about(resource, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: GroupResource, name: str, why: str = MODIFIED) -> StatusError:
    """Return 409: somebody else was there first."""
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return StatusError(409, "Conflict", message, details=_about(resource, name))


def expired(message: str, *, continue_: str = "") -> StatusError:
    """Return 410: the version asked for is no longer kept; perhaps with a token for the rest of a list."""
    return StatusError(410, "Expired", message, continue_=continue_)


def too_large(limit: int) -> StatusError:
    """Return 413: the body has more than `limit` bytes."""
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def invalid(kind: GroupKind, name: str, errors: Sequence[FieldError]) -> StatusError:
    """Return 422 with one cause for each field error; equal texts appear once in the message."""
    texts = list(dict.fromkeys(str(error) for error in errors))
    summary = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details: dict[str, object] = {
        **({"name": name} if name else {}),
        **({"group": kind.group} if kind.group else {}),
        **({"kind": kind.kind} if kind.kind else {}),
        "causes": [
            {"reason": error.reason, "message": error.message, **({"field": error.field} if error.field else {})}
            for error in errors
        ],
    }
    return StatusError(422, "Invalid", f'{kind} "{name}" is invalid: {summary}', details=details)


def too_many_requests(retry_after: int) -> StatusError:
    """Return 429: come back after `retry_after` seconds."""
    message = "Too many requests, please try again later."
    return StatusError(429, "TooManyRequests", message, retry_after=retry_after)


def internal_error(text: str) -> StatusError:
    """Return 500 with a text of ours; never that of an exception."""
    details: dict[str, object] = {"causes": [{"message": text}]}
    return StatusError(500, "InternalError", f"Internal error occurred: {text}", details=details)


def server_timeout(resource: GroupResource, verb: str, *, retry_after: int = 2) -> StatusError:
    """Return 500: the operation could not be finished now; try again."""
    message = f"The {verb} operation against {resource} could not be completed at this time, please try again."
    return StatusError(500, "ServerTimeout", message, details=_about(resource, verb), retry_after=retry_after)


def unavailable(message: str, *, retry_after: int = 1) -> StatusError:
    """Return 503: a part that is needed cannot be reached."""
    return StatusError(503, "ServiceUnavailable", message, retry_after=retry_after)


def timed_out(message: str, *, retry_after: int = 0, details: dict[str, object] | None = None) -> StatusError:
    """Return 504: the request took longer than it may."""
    return StatusError(504, "Timeout", f"Timeout: {message}", details=details, retry_after=retry_after)


def success(details: dict[str, object] | None = None) -> dict[str, object]:
    """Return a Status of success."""
    return {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        **({"details": details} if details else {}),
    }  # fmt: skip
