"""What is done once before the processes of the server start, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections

from authz import bootstrap, signingkeys
from authz.oauth import providers
from authz.openid import bearer
from authz.openid.configuration import ConfigurationError
from imagestreams import startup as images
from registry_meta import certificates, kubeconfig
from registry_meta.environment import Environment
from registry_meta.keys import make_private_directory, write_private
from registry_meta.kube import resealing, sealing

TOKEN_FILE = "admin.token"  # noqa: S105  # a file's name
KUBECONFIG_FILE = "admin.kubeconfig"

LOCK = 0x7265676D657461
"""The number of the advisory lock: "regmeta" in ASCII."""

Hook: TypeAlias = Callable[[], None]

HOOKS: list[Hook] = [bootstrap.begin, signingkeys.begin, images.begin]
"""What the apps do at each start, after the migrations, in this order."""

Administrator: TypeAlias = Callable[[str], str]
"""Given the administrator's token that was kept (or ""), returns one that is valid: the same, or a new one."""

ADMINISTRATOR: list[Administrator] = [bootstrap.administrator]
"""At most one: where the administrator's token comes from."""


def prepare(environment: Environment) -> None:
    """Make the data directory ready and the database current, and write the administrator's credentials.

    Raises CommandError, for a line without a traceback, when the database cannot be reached or its secrets cannot be
    decrypted.
    """
    check_identity()
    make_private_directory(environment.data_dir)
    files = certificates.ensure(environment, now=datetime.now(UTC))
    reach()
    with _alone():
        call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
        _check_keys()
        for hook in HOOKS:
            hook()
        for administrator in ADMINISTRATOR:
            _write_credentials(environment, administrator, authority=files.authority)
    connections.close_all()


def reach() -> None:
    """Connect to the database; raises CommandError with the reason when that fails."""
    try:
        connection.ensure_connection()
    except OperationalError as error:
        reason = str(error).strip().partition("\n")[0]
        raise CommandError(f"the database cannot be reached: {reason}") from error


def check_identity() -> None:
    """Read the files of outside issuers and of providers; raises CommandError for one that cannot be used."""
    try:
        bearer.begin()
    except ConfigurationError as error:
        raise CommandError(f"REGISTRY_META_AUTHENTICATION_CONFIG: {error}") from error
    try:
        providers.begin()
    except providers.BadProviders as error:
        raise CommandError(str(error)) from error


def _check_keys() -> None:
    missing = resealing.missing_keys()
    if missing:
        raise CommandError(
            f"REGISTRY_META_ENCRYPTION_KEY: {sum(missing.values())} stored documents of secrets need a key that is not"
            f" set (named {', '.join(sorted(missing))}; set is {', '.join(sealing.keys().by_name)}); set it again, or"
            " delete them with `./manage.py reseal --drop-unreadable`"
        )


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other hosts from preparing the same PostgreSQL database meanwhile; a SQLite file has one host."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


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
