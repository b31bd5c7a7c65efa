"""The clock: sends the tasks of the schedule when their time has come, as a process or beside a worker."""

from __future__ import annotations

import logging
import os
import signal
import threading
from types import FrameType
from typing import Any

from celery.beat import Scheduler, Service

from registry_meta.celery import app

logger = logging.getLogger(__name__)


def run() -> None:
    """Send tasks until the process is told to end."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    service().start()


def run_beside() -> None:
    """Send tasks from a thread for as long as this process lives; the process ends when the thread cannot go on."""
    threading.Thread(target=_run_or_end, name="clock", daemon=True).start()


def service() -> Any:
    """Return Celery's clock, with a schedule that keeps nothing on disk."""
    return Service(app, scheduler_cls=Scheduler)


def _run_or_end() -> None:
    try:
        service().start()
    except Exception:
        # A worker without its clock would look healthy and let scheduled work lie; its parent starts both again.
        logger.exception("the clock has stopped")
    os.kill(os.getpid(), signal.SIGTERM)
