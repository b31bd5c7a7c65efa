"""The paths of the provider: those of the toolkit, and a page to log in."""

from __future__ import annotations

from django.contrib.auth.views import LoginView
from django.urls import include, path

urlpatterns = [path("login/", LoginView.as_view()), path("", include("oauth2_provider.urls"))]
