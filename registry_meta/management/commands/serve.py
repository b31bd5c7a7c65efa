"""`./manage.py serve`: everything in one process tree."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from registry_meta import counters, environment, options, startup, supervisor
from registry_meta.environment import Environment
from registry_meta.keys import make_private_directory


class Command(BaseCommand):
    """Prepares the server and then becomes the supervisor of its processes."""

    help = "Runs the web, worker and clock processes, and prints one line when they are ready."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options for the help text; their values were read before."""
        options.declare(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare, and never return: the supervisor takes this process over."""
        settled: Environment = settings.ENVIRONMENT
        for name in environment.unknown():
            self.stderr.write(f"warning: {name}: there is no such setting")
        make_private_directory(settled.data_dir)
        lock(settled.data_dir)
        check_port_is_free(settled.bind, settled.port)
        if settled.requestheader_port:
            check_port_is_free(settled.bind, settled.requestheader_port)
        counters.clear(settings.COUNTERS)
        startup.prepare(settled)
        # The supervisor needs none of what was imported until here, and runs for as long as the server.
        os.chdir(supervisor.MANAGE.parent)
        os.execve(supervisor.command()[0], supervisor.command(), adopted(settled))  # noqa: S606  # our own interpreter


def adopted(settled: Environment) -> dict[str, str]:
    """Return the environment of the supervisor, with a data directory that does not depend on where it runs."""
    return {**os.environ, f"{environment.PREFIX}DATA_DIR": str(settled.data_dir)}


def lock(data_dir: Path) -> None:
    """Hold the data directory until this process, whatever it becomes, ends."""
    descriptor = os.open(data_dir / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CommandError(f"another server runs on {data_dir}") from error
    os.set_inheritable(descriptor, True)


def check_port_is_free(bind: str, port: int) -> None:
    """Raise CommandError for an address that cannot be listened on, or that another process has."""
    # The web processes share their port among them, so they would share it with a stranger, too.
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(bind, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        raise CommandError(f"cannot listen on {bind} port {port}: {error.strerror}") from error
