"""Whether the web processes of this machine serve: `python -m registry_meta.readiness [--wait]` ends with 0 if so."""

from __future__ import annotations

import http.client
import ssl
import sys
import time

from registry_meta import environment as environments
from registry_meta.environment import Environment, loopback

TIMEOUT = 2.0
"""Seconds that an answer may take."""

INTERVAL = 0.1
"""Seconds between two questions while waiting."""


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


def main(arguments: list[str]) -> int:
    """Ask once, or with `--wait` until the answer is yes, and return the exit code."""
    environment = environments.read()
    while "--wait" in arguments and not is_ready(environment):
        time.sleep(INTERVAL)
    return 0 if is_ready(environment) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
