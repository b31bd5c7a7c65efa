"""Tasks belong to one Celery application, in every thread, and the clock asks for tasks that exist."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from celery import current_app
from django.core.checks import run_checks

from registry_meta import celery
from registry_meta.environment import Environment


def test_every_thread_has_the_application() -> None:
    with ThreadPoolExecutor(1) as pool:
        name = pool.submit(lambda: current_app.main).result()

    assert name == celery.app.main == "registry_meta"


def test_the_checks_that_the_worker_skips_find_nothing() -> None:
    assert run_checks() == []


def test_the_clock_asks_for_tasks_that_exist() -> None:
    celery.app.loader.import_default_modules()

    assert {task for task, _ in celery.SCHEDULE.values()} <= set(celery.app.tasks)


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (Environment(data_dir=Path("/srv/meta")), "spool://localhost"),
        (Environment(redis_url="redis://cache:6379/1"), "redis://cache:6379/1"),
    ],
)
def test_messages_go_through_redis_where_there_is_one(settings: Environment, url: str) -> None:
    assert celery.broker(settings)["broker_url"] == url


def test_a_run_that_waited_too_long_is_dropped() -> None:
    schedule = celery.beat_schedule({"sweep": ("imports.sweep", 30.0), "tick": ("imports.tick", 2.0)})

    assert schedule["sweep"] == {"task": "imports.sweep", "schedule": 30.0, "options": {"expires": 30.0}}
    assert schedule["tick"]["options"] == {"expires": 10.0}
