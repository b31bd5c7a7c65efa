"""The Django application of the API machinery."""

from django.apps import AppConfig


class KubeConfig(AppConfig):
    """Objects, changes and counters."""

    name = "registry_meta.kube"
    label = "kube"
