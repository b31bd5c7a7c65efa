"""`./manage.py web`: the processes that answer requests."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.urls import get_resolver
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from registry_meta import certificates, counters, startup
from registry_meta.databases import limit_statements
from registry_meta.ending import end_watches_on_signal, notice
from registry_meta.environment import Environment
from registry_meta.lifeline import die_with_parent
from registry_meta.wsgi import application

STREAMS = 1000
"""The most requests at a time on one HTTP/2 connection: clients put all of their watches on one."""

HEADERS = 400 * 1024
"""The most that the headers of a request may be (bytes): they are read before it is known who asks."""

HTTP1 = HTTP1Settings(header_read_timeout=30_000, max_buffer_size=HEADERS)
HTTP2 = HTTP2Settings(
    max_concurrent_streams=STREAMS,
    max_headers_size=HEADERS,
    max_frame_size=16 * 1024,
    initial_stream_window_size=256 * 1024,
    initial_connection_window_size=1024 * 1024,
    max_send_buffer_size=HEADERS,
    keep_alive_interval=10_000,
    keep_alive_timeout=10,
)
"""What one connection may hold; one that is silent for 10 seconds is pinged, and closed after 10 more."""

CONNECTIONS_A_THREAD = 4
"""How many connections a web process accepts for each request that it holds; further ones wait."""

IDLE_SECONDS = 10
"""How long a thread without work is kept."""

SWITCH_SECONDS = 0.001
"""How long a thread computes before another one may: a fifth of what Python does, for locks are held meanwhile."""


class WebServer(MPServer):
    """The web processes, which are not ready for some seconds before they stop to listen.

        serving ──SIGTERM──▶ /readyz fails ──delay──▶ no new connections, watches end ──last answer──▶ gone

    The delay gives load balancers the time to send new connections elsewhere.
    """

    end_delay: float = 0.0

    def shutdown(self, exit_code: int = 0) -> None:
        """End the web processes."""
        notice.give()
        time.sleep(self.end_delay)
        super().shutdown(exit_code)  # type: ignore[no-untyped-call]  # granian declares types for its Rust part alone


class Command(BaseCommand):
    """Serves HTTP/1.1 and HTTP/2 over TLS from several processes with many threads each."""

    help = "Answers requests."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until told to end."""
        environment: Environment = settings.ENVIRONMENT
        startup.check_identity()
        limit_statements(settings.DATABASES["default"], seconds=environment.request_timeout)
        load()
        make_server(environment, certificates.ensure(environment, now=datetime.now(UTC))).serve(
            target_loader=partial(tied_application, os.getpid()), wrap_loader=False
        )


def load() -> None:
    """Import all that requests need, so that the web processes share its memory."""
    _ = get_resolver().url_patterns
    gc.collect()
    gc.freeze()


def tied_application(parent: int) -> Callable[..., Any]:
    """Return the WSGI application to a new web process, and tie the process to its parent."""
    die_with_parent(parent)
    counters.begin(settings.COUNTERS)
    sys.setswitchinterval(SWITCH_SECONDS)
    end_watches_on_signal()
    return application


def make_server(
    environment: Environment, files: certificates.Files, *, port: int = 0, interface: Interfaces = Interfaces.WSGI,
    more: dict[str, Any] | None = None,
) -> WebServer:  # fmt: skip
    """Return the HTTP server, configured."""
    # A watch holds a thread for as long as it is open; a thread that is idle ends after a while.
    threads = environment.web_threads
    # Connections that wait for nothing hold no thread, so there may be more of them.
    connections = CONNECTIONS_A_THREAD * threads
    server = WebServer(
        "registry_meta.wsgi:application",
        address=environment.bind,
        port=port or environment.port,
        interface=interface,
        http=HTTPModes.auto,
        websockets=False,
        workers=environment.web_workers,
        blocking_threads=threads if interface == Interfaces.WSGI else 1,
        blocking_threads_idle_timeout=IDLE_SECONDS,
        backpressure=connections,
        backlog=max(1024, threads),
        http1_settings=HTTP1,
        http2_settings=HTTP2,
        ssl_cert=files.certificate,
        ssl_key=files.key,
        ssl_protocol_min=SSLProtocols.tls12,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=environment.shutdown_grace,
        log_level=LogLevels.error,  # its warnings are about the number of threads and the end of watches
        log_dictconfig=settings.LOGGING,
        **(more or {}),
    )
    server.end_delay = environment.shutdown_delay
    return server
