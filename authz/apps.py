"""The Django application of people, rights and namespaces."""

from django.apps import AppConfig


class AuthzConfig(AppConfig):
    """Registers its kinds, and what guards the writes of all kinds."""

    name = "authz"
    label = "authz"

    def ready(self) -> None:
        """Fill the catalog."""
        # The kinds need the models, which are there only once the applications are loaded.
        from authz import startup  # noqa: PLC0415

        startup.register()
