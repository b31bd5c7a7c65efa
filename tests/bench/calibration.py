"""A bare Django application: one view that reads one row by its primary key and returns it.

Served exactly as the server is (granian, TLS, threads, workers, kind of database), it says how fast this machine is,
so that figures from different machines can be compared by their ratio to it. Run as `python -m
tests.bench.calibration` to make its table, and by granian as `tests.bench.calibration:application`.
"""

from __future__ import annotations

import json
from typing import ClassVar

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, models
from django.http import HttpRequest, HttpResponse
from django.urls import path

from registry_meta import databases, environment

DATABASE = databases.configuration(environment.read())
if DATABASE["ENGINE"] == "registry_meta.postgresql":
    # What is measured against stays what Django is by itself.
    DATABASE |= {"ENGINE": "django.db.backends.postgresql", "CONN_HEALTH_CHECKS": True}

settings.configure(
    SECRET_KEY="calibration",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[],
    MIDDLEWARE=[],
    DATABASES={"default": DATABASE},
    USE_TZ=True,
)
django.setup()

ROW = 1
DOCUMENT = {"name": "calibration", "labels": {"app": "calibration"}, "words": ["a row of a few hundred bytes"] * 20}


class Row(models.Model):
    """A row as simple as one can be."""

    document = models.TextField()
    objects: ClassVar[models.Manager[Row]] = models.Manager()

    class Meta:
        app_label = "calibration"


def read(request: HttpRequest) -> HttpResponse:
    """Return the row."""
    return HttpResponse(Row.objects.get(pk=ROW).document, content_type="application/json")


urlpatterns = [path("row", read)]
application = WSGIHandler()


def main() -> None:
    """Make the table and its row."""
    with connection.schema_editor() as editor:
        editor.create_model(Row)
    Row.objects.create(pk=ROW, document=json.dumps(DOCUMENT))


if __name__ == "__main__":
    main()
