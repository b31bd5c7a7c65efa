"""`./manage.py clock`: the process that asks for tasks when their time has come; one is enough for all hosts."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from registry_meta import clock


class Command(BaseCommand):
    """Sends the tasks of the schedule."""

    help = "Asks for the tasks that are done on a schedule."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Send tasks until told to end."""
        clock.run()
