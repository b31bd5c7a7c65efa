"""`./manage.py prepare`: what `serve` does before it starts the processes, where they are run apart."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from registry_meta import startup


class Command(BaseCommand):
    """Makes the server ready to start; does nothing where all is ready."""

    help = "Migrates the database and makes keys, certificates and the administrator's credentials."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare."""
        startup.prepare(settings.ENVIRONMENT)
