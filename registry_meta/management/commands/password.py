"""`./manage.py password`: the passwords that people log in with."""

from __future__ import annotations

import getpass
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from authz.models import Password
from authz.oauth import guesses, passwords
from registry_meta import startup
from registry_meta.kube import meta


class Command(BaseCommand):
    """Sets, removes and lists passwords, beside the server or without it; none is ever on a command line."""

    help = "Gives somebody a password to log in with; the next log-in makes his user."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the name and what to do."""
        parser.add_argument("name", nargs="?", default="", help="The user name.")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--stdin", action="store_true", help="Reads the password from standard input.")
        what.add_argument("--remove", action="store_true", help="Takes the password away.")
        what.add_argument("--list", action="store_true", help="Lists the names that have a password.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and say what was done."""
        name: str = options["name"]
        if bool(name) == options["list"]:
            raise CommandError("give the name of a user, or --list")
        startup.reach()
        if Password._meta.db_table not in connection.introspection.table_names():
            raise CommandError("the database is not prepared: run `./manage.py serve` or `./manage.py prepare` first")
        if options["list"]:
            self.stdout.write("".join(f"{each}\n" for each in passwords.names()), ending="")
        elif options["remove"]:
            self._remove(name)
        else:
            self._put(name, from_stdin=options["stdin"])

    def _remove(self, name: str) -> None:
        if not passwords.remove(name):
            raise CommandError(f"{name} has no password")
        self.stdout.write(f"{name} can no longer log in with a password; the tokens that {name} has live on")

    def _put(self, name: str, *, from_stdin: bool) -> None:
        password = sys.stdin.readline().rstrip("\r\n") if from_stdin else _asked(name)
        try:
            is_new = passwords.put(name, password, now=meta.now())
        except passwords.BadPassword as error:
            raise CommandError(str(error)) from error
        guesses.forgive(name)
        self.stdout.write(f"{name} can log in with {'a' if is_new else 'another'} password")


def _asked(name: str) -> str:
    """Return the password that is typed twice."""
    password = getpass.getpass(f"Password of {name}: ")
    if getpass.getpass("Once more: ") != password:
        raise CommandError("the two are not the same")
    return password
