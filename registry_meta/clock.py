"""The clock: sends the tasks of the schedule when their time has come, in a process that needs no Django."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

from celery.beat import Scheduler, Service

from registry_meta.celery import app


def run() -> None:
    """Send tasks until the process is told to end."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    service().start()


def service() -> Any:
    """Return Celery's clock, with a schedule that keeps nothing on disk."""
    return Service(app, scheduler_cls=Scheduler)


if __name__ == "__main__":
    run()
