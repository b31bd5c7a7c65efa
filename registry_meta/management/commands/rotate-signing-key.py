"""`./manage.py rotate-signing-key`: another key for the tokens of service accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from authz import signingkeys
from authz.models import SigningKey
from registry_meta import startup
from registry_meta.kube import meta


class Command(BaseCommand):
    """Makes a key, or drops one with all of its tokens; lists the keys; may run beside the server."""

    help = "Makes a new key that signs the tokens of service accounts; tokens signed before stay valid until their end."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        chosen = parser.add_mutually_exclusive_group()
        chosen.add_argument(
            "--now", action="store_true", help="The new key signs at once, and not after it was published for an hour."
        )
        chosen.add_argument("--drop", metavar="KID", help="Drops a key: every token that it signed ends at once.")
        chosen.add_argument("--list", action="store_true", help="Changes nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate, and say which keys there are."""
        startup.reach()
        if SigningKey._meta.db_table not in connection.introspection.table_names():
            raise CommandError("the database is empty: start the server, or run `./manage.py prepare`, first")
        now = meta.now()
        if options["drop"]:
            if not signingkeys.drop(options["drop"]):
                raise CommandError(f"there is no signing key {options['drop']}")
            signingkeys.signer(now=now)
        elif not options["list"]:
            signingkeys.make(signs_from=now if options["now"] else now + signingkeys.PUBLISHED_BEFORE, now=now)
        for row, state in signingkeys.states(now):
            self.stdout.write(f"{row.kid}  {_told(row, state)}")


def _told(row: SigningKey, state: str) -> str:
    if state == signingkeys.NEXT:
        return f"signs from {_shown(row.signs_from)}"
    if state == signingkeys.SIGNING:
        return "signs"
    if row.needed_until == signingkeys.NEVER:
        return "verifies tokens that have no end"
    return "verifies nothing" if row.needed_until is None else f"verifies until {_shown(row.needed_until)}"


def _shown(moment: datetime) -> str:
    return meta.timestamp(moment)
