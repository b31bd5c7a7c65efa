"""`./manage.py frontproxy`: the processes that answer trusted proxies, on a port of their own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from granian.constants import Interfaces

from registry_meta import certificates, counters
from registry_meta.bridge import Bridge
from registry_meta.databases import limit_statements
from registry_meta.ending import notice
from registry_meta.environment import Environment
from registry_meta.kube.changes import feed
from registry_meta.lifeline import die_with_parent
from registry_meta.management.commands.web import load, make_server
from registry_meta.wsgi import application

THREADS = 512
LOOK_SECONDS = 0.2


class Command(BaseCommand):
    """Serves clients that have a certificate of the authority of trusted proxies, and nobody else."""

    help = "Answers requests of trusted proxies."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until told to end."""
        environment: Environment = settings.ENVIRONMENT
        limit_statements(settings.DATABASES["default"], seconds=environment.request_timeout)
        load()
        make_server(
            environment,
            certificates.ensure(environment, now=datetime.now(UTC)),
            port=environment.requestheader_port,
            interface=Interfaces.ASGINL,
            more={"ssl_ca": environment.requestheader_client_ca, "ssl_client_verify": True},
        ).serve(target_loader=partial(tied_bridge, os.getpid()), wrap_loader=False)


def tied_bridge(parent: int) -> Callable[..., Any]:
    """Return the ASGI application to a new process, and tie the process to its parent."""
    die_with_parent(parent)
    counters.begin(settings.COUNTERS)
    # The loop of ASGI takes the signals for itself.
    threading.Thread(target=_end_watches, name="ending", daemon=True).start()
    return Bridge(application, threads=THREADS, seconds=settings.ENVIRONMENT.request_timeout)


def _end_watches() -> None:
    while not notice.is_given():
        time.sleep(LOOK_SECONDS)
    feed.close()
