"""The Django application of the project itself, for its management commands."""

from django.apps import AppConfig


class RegistryMetaConfig(AppConfig):
    """Commands that run the server."""

    name = "registry_meta"
    label = "registry_meta"
