"""Django's settings, derived from the environment."""

from __future__ import annotations

from registry_meta import databases, environment, keys

ENVIRONMENT = environment.read()
"""Every setting of ours, typed; other modules read it as `django.conf.settings.ENVIRONMENT`."""

SIGN_OF_LIFE = ENVIRONMENT.data_dir / environment.SIGN_OF_LIFE

SECRET_KEY = keys.secret_key(ENVIRONMENT)
ENCRYPTION_KEYS = keys.encryption_keys(ENVIRONMENT)
"""The Fernet keys for secrets at rest; the first encrypts, each decrypts."""
DEBUG = False
ALLOWED_HOSTS = ["*"]  # clients reach an API server by any name that its certificate has

INSTALLED_APPS = ["rest_framework", "registry_meta", "registry_meta.kube", "authz", "imagestreams"]
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "registry_meta.urls"
APPEND_SLASH = False
DATA_UPLOAD_MAX_MEMORY_SIZE = None  # the views hold bodies to the limits of their own

DATABASES = {"default": databases.configuration(ENVIRONMENT)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

# Without these two DRF asks for django.contrib.auth.
REST_FRAMEWORK = {"UNAUTHENTICATED_USER": None, "UNAUTHENTICATED_TOKEN": None}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": ENVIRONMENT.log_level.upper()},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.request": {"level": "ERROR"},  # that something is not found is an answer, not news
        "django.db.backends": {"level": "INFO"},  # its debug lines hold the values of queries
        # Two lines for each task would drown the one that the task itself writes.
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
    },
}
