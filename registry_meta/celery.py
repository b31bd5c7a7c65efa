"""The Celery application: tasks are work that messages only hint at, so that a lost message loses nothing."""

from __future__ import annotations

from celery import Celery

from registry_meta import environment, spool

SCHEDULE: dict[str, tuple[str, float]] = {
    "imports": ("imagestreams.imports.tasks.sweep", 2.0),
    "sightings": ("imagestreams.imports.tasks.forget_sightings", 3600.0),
    "deliveries": ("imagestreams.triggers.tasks.sweep", 2.0),
    "garbage": ("registry_meta.kube.tasks.collect", 2.0),
    "namespaces": ("authz.tasks.sweep_namespaces", 5.0),
    "quotas": ("authz.tasks.sweep_quotas", 2.0),
    "events": ("authz.tasks.sweep_events", 60.0),
    "roles": ("authz.tasks.settle_roles", 60.0),
    "addresses": ("imagestreams.tasks.sweep_addresses", 3600.0),
    "logins": ("authz.tasks.sweep_logins", 3600.0),
    "tokens": ("authz.tasks.sweep_tokens", 3600.0),
    "life": ("registry_meta.kube.tasks.show_life", 10.0),
    "changes": ("registry_meta.kube.tasks.compact", 60.0),
}
"""What the clock does: a name → (the task's name, the seconds between two runs)."""

TASK_MODULES = ["authz", "imagestreams", "imagestreams.imports", "imagestreams.triggers", "registry_meta.kube"]
"""The packages whose `tasks` module, where there is one, holds tasks."""

REDIS_OPTIONS: dict[str, object] = {
    # Seconds until a task that was not acknowledged is given to another worker: longer than any task takes.
    "visibility_timeout": 1800,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 30,
}


def broker(settings: environment.Environment) -> dict[str, object]:
    """Return the configuration of the message broker: Redis when there is one, else files."""
    if settings.redis_url:
        return {"broker_url": settings.redis_url, "broker_transport_options": REDIS_OPTIONS}
    return {
        "broker_url": f"{spool.SCHEME}://localhost",
        "broker_transport_options": {"directory": str(settings.data_dir / "queue")},
    }


def beat_schedule(schedule: dict[str, tuple[str, float]]) -> dict[str, dict[str, object]]:
    """Return a schedule as Celery writes it; a run that waited longer than its interval is dropped."""
    return {
        name: {"task": task, "schedule": seconds, "options": {"expires": max(seconds, 10.0)}}
        for name, (task, seconds) in schedule.items()
    }


def make_app(settings: environment.Environment) -> Celery:
    """Return the application, configured."""
    spool.register()
    app = Celery("registry_meta")
    app.conf.update(
        broker(settings),
        beat_schedule=beat_schedule(SCHEDULE),
        beat_scheduler="celery.beat:Scheduler",  # keeps nothing on disk
        beat_max_loop_interval=5,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        enable_utc=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        # A request does not wait for a broker that is away: the sweep finds the work.
        task_publish_retry=False,
        task_store_errors_even_if_ignored=False,
        worker_concurrency=settings.worker_concurrency,
        worker_pool="threads",
        worker_prefetch_multiplier=2,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    app.set_default()  # for all threads; what Celery calls current is so for one
    app.autodiscover_tasks(TASK_MODULES)
    return app


app = make_app(environment.read())
