"""The WSGI application that the web processes serve."""

import os
from collections.abc import Iterable
from contextlib import closing
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse

from registry_meta.ending import notice
from registry_meta.kube.arrival import body_of
from registry_meta.kube.trimming import trim

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry_meta.settings")

HTTP2 = "HTTP/2"

LARGE = 4 * 1024 * 1024
"""Behind a longer answer (bytes) a process gives back the memory in which the objects of it were."""


def received(application: WSGIApplication) -> WSGIApplication:
    """Return an application whose bodies are whole, whoever reads them."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"] = body_of(environ)
        return application(environ, start_response)

    return call


def whole(application: WSGIApplication) -> WSGIApplication:
    """Return an application that hands over as one what it has as one.

    granian sends a list at once; from what Django returns it would fetch the one piece through a channel, with a task
    and two turns of the interpreter's lock. The answer to a HEAD has a length and no content (RFC 9110, section 9.3.2),
    which granian sees to in HTTP/1.1 alone.
    """

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = application(environ, start_response)
        if not isinstance(response, HttpResponse):
            return response
        with closing(response):
            content = response.content
        if len(content) > LARGE:
            trim()
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [content]

    return call


def ending(application: WSGIApplication) -> WSGIApplication:
    """Return an application that, while the server ends, tells clients to make new connections (RFC 9112, section 9.6).

    Over HTTP/2 the web server says so itself (GOAWAY), as soon as it no longer listens.
    """

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not notice.is_given() or environ.get("SERVER_PROTOCOL") == HTTP2:
            return application(environ, start_response)

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, ("Connection", "close")], *more)

        return application(environ, start)

    return call


application = ending(whole(received(get_wsgi_application())))
