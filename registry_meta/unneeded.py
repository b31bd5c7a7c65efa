"""What libraries import because it is installed, though nothing here needs it: each process would hold it for good."""

from __future__ import annotations

import sys
import warnings
from typing import Final

MODULES: Final = (
    "django.contrib.postgres",  # Django REST framework: fields of serializers; brings psycopg along with SQLite, too
    "pygments",  # Django REST framework: pages to browse
    "charset_normalizer",  # requests: guesses the encoding of texts; registries send JSON, which is UTF-8
    "chardet",
)
"""For each of them, the library that imports it does without where it is missing."""


def leave_out() -> None:
    """Let the modules appear to be missing in this process; call it before anything of the libraries is imported."""
    for name in MODULES:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None is how Python is told so
    warnings.filterwarnings("ignore", message="Unable to find acceptable character detection dependency")
