"""What a server answers about the time before the changes that it still keeps."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tests.processes import wait_until
from tests.served.api import Api
from tests.server import PREFIX, ROOT, Server
from tests.watching import watching

COMPACT = """
from datetime import timedelta
from registry_meta.kube import changes, meta
changes.compact(meta.now() + timedelta(minutes=1))
print(changes.newest("compacted"))
"""
PREFIXED = "The provided continue parameter is too old to display a consistent list result. "


@pytest.fixture
def api(spare: Server) -> Api:
    """A namespace on the spare server: forgetting would disturb who follows another."""
    return Api(spare)


def forget(api: Api, version: int) -> None:
    """Have every change up to a version dropped, as the clock does once they are old."""
    environ = {**api.server.environ, f"{PREFIX}DATA_DIR": str(api.server.data_dir)}
    command = [sys.executable, str(ROOT / "manage.py"), "shell", "--no-imports", "-c", COMPACT]

    def forgotten() -> bool:
        run = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        return int(run.stdout.split()[-1]) >= version

    # What consumers have yet to read is kept.
    wait_until(forgotten, seconds=30, what="the changes have been dropped")


def make(api: Api, *names: str) -> int:
    """Create secrets and return the version of the last."""
    return max(int(api.secret(name, {"a": "b"})["metadata"]["resourceVersion"]) for name in names)


def read(api: Api, **query: str | int) -> tuple[int, dict[str, Any]]:
    """Ask for a page of the secrets of the namespace; return the status and the body."""
    answer = api.session.get(api.url(api.place("secrets", prefix="api/v1")), params=query, timeout=30)
    return answer.status_code, answer.json()


def names(page: dict[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in page["items"]]


def test_what_is_asked_about_a_forgotten_time_is_answered_with_410(api: Api) -> None:
    make(api, "a", "b", "c", "d")
    status, first = read(api, limit=2)
    assert (status, names(first)) == (200, ["a", "b"])
    start = first["metadata"]["resourceVersion"]
    forget(api, make(api, "e", "f"))

    url = api.url(api.place("secrets", prefix="api/v1"))
    with watching(api.session, url, resourceVersion=start) as watch:
        frames = list(watch)
    status, expired = read(api, limit=2, **{"continue": first["metadata"]["continue"]})
    fresh = expired["metadata"]["continue"]

    assert [frame["type"] for frame in frames] == ["ERROR"]
    assert (frames[0]["object"]["code"], frames[0]["object"]["reason"]) == (410, "Expired")
    assert frames[0]["object"]["message"].startswith(f"too old resource version: {start} (")
    assert (status, expired["kind"], expired["code"], expired["reason"]) == (410, "Status", 410, "Expired")
    assert expired["message"].startswith(PREFIXED)
    assert "or use the continue token in this response" in expired["message"]
    rest: list[str] = []
    while fresh:
        status, page = read(api, limit=3, **{"continue": fresh})
        assert status == 200
        rest += names(page)
        fresh = page["metadata"].get("continue")
    assert rest == ["c", "d", "e", "f"]


def test_a_token_that_was_changed_is_refused(api: Api) -> None:
    make(api, "x", "y")
    made = read(api, limit=1)[1]["metadata"]["continue"]
    changed = made[:-6] + ("A" if made[-6] != "A" else "B") + made[-5:]

    status, answer = read(api, limit=1, **{"continue": changed})

    assert (status, answer["reason"]) == (400, "BadRequest")
    assert answer["message"] == f"continue key is not valid: {changed}"
