"""Whether this process lives, whether it can serve, and which version it is."""

from __future__ import annotations

import platform
from collections.abc import Callable

import django
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse

from registry_meta.ending import notice
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

TEXT = "text/plain; charset=utf-8"


def _ping() -> bool:
    return True


def _database() -> bool:
    """Return whether the database answers and is migrated."""
    try:
        return changes.newest() > 0
    except DatabaseError:
        return False


def _staying() -> bool:
    return not notice.is_given()


Check = Callable[[], bool]

LIVE: dict[str, Check] = {"ping": _ping}
HEALTHY: dict[str, Check] = {"ping": _ping, "database": _database}
READY: dict[str, Check] = {**HEALTHY, "shutdown": _staying}
PROBES = {"healthz": HEALTHY, "livez": LIVE, "readyz": READY}
"""What each probe looks at. That a process lives depends on nothing that a restart would not mend."""

PATHS = sorted(
    [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/api",
        "/api/v1",
        "/apis",
        "/metrics",
        "/openapi/v2",
        "/openapi/v3",
    ]
    + ["/.well-known/oauth-authorization-server", "/openid/v1/jwks", "/version"]
    + [f"/{probe}" for probe in PROBES]
    + [f"/{probe}/{check}" for probe, checks in PROBES.items() for check in checks]
)


def probe(request: HttpRequest, name: str) -> HttpResponse:
    """Answer /livez, /readyz and /healthz; `?verbose` lists the checks, `?exclude=NAME` leaves one out."""
    excluded = set(request.GET.getlist("exclude"))
    checks = PROBES[name]
    lines: list[str] = []
    healthy = True
    for check, passes in checks.items():
        if check in excluded:
            lines.append(f"[+]{check} excluded: ok")
        elif passes():
            lines.append(f"[+]{check} ok")
        else:
            healthy = False
            lines.append(f"[-]{check} failed: reason withheld")
    unknown = sorted(excluded - checks.keys())
    if unknown:
        listed = ", ".join(f'"{check}"' for check in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {listed}")
    if not healthy:
        lines.append(f"{name} check failed")
        return _text("\n".join(lines) + "\n", status=500)
    if "verbose" not in request.GET:
        return _text("ok")
    lines.append(f"{name} check passed")
    return _text("\n".join(lines) + "\n")


def check(request: HttpRequest, name: str, check: str) -> HttpResponse:
    """Answer a single check of a probe, such as /readyz/database."""
    passes = PROBES[name].get(check)
    if passes is None:
        return discovery.no_page()
    if passes():
        return _text("ok")
    return _text("internal server error: reason withheld\n", status=500)


def version(request: HttpRequest) -> HttpResponse:
    """Answer /version."""
    return JsonResponse(VERSION, json_dumps_params={"indent": 2})


def index(request: HttpRequest) -> HttpResponse:
    """Answer /: which paths there are."""
    return JsonResponse({"paths": PATHS})


def not_found(request: HttpRequest, **kwargs: object) -> HttpResponse:
    """Answer a path that leads nowhere."""
    return discovery.no_page()


def _text(content: str, *, status: int = 200) -> HttpResponse:
    response = HttpResponse(content, status=status, content_type=TEXT)
    response.headers["Cache-Control"] = "no-cache, private"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
