"""`./manage.py reseal`: every stored secret under the newest key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection

from registry_meta import startup
from registry_meta.kube import meta, resealing
from registry_meta.kube.models import Object
from registry_meta.kube.resealing import Outcome


class Command(BaseCommand):
    """Encrypts again what older keys, or none, have encrypted; may run beside the server, and again after an end."""

    help = "Encrypts every stored secret with the first of the encryption keys."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the option for secrets whose key is lost."""
        parser.add_argument(
            "--drop-unreadable", action="store_true", help="Also deletes secrets that none of the keys decrypts."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Reseal, and say what was done; what cannot be read makes it fail unless it is dropped."""
        startup.reach()
        if Object._meta.db_table not in connection.introspection.table_names():
            raise CommandError("the database is empty, there is nothing to encrypt")
        outcome = resealing.reseal()
        self.stdout.write(
            f"encrypted again: {outcome.objects} secrets and {outcome.changes} changes of secrets,"
            f" {outcome.texts} other keys"
        )
        if options["drop_unreadable"] and outcome.lacks_a_key:
            resealing.drop_unreadable(outcome, now=meta.now())
            self.stdout.write(
                f"deleted: {len(outcome.unreadable)} secrets and {len(outcome.unreadable_changes)} changes of secrets,"
                f" {len(outcome.unreadable_texts)} other keys"
            )
        elif outcome.lacks_a_key:
            raise CommandError(_unreadable(outcome))
        if connection.vendor == "sqlite":
            _scrub()


def _unreadable(outcome: Outcome) -> str:
    named = ", ".join(f"{namespace}/{name}" for _, namespace, name in outcome.unreadable[:10])
    return (
        f"{len(outcome.unreadable)} secrets ({named}) and {len(outcome.unreadable_changes)} changes of secrets"
        f" and {len(outcome.unreadable_texts)} other keys are left: none of the keys that are set decrypts them"
    )


def _scrub() -> None:
    """Remove from the file and its log what SQLite has only marked as free."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            busy = bool(cursor.fetchone()[0])
    except OperationalError as error:
        raise CommandError(f"the file still holds traces of before, run this again: {error}") from error
    if busy:
        raise CommandError("the write-ahead log still holds traces of before, run this again")
