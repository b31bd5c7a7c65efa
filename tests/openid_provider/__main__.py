"""Runs the provider over TLS until it is ended: `python -m tests.openid_provider PORT CERTIFICATE KEY`."""

from __future__ import annotations

import os
import ssl
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server

import django
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.openid_provider.settings"
django.setup()

from tests.openid_provider import people  # noqa: E402  # models need the settings


class Threads(ThreadingMixIn, WSGIServer):
    """A server that answers each connection in a thread, so that none that is idle holds up the others."""

    daemon_threads = True


def main(port: int, certificate: str, key: str) -> None:
    call_command("migrate", verbosity=0)
    people.settle()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with make_server("127.0.0.1", port, get_wsgi_application(), server_class=Threads) as server:
        server.base_environ["HTTPS"] = "on"  # from which wsgiref tells the scheme
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
