"""`./manage.py worker`: the process that does tasks."""

from __future__ import annotations

import os
import warnings
from typing import Any

from celery.apps.worker import Worker
from celery.exceptions import SecurityWarning
from django.conf import settings
from django.core.management.base import BaseCommand

from registry_meta.celery import app
from registry_meta.databases import limit_statements

STATEMENT_SECONDS = 600
"""The longest that one statement of a task may take: some go over whole tables."""


class Command(BaseCommand):
    """Runs tasks in threads of one process; they wait for networks and databases most of the time."""

    help = "Does the tasks that requests and the clock ask for."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until told to end."""
        limit_statements(settings.DATABASES["default"], seconds=STATEMENT_SECONDS)
        # Celery warns root about pickled messages, which are not accepted here.
        warnings.filterwarnings("ignore", category=SecurityWarning)
        # Django's checks import every view, which no task needs; the tests run them.
        os.environ.setdefault("CELERY_SKIP_CHECKS", "1")
        worker: Worker = app.Worker(
            quiet=True,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            loglevel=settings.ENVIRONMENT.log_level.upper(),
        )
        worker.start()
        raise SystemExit(worker.exitcode)
