"""What the clock drops of log-ins, and what is counted of them."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.sessions.models import Session

from authz import tasks
from authz.models import AuthorizationCode, Guesses
from registry_meta.kube import meta
from tests.authz.conftest import Api
from tests.authz.oauth.conftest import Browser, Program


def test_what_is_over_is_dropped_and_the_rest_is_kept(program: Program, browser: Browser) -> None:
    program.code()
    browser.log_in()
    tasks.sweep_logins()
    assert (AuthorizationCode.objects.count(), Session.objects.count()) == (1, 1)

    past = meta.now() - timedelta(days=40)
    AuthorizationCode.objects.update(expires_at=past)
    Session.objects.update(expire_date=past)
    Guesses.objects.update(failed_at=past, trusted_until=past)
    tasks.sweep_logins()

    assert not AuthorizationCode.objects.exists()
    assert not Session.objects.exists()
    assert not Guesses.objects.exists()


def counted(admin: Api, verb: str, code: int) -> float:
    """Return how many requests were counted that are about no resource."""
    _, text = admin.get("/metrics")
    wanted = f'apiserver_request_total{{code="{code}",group="",resource="",scope="",subresource="",verb="{verb}"'
    lines = [line for line in text.decode().splitlines() if line.startswith(wanted)]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_log_ins_are_counted_as_other_paths_are(program: Program, admin: Api) -> None:
    before = counted(admin, "POST", 400)

    program.redeem("nonsense")

    assert counted(admin, "POST", 400) == before + 1
