"""Whether this process lives, whether it can serve, and which version it is."""

from __future__ import annotations

import platform

import django
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse

from registry_meta.kube import changes, discovery

VERSION = {
    "major": "1",
    "minor": "34",
    "gitVersion": "v1.34.1+registry-meta-0.1.0",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": f"python {platform.python_version()}, django {django.get_version()}",
    "platform": f"{platform.system().lower()}/{platform.machine()}",
}
"""What /version answers: the Kubernetes release whose wire this server speaks."""

PATHS = ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]


def live(request: HttpRequest) -> HttpResponse:
    """Answer /livez: the process can answer; nothing that a restart would not mend is looked at."""
    return _report(request, "livez", {"ping": True})


def ready(request: HttpRequest) -> HttpResponse:
    """Answer /readyz and /healthz: the database answers and is migrated."""
    return _report(request, request.path_info.strip("/") or "readyz", {"ping": True, "database": _database()})


def version(request: HttpRequest) -> HttpResponse:
    """Answer /version."""
    return JsonResponse(VERSION, json_dumps_params={"indent": 2})


def index(request: HttpRequest) -> HttpResponse:
    """Answer /: which paths there are."""
    return JsonResponse({"paths": PATHS})


def not_found(request: HttpRequest, **kwargs: object) -> HttpResponse:
    """Answer a path that leads nowhere."""
    return discovery.no_page()


def _database() -> bool:
    try:
        return changes.newest() > 0
    except DatabaseError:
        return False


def _report(request: HttpRequest, name: str, checks: dict[str, bool]) -> HttpResponse:
    excluded = request.GET.getlist("exclude")
    shown = {check: healthy for check, healthy in checks.items() if check not in excluded}
    if all(shown.values()) and "verbose" not in request.GET:
        return HttpResponse("ok", content_type="text/plain; charset=utf-8")
    lines = [f"[+]{check} ok" if healthy else f"[-]{check} failed: reason withheld" for check, healthy in shown.items()]
    healthy = all(shown.values())
    lines.append(f"{name} check {'passed' if healthy else 'failed'}")
    return HttpResponse(
        "\n".join(lines) + "\n", status=200 if healthy else 500, content_type="text/plain; charset=utf-8"
    )
