"""Whether the processes of this machine do their work: `python -m registry_meta.readiness [--wait | --tasks]`.

It ends with 0 if the web processes answer, or, with `--tasks`, if the clock and a worker are at work.
"""

from __future__ import annotations

import http.client
import ssl
import sys
import time

from registry_meta import environment as environments
from registry_meta.environment import SIGN_OF_LIFE, Environment, loopback

TIMEOUT = 2.0
"""Seconds that an answer may take."""

LATEST_SIGN = 60.0
"""Seconds after which a clock or worker that showed no life counts as dead; it shows some every ten."""

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


def does_tasks(environment: Environment, *, now: float) -> bool:
    """Return whether a worker has done what the clock asks for, a short time ago."""
    try:
        return now - (environment.data_dir / SIGN_OF_LIFE).stat().st_mtime < LATEST_SIGN
    except FileNotFoundError:
        return False


def main(arguments: list[str]) -> int:
    """Ask once, or with `--wait` until the answer is yes, and return the exit code."""
    environment = environments.read()
    if "--tasks" in arguments:
        return 0 if does_tasks(environment, now=time.time()) else 1
    while "--wait" in arguments and not is_ready(environment):
        time.sleep(INTERVAL)
    return 0 if is_ready(environment) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
