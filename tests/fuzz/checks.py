"""What every answer must be: checks of schemathesis, and what the API promises beyond its documents.

Checks of schemathesis that are left out, and why:

- `positive_data_acceptance`: the documents give the types of fields; the rules on top of them (names, references, what
  goes with what) are answered with 422, as in Kubernetes.
- `negative_data_rejection`: unknown fields and unknown query parameters are let through by default, as in Kubernetes.
- `missing_required_header`: no operation has a required header.
- `use_after_free`, `ensure_resource_availability`: they follow links between operations, of which the documents have
  none; `tests/contract` holds what they would.
- `ignored_auth`: the documents declare no security scheme; the scenarios `authz-*` hold who may do what.
- `object_level_authorization`: it needs a second user; the same scenarios hold it.
- `max_response_time`: a machine that runs tests is no measure of time.

`default` of an operation is a Status. It stands for errors only, which `listed_success` and `status_of_failure` add to
`status_code_conformance`. Answers in another form than the documents' (watches, tables, metadata alone) are checked by
`other_form_conformance` instead of `response_schema_conformance`.
"""

from __future__ import annotations

from typing import Any

import schemathesis
from schemathesis import Case, Response
from schemathesis.checks import CheckContext, CheckFunction, not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.fuzz.forms import JSON, problems_of_frames, problems_of_object, watches, wished_form
from tests.fuzz.schemas import Schemas

APPLY_PATCH = "application/apply-patch+yaml"
UNDECLARED = "failed to create typed patch object ("
"""How a 500 begins that is right: Kubernetes' answer to an apply of fields that the kind does not have."""

VERSIONED = "resourceVersion should not be set on objects to be created"
"""The other one: Kubernetes' whole answer to the creation of an object that names its version."""

CREATES = ("POST", "PUT", "PATCH")
"""The methods by which objects are made."""

STATUS = "io.k8s.apimachinery.pkg.apis.meta.v1.Status"


@schemathesis.check
def no_server_error(ctx: CheckContext, response: Response, case: Case[Any]) -> bool | None:
    """Hold that nothing fails on the server's side, but for what Kubernetes answers with 500 as well."""
    method = case.method.upper()
    if response.status_code == 500 and method == "PATCH" and case.media_type == APPLY_PATCH:
        message = response.json()["message"]
        if message.startswith(UNDECLARED) and "field not declared in schema" in message:
            return None
    if response.status_code == 500 and method in CREATES and response.json()["message"] == VERSIONED:
        return None
    return not_a_server_error(ctx, response, case)


@schemathesis.check
def listed_success(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Hold that an answer that is no error has a code that the document lists; `default` is for errors."""
    listed = case.operation.responses.status_codes
    assert response.status_code >= 400 or str(response.status_code) in listed, (
        f"{response.status_code} is not among {', '.join(listed)}"
    )


@schemathesis.check
def status_of_failure(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Hold that every error is a Status in JSON, and that it says the code of the answer."""
    if response.status_code < 400:
        return
    assert response.headers["content-type"] == [JSON], f"an error is {response.headers['content-type']}"
    status = response.json()
    problems = Schemas.of(case.operation.schema.raw_schema).problems(STATUS, status)
    assert not problems, f"no Status: {problems[0]}"
    said = {key: status.get(key) for key in ("kind", "apiVersion", "status", "code")}
    wanted = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": response.status_code}
    assert said == wanted, f"a Status says {said}"
    assert status.get("message"), "a Status has no message"
    assert "Traceback" not in response.text, "an answer has a traceback"


@schemathesis.check
def other_form_conformance(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Hold that a watch is frames in JSON, each with an object of its type, and that tables are tables."""
    if response.status_code >= 400:
        return
    if watches(case):
        problems = problems_of_frames(case, response.content)
    else:
        problems = problems_of_object(case, response.json(), wished_form(case))
    assert not problems, problems[0]


EVERY_ANSWER: tuple[CheckFunction, ...] = (
    no_server_error,
    status_code_conformance,
    listed_success,
    status_of_failure,
    content_type_conformance,
    response_headers_conformance,
    unsupported_method,
    allow_header_conformance,
)


def checks_for(case: Case[Any], response: Response) -> list[CheckFunction]:
    """Return the checks of an answer, by the form that was asked for."""
    is_other = response.status_code < 400 and (watches(case) or bool(wished_form(case)))
    return [*EVERY_ANSWER, other_form_conformance if is_other else response_schema_conformance]
