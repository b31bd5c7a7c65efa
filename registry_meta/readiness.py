"""Whether the web processes of this machine serve; `python -m registry_meta.readiness` tells by its exit code."""

from __future__ import annotations

import http.client
import ssl
import sys

from registry_meta import environment as environments
from registry_meta.environment import Environment, loopback

TIMEOUT = 2.0
"""Seconds that an answer may take."""


def is_ready(environment: Environment) -> bool:
    """Return whether `/readyz` answers 200."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The certificate may name other hosts only, and nothing secret is sent to this machine's own port.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    host = loopback(environment.bind).strip("[]")
    connection = http.client.HTTPSConnection(host, environment.port, timeout=TIMEOUT, context=context)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not is_ready(environments.read()))
