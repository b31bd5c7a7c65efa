"""The probes, with a database and without."""

from __future__ import annotations

import pytest
from django.test import Client

from registry_meta import probes
from registry_meta.ending import Notice
from registry_meta.kube.models import Counter

HEALTHY = "[+]ping ok\n[+]database ok\n[+]shutdown ok\n"


def answer(path: str) -> tuple[int, str]:
    found = Client().get(path)
    return found.status_code, found.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_a_server_that_is_well_says_ok(path: str) -> None:
    assert answer(path) == (200, "ok")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("verbose", f"{HEALTHY}readyz check passed\n"),
        ("verbose&exclude=ping", "[+]ping excluded: ok\n[+]database ok\n[+]shutdown ok\nreadyz check passed\n"),
        (
            "verbose=1&exclude=b&exclude=a",
            f'{HEALTHY}warn: some health checks cannot be excluded: no matches for "a", "b"\nreadyz check passed\n',
        ),
    ],
)
def test_the_checks_are_listed(query: str, text: str) -> None:
    assert answer(f"/readyz?{query}") == (200, text)


@pytest.mark.django_db
def test_a_server_whose_database_is_not_migrated_lives_and_is_not_ready() -> None:
    Counter.objects.all().delete()

    assert answer("/livez") == (200, "ok")
    report = "[+]ping ok\n[-]database failed: reason withheld\n[+]shutdown ok\nreadyz check failed\n"
    assert answer("/readyz") == (500, report)
    assert answer("/readyz?exclude=database") == (200, "ok")


@pytest.mark.django_db
def test_a_server_that_ends_is_not_ready_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    leaving = Notice()
    leaving.give()
    monkeypatch.setattr(probes, "notice", leaving)

    assert answer("/readyz/shutdown")[0] == 403
    report = "[+]ping ok\n[+]database ok\n[-]shutdown failed: reason withheld\nreadyz check failed\n"
    assert answer("/readyz") == (500, report)
    assert [answer(path) for path in ("/livez", "/healthz")] == [(200, "ok")] * 2


def test_the_index_names_every_check() -> None:
    assert {"/livez/ping", "/readyz/database", "/metrics"} <= set(probes.PATHS)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/readyz/database", "/metrics"])
def test_what_tells_more_is_for_those_who_may_read_it(path: str) -> None:
    status, text = answer(path)

    assert status == 403
    assert f'cannot get path \\"{path}\\"' in text
