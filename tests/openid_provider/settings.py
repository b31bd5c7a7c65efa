"""The settings of the provider: its folder holds its database and its keys, and the environment says where that is."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(os.environ["OPENID_PROVIDER_FOLDER"])
ISSUER = os.environ["OPENID_PROVIDER_ISSUER"]
REDIRECTS = os.environ["OPENID_PROVIDER_REDIRECTS"]

SECRET_KEY = "of a provider that lives as long as a test"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "tests.openid_provider.urls"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "oauth2_provider"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).with_name("templates")],
        "APP_DIRS": True,
    }
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "provider.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SECURE_PROXY_SSL_HEADER = None
USE_TZ = True
LOGIN_URL = "/login/"

OAUTH2_PROVIDER = {
    "OIDC_ENABLED": True,
    "OIDC_ISS_ENDPOINT": ISSUER,
    "OIDC_RSA_PRIVATE_KEY": (FOLDER / "signing.pem").read_text(),
    "OIDC_RSA_PRIVATE_KEYS_INACTIVE": [path.read_text() for path in sorted(FOLDER.glob("inactive-*.pem"))],
    "OAUTH2_VALIDATOR_CLASS": "tests.openid_provider.claims.Claims",
    "SCOPES": {"openid": "who somebody is", "profile": "what he is called", "email": "where he gets mail"},
    "PKCE_REQUIRED": True,
}
