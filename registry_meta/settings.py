"""Django's settings, derived from the environment."""

from __future__ import annotations

from registry_meta import certificates, counters, databases, environment, keys

ENVIRONMENT = environment.read()
"""Every setting of ours, typed; other modules read it as `django.conf.settings.ENVIRONMENT`."""

SIGN_OF_LIFE = ENVIRONMENT.data_dir / environment.SIGN_OF_LIFE

SECRET_KEY = keys.secret_key(ENVIRONMENT)
ENCRYPTION_KEYS = keys.encryption_keys(ENVIRONMENT)
"""The Fernet keys for secrets at rest; the first encrypts, each decrypts."""
AUTHORITY = certificates.locate(ENVIRONMENT).authority
"""The file of the authority that clients should trust, which is made at the first start; None where it is not known."""
COUNTERS = counters.prepare(ENVIRONMENT.data_dir)
"""The directory in which this process counts what it does."""
DEBUG = False
ALLOWED_HOSTS = ["*"]  # clients reach an API server by any name that its certificate has

INSTALLED_APPS = [
    "django.contrib.sessions", "rest_framework", "registry_meta", "registry_meta.kube", "authz", "imagestreams",
]  # fmt: skip
MIDDLEWARE: list[str] = []
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

# The views of people who log in have sessions and forms, the API has neither.
SESSION_ENGINE = "authz.oauth.sessions"
SESSION_COOKIE_NAME = "__Host-session"
SESSION_COOKIE_AGE = 600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "__Host-csrf"
CSRF_COOKIE_AGE = None
CSRF_TRUSTED_ORIGINS = [ENVIRONMENT.server_origin]
CSRF_FAILURE_VIEW = "authz.oauth.pages.stale"

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

AUDIT_HANDLER = (
    {"class": "logging.handlers.WatchedFileHandler", "filename": ENVIRONMENT.audit_log, "delay": True}
    if ENVIRONMENT.audit_log
    else {"class": "logging.StreamHandler"}
)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
        "bare": {"format": "%(message)s"},
    },
    "filters": {
        # What went wrong in a way of its own is news. A 500 that is an answer of the API is not: some errors of clients
        # are one, as in the reference server.
        "raised": {"()": "django.utils.log.CallbackFilter", "callback": lambda record: bool(record.exc_info)},
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
        "audit": {**AUDIT_HANDLER, "formatter": "bare"},
    },
    "root": {"handlers": ["stderr"], "level": ENVIRONMENT.log_level.upper()},
    "loggers": {
        "audit": {"handlers": ["audit"], "level": "INFO", "propagate": False},
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.request": {"level": "ERROR", "filters": ["raised"]},
        "django.db.backends": {"level": "INFO"},  # its debug lines hold the values of queries
        # Two lines for each task would drown the one that the task itself writes.
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
    },
}
