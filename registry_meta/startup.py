"""What is done once before the processes of the server start, in order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from django.core.management import call_command
from django.db import connections

from registry_meta import certificates, kubeconfig
from registry_meta.environment import Environment
from registry_meta.keys import make_private_directory, write_private

TOKEN_FILE = "admin.token"  # noqa: S105  # a file's name
KUBECONFIG_FILE = "admin.kubeconfig"

Hook: TypeAlias = Callable[[], None]

HOOKS: list[Hook] = []
"""What the apps do at each start, after the migrations, in this order."""

Administrator: TypeAlias = Callable[[str], str]
"""Given the administrator's token that was kept (or ""), returns one that is valid: the same, or a new one."""

ADMINISTRATOR: list[Administrator] = []
"""At most one: where the administrator's token comes from."""


def prepare(environment: Environment) -> None:
    """Make the data directory ready and the database current, and write the administrator's credentials."""
    make_private_directory(environment.data_dir)
    files = certificates.ensure(environment, now=datetime.now(UTC))
    call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
    for hook in HOOKS:
        hook()
    for administrator in ADMINISTRATOR:
        _write_credentials(environment, administrator, authority=files.authority)
    connections.close_all()


def kubeconfig_path(environment: Environment) -> Path:
    """Return where the administrator's kubeconfig is."""
    return environment.data_dir / KUBECONFIG_FILE


def _write_credentials(environment: Environment, administrator: Administrator, *, authority: Path | None) -> None:
    path = environment.data_dir / TOKEN_FILE
    kept = path.read_text().strip() if path.exists() else ""
    token = administrator(kept)
    if token != kept:
        write_private(path, token)
    pem = authority.read_bytes() if authority else None
    write_private(
        kubeconfig_path(environment), kubeconfig.render(server=environment.server_url, token=token, authority=pem)
    )
