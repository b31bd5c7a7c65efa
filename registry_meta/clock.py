"""The clock process: sends the tasks of the schedule when their time has come; light, without Django."""

from __future__ import annotations

import logging
import signal
import sys
from types import FrameType

from celery.beat import Scheduler, Service

from registry_meta import environment as environments
from registry_meta.celery import app
from registry_meta.environment import SettingError

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def main() -> int:
    """Send tasks until told to end, and return the exit code."""
    try:
        environment = environments.read()
    except SettingError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201  # there is no logging yet
        return 2
    logging.basicConfig(level=environment.log_level.upper(), format=FORMAT)
    logging.getLogger("celery.beat").setLevel(logging.WARNING)
    service = Service(app, scheduler_cls=Scheduler)  # which keeps nothing on disk

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    service.start()
    return 0


if __name__ == "__main__":
    sys.exit(main())
