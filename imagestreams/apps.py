"""The Django application of images and image streams."""

from django.apps import AppConfig


class ImageStreamsConfig(AppConfig):
    """Registers the kinds of the domain and what wakes its workers."""

    name = "imagestreams"

    def ready(self) -> None:
        """Fill the catalog and listen to the kinds whose changes lead to work."""
        # The kinds need the models, which are there only once the applications are loaded.
        from imagestreams import startup  # noqa: PLC0415

        startup.register()
