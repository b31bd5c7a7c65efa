"""The Django application of the API machinery."""

from django.apps import AppConfig


class KubeConfig(AppConfig):
    """Objects, changes and counters."""

    name = "registry_meta.kube"
    label = "kube"

    def ready(self) -> None:
        """Have the collector woken when there is work for it."""
        # Tasks need the models, which are there only once the applications are loaded.
        from registry_meta.kube import hints, owners, tasks  # noqa: PLC0415

        hints.bell.on(owners.WORK, tasks.collect)
