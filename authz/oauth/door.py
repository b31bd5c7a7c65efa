"""The paths of the OAuth server: open to everybody, counted and let in as other paths are, and told of in the audit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import SuspiciousOperation
from django.db import connection
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import decorator_from_middleware
from django.views.decorators.csrf import csrf_protect
from rest_framework.request import Request

from authz.authentication import NOBODY
from registry_meta.kube import audit, errors
from registry_meta.kube.deadline import Deadline
from registry_meta.kube.views import ApiView

FORM = "application/x-www-form-urlencoded"
LONGEST_BODY = 32 * 1024
LONGEST_QUERY = 16 * 1024
SECONDS = 30.0

DECISION = "authentication.openshift.io/decision"
USERNAME = "authentication.openshift.io/username"
CLIENT = "registry-meta/oauth-client"
LONGEST_NAME = 253

TOLD = "registry_meta.told"
"""Under which key a request says what the audit is to be told of it."""

Answer = Callable[..., HttpResponseBase]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the audit is told: whether somebody was let in (`allow`, `deny`, `error`), who, and by which client."""

    word: str
    username: str = ""
    client: str = ""

    def annotations(self) -> dict[str, str]:
        """Return the annotations of the line, under the names that OpenShift gives them."""
        about = {DECISION: self.word, USERNAME: self.username[:LONGEST_NAME], CLIENT: self.client[:LONGEST_NAME]}
        return {key: value for key, value in about.items() if value}


def tell(request: HttpRequest, decision: Decision) -> None:
    """Have the audit tell of a request."""
    request.META[TOLD] = decision


class OpenView(ApiView):
    """A path that asks for no token: each of its methods is answered by a function."""

    answers: Mapping[str, Answer] = {}

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Let a request in if there is room."""
        self.actor = NOBODY
        self._enter(NOBODY)
        self.deadline = Deadline(SECONDS)

    def _methods(self) -> list[str]:
        return sorted({*self.answers, *(["HEAD"] if "GET" in self.answers else [])})

    def _tell(self, response: HttpResponseBase, seconds: float) -> None:
        super()._tell(response, seconds)
        decision = self.request.META.get(TOLD)
        if isinstance(decision, Decision):
            audit.tell(
                self.request, self.info, actor=NOBODY, context=None, code=response.status_code, seconds=seconds,
                audit_id=response.headers["Audit-ID"], annotations=decision.annotations(),
            )  # fmt: skip

    def _serve(self, request: Request) -> HttpResponseBase:
        method = "GET" if request.method == "HEAD" else request.method or ""
        answer = self.answers.get(method)
        if answer is None:
            raise errors.method_not_allowed()
        _check_size(request._request)
        with connection.execute_wrapper(self.deadline):
            return answer(request._request, **self.kwargs)


def _check_size(request: HttpRequest) -> None:
    """Read the form of a request; raises 413, 415 and 400 for what is none or too long."""
    if len(request.META.get("QUERY_STRING", "")) > LONGEST_QUERY:
        raise errors.bad_request(f"the query is longer than {LONGEST_QUERY} bytes")
    if request.method != "POST":
        return
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > LONGEST_BODY:
        raise errors.too_large(LONGEST_BODY)
    if request.content_type != FORM:
        raise errors.unsupported_media_type([FORM])
    try:
        _ = request.POST
    except (SuspiciousOperation, UnicodeError) as error:
        raise errors.bad_request("the form could not be read") from error


def browser(view: Answer) -> Answer:
    """Return a view that has a session, and takes a form from its own pages alone."""
    return decorator_from_middleware(SessionMiddleware)(csrf_protect(view))


def opened(**answers: Answer) -> Callable[..., HttpResponseBase]:
    """Return the view of a path, given what answers each of its methods."""
    view: Callable[..., HttpResponseBase] = OpenView.as_view(answers=answers)
    return view
