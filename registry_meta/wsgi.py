"""The WSGI application that the web processes serve."""

import os
from collections.abc import Iterable
from contextlib import closing
from io import BytesIO
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse

from registry_meta.kube.trimming import trim

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry_meta.settings")

WITHOUT_BODY = frozenset({"GET", "HEAD"})

LONGEST = 4 * 1024 * 1024
"""The most that is read of a body of unknown length (bytes): more than the API accepts, so that it says so."""

LARGE = 4 * 1024 * 1024
"""Behind a longer answer (bytes) a process gives back the memory in which the objects of it were."""


def measured(application: WSGIApplication) -> WSGIApplication:
    """Return an application that is told the length of bodies of which the client did not say it.

    Django takes them for empty: those in chunks (RFC 9112, section 7.1), and those of HTTP/2 without the header.
    """

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not environ.get("CONTENT_LENGTH") and environ["REQUEST_METHOD"] not in WITHOUT_BODY:
            body: bytes = environ["wsgi.input"].read(LONGEST)
            environ["wsgi.input"] = BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
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


application = whole(measured(get_wsgi_application()))
