"""The Django application of the project itself: its commands, and the Celery application that tasks belong to."""

from django.apps import AppConfig

from registry_meta.celery import app

__all__ = ["RegistryMetaConfig", "app"]  # Importing `app` is what binds tasks to it, in every process with Django.


class RegistryMetaConfig(AppConfig):
    """Commands that run the server."""

    name = "registry_meta"
    label = "registry_meta"
