"""Every path of the API: who asks, what for, and which resource serves it."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace

import msgspec
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.views import APIView

from registry_meta.kube import audit, bodies, discovery, errors, marks, meta, methods, metrics
from registry_meta.kube.arrival import KEY, Body, body_of
from registry_meta.kube.catalog import catalog
from registry_meta.kube.deadline import LATE, Deadline, allotted, was_cancelled
from registry_meta.kube.errors import StatusError
from registry_meta.kube.exchange import Exchange
from registry_meta.kube.inflight import gate
from registry_meta.kube.negotiation import JSON
from registry_meta.kube.request import Actor, Context, RequestInfo, first_counts, parse_info
from registry_meta.kube.resource import Resource

logger = logging.getLogger(__name__)

DRAINED = 8 * 1024 * 1024
"""The longest body (bytes) that is read although nobody wants it."""

TURNS = threading.BoundedSemaphore(4)
"""How many requests one process works on at a time: more threads would only get in each other's way."""


class ApiView(APIView):
    """Every path of the API: authenticates, authorises, and hands over to the verb.

    The roof sets `authentication_classes` and `permission_classes`; permission classes read `info`.
    """

    info: RequestInfo
    actor: Actor | None = None
    context: Context | None = None
    deadline: Deadline
    is_inside = False
    tells_writes = True
    renderer_classes = ()
    parser_classes = ()
    throttle_classes = ()

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        """Answer a request, tell what came of it, and let go of it."""
        began = time.perf_counter()
        request.GET = first_counts(request.GET)  # type: ignore[assignment]  # the stubs know one kind of query
        self.info = parse_info(request.method or "GET", request.path_info, request.GET)
        try:
            response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
            self._tell(response, time.perf_counter() - began)
            return response
        finally:
            if self.is_inside:
                gate.leave(self.info.verb)
            # The framework ties view, request and answer into a ring, in which answers of megabytes would wait for the
            # collector of garbage.
            self.__dict__.clear()

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Find out who asks, whether there is room and whether they may; errors about bodies and paths come later."""
        self.perform_authentication(request)
        self.actor = _actor(request)
        self._enter(self.actor)
        self.check_permissions(request)
        self.deadline = Deadline(allotted(request.GET.get("timeout"), most=settings.ENVIRONMENT.request_timeout))

    def handle_exception(self, exc: Exception) -> HttpResponseBase:
        """Turn whatever went wrong into a Status; what is not ours to explain is logged and answered with 500."""
        if self.actor is None and isinstance(exc, StatusError) and isinstance(exc.asked_by, Actor):
            self.actor = exc.asked_by
        response = failure(exc, self.request)
        if response.status_code == 405:
            response.headers["Allow"] = ", ".join(self._methods())
        return response

    def finalize_response(
        self, request: Request, response: HttpResponseBase, *args: object, **kwargs: object
    ) -> HttpResponseBase:
        """Add the headers that every answer carries."""
        _drain(request)
        headers = response.headers
        headers["Audit-ID"] = request.META.get("HTTP_AUDIT_ID") or str(uuid.uuid4())
        headers.setdefault("Cache-Control", "no-cache, private")
        return response

    def get(self, request: Request, **kwargs: object) -> HttpResponseBase:
        """Serve get, list and watch."""
        return self._serve(request)

    def post(self, request: Request, **kwargs: object) -> HttpResponseBase:
        """Serve create."""
        return self._serve(request)

    def put(self, request: Request, **kwargs: object) -> HttpResponseBase:
        """Serve update by replacement."""
        return self._serve(request)

    def patch(self, request: Request, **kwargs: object) -> HttpResponseBase:
        """Serve update by patch."""
        return self._serve(request)

    def delete(self, request: Request, **kwargs: object) -> HttpResponseBase:
        """Serve delete and deletecollection."""
        return self._serve(request)

    def options(self, request: Request, *args: object, **kwargs: object) -> HttpResponseBase:
        """Refuse OPTIONS: discovery says what is possible."""
        raise errors.method_not_allowed()

    def http_method_not_allowed(self, request: Request, *args: object, **kwargs: object) -> HttpResponseBase:
        """Refuse a method that no path here has."""
        raise errors.method_not_allowed()

    def _methods(self) -> list[str]:
        """Return the methods that the path has."""
        info = self.info
        return methods.allowed(info, catalog.find(info.group, info.version, info.resource))

    def _enter(self, actor: Actor) -> None:
        """Take a place among the requests that are answered; raises 429 when there is none."""
        info = self.info
        resource = catalog.find(info.group, info.version, info.resource) if info.is_resource else None
        if info.verb != "watch" and not (resource is not None and _takes_long(resource.storage)):
            gate.enter(info.verb, actor.groups, limit=settings.ENVIRONMENT.max_requests_inflight)
            self.is_inside = True

    def _tell(self, response: HttpResponseBase, seconds: float) -> None:
        """Count an answer, and audit it if its request may have changed something."""
        info = self.info
        metrics.count(info, response.status_code, seconds)
        if self.tells_writes and audit.is_told(info):
            audit.tell(
                self.request, info, actor=self.actor, context=self.context, code=response.status_code, seconds=seconds,
                audit_id=response.headers["Audit-ID"],
            )  # fmt: skip

    def _permit(self, verb: str) -> None:
        """Raise 403 unless the actor may do another verb with the object of this request."""
        asked = self.info
        self.info = replace(asked, verb=verb)
        try:
            self.check_permissions(self.request)
        finally:
            self.info = asked

    def _serve(self, request: Request) -> HttpResponseBase:
        info = self.info
        if not catalog.has(info.group, info.version):
            return discovery.no_page()
        resource = catalog.find(info.group, info.version, info.resource)
        if resource is None or info.trailing or not _fits(info, resource):
            raise errors.no_such_path()
        if request.method == "HEAD":
            raise errors.method_not_allowed()
        context = self.context = Context(
            actor=_actor(request),
            resource=resource,
            now=meta.now(),
            namespace=info.namespace if resource.namespaced else "",
            query=request.GET,
            word=info.group_resource,
            marks=marks.of(request.META),
        )
        storage = resource.storage
        if info.subresource:
            context.subresource = resource.subresource(info.subresource)
            if context.subresource is None:
                raise errors.no_such_path()
            storage = context.subresource.storage
        self.tells_writes = not getattr(storage, "only_answers", False)
        if request.method != "GET":
            _await(body_of(request.META))
            self.deadline.check()
        exchange = Exchange(request, info, resource, context, self._permit)
        if _takes_long(storage):
            with metrics.long_running(info):
                return exchange.serve(storage)
        with self.deadline.turn(TURNS), connection.execute_wrapper(self.deadline):
            return exchange.serve(storage)


def _takes_long(storage: object) -> bool:
    return bool(getattr(storage, "is_long_running", False))


def _await(body: Body) -> None:
    """Read a body before it is the turn of its request: while it comes slowly, nobody else waits for what this has."""
    if body.is_to_come and connection.vendor == "postgresql" and not connection.in_atomic_block:
        connection.close()  # there are few, and this gives it back
    body.arrive(bodies.LIMIT)


def _drain(request: Request) -> None:
    """Read what is left of the body: an answer that comes before would end a connection that others wait for."""
    body = request.META.get(KEY)
    if isinstance(body, Body):
        body.drain(DRAINED)


def _fits(info: RequestInfo, resource: Resource) -> bool:
    """Return whether the path has a namespace where the kind has one; lists and watches may span all."""
    if resource.namespaced:
        return bool(info.namespace) or info.verb in ("list", "watch") or not info.name
    return not info.namespace or info.resource == "namespaces"


def _actor(request: Request) -> Actor:
    actor = request.user
    if not isinstance(actor, Actor):
        raise errors.unauthorized()
    return actor


def failure(exc: Exception, request: HttpRequest | Request) -> HttpResponse:
    """Return the Status answer of an exception."""
    if isinstance(exc, APIException):
        exc = _from_framework(exc)
    if was_cancelled(exc):
        exc = errors.timed_out(LATE)
    if not isinstance(exc, StatusError):
        logger.error("%s %s failed", request.method, request.path_info, exc_info=exc)
        exc = errors.internal_error("the server could not finish this request")
    response = HttpResponse(msgspec.json.encode(exc.status()) + b"\n", status=exc.code, content_type=JSON)
    if exc.retry_after:
        response.headers["Retry-After"] = str(exc.retry_after)
    if exc.code == 403:
        response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _from_framework(exc: APIException) -> StatusError:
    """Return our own error for one that the framework raised before a verb was reached."""
    if exc.status_code == 401:
        return errors.unauthorized()
    if exc.status_code == 405:
        return errors.method_not_allowed()
    return errors.bad_request("the request could not be read")


class PlainView(ApiView):
    """A path that is no resource, such as discovery: authorised like the rest, answered by a function."""

    answer: Callable[..., HttpResponseBase] | None = None

    def _methods(self) -> list[str]:
        return ["GET", "HEAD"]

    def _serve(self, request: Request) -> HttpResponseBase:
        if request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed()
        if self.answer is None:
            raise errors.no_such_path()
        return self.answer(request._request, **self.kwargs)
