"""A stream whose tag `stable` follows the tags of a registry by a rule, and what is looked at of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta

from imagestreams import tags
from imagestreams.follow import MIN_AGE, SEMVER
from imagestreams.imports import background, plan, queue, schedule, tasks
from imagestreams.models import DueImport, ScheduledTag, UpstreamDigest, UpstreamRepository, UpstreamTag
from imagestreams.types import TagEventCondition
from registry_meta.kube import changes
from registry_meta.kube.meta import now
from tests.authz.conftest import Api
from tests.imagestreams.builders import images
from tests.imagestreams.imports.shelf import STREAMS, Json, Shelf, app
from tests.registries import Reply, Request

RANGE = {SEMVER: ">=1.4 <2"}
AGED = {**RANGE, MIN_AGE: "72h"}
MERGE = "application/merge-patch+json"


def wish(shelf: Shelf, rule: Mapping[str, str | None], *, tag: str = "", name: str = "stable") -> Json:
    source = f"{shelf.host}/team/app" + (f":{tag}" if tag else "")
    policy = {"insecure": True, "scheduled": True}
    return {
        "name": name, "annotations": dict(rule), "from": {"kind": "DockerImage", "name": source},
        "importPolicy": policy,
    }  # fmt: skip


def make(shop: Api, shelf: Shelf, rule: Mapping[str, str], *, tag: str = "") -> None:
    """Make the stream `app` with a tag `stable` that follows, and import it."""
    code, answer = shop.post(STREAMS, {"metadata": {"name": "app"}, "spec": {"tags": [wish(shelf, rule, tag=tag)]}})
    assert code == 201, answer
    look()


def change(shop: Api, shelf: Shelf, rule: Mapping[str, str], *, tag: str = "") -> None:
    """Write the tag with another rule, and import it if that asks for it."""
    code, answer = shop.patch(f"{STREAMS}/app", {"spec": {"tags": [wish(shelf, rule, tag=tag)]}}, MERGE)
    assert code == 200, answer
    assert plan.due(app()) is not None
    look()


def look() -> None:
    """Do everything that is due for the stream, and look at its tags whenever they are."""
    note()
    for row in list(DueImport.objects.all()):
        tasks.import_due(row.pk)
    note()
    ScheduledTag.objects.update(due_at=now() - timedelta(seconds=1))
    rows = schedule.claim(limit=10, busy=(), window=timedelta(), now=now())
    what = plan.again(app(), dict.fromkeys([row.tag for row in rows], True))
    if what is not None:
        background.bring_in(app(), what, held=rows)
    note()


def note() -> None:
    changed = [(app(), changes.newest())]
    queue.note(changed, now=now())
    schedule.note(changed, every=background.intervals(), now=now())


def later(**by: float) -> None:
    """Let time pass, for all that was seen."""
    for row in UpstreamTag.objects.all():
        row.first_seen -= timedelta(**by)
        row.save()
    for digest in UpstreamDigest.objects.all():
        digest.first_seen -= timedelta(**by)
        digest.save()
    for place in UpstreamRepository.objects.exclude(doubted_at=None):
        place.doubted_at = (place.doubted_at or now()) - timedelta(**by)
        place.save()


def push(shelf: Shelf, *names: str) -> list[str]:
    return [shelf.push("team/app", name, seed=name) for name in names]


def condition(kind: str = "Elected", *, tag: str = "stable") -> TagEventCondition | None:
    found = [each for each in tags.conditions_of(app(), tag) or [] if each.type == kind]
    return found[0] if found else None


def verdict() -> tuple[str, str, str]:
    found = condition()
    assert found is not None
    return found.status, found.reason, found.message


def stable() -> list[str]:
    return images(app(), "stable")


def version() -> str:
    return app().metadata.resource_version


def digests(shelf: Shelf) -> Callable[[Request], Reply | None]:
    """Answer HEAD as registries do, with the digest."""

    def answer(request: Request) -> Reply | None:
        name = request.path.rpartition("/")[2]
        known = shelf.store.manifests.get(("team/app", name))
        if request.method != "HEAD" or known is None:
            return None
        digest = f"sha256:{hashlib.sha256(known[1]).hexdigest()}"
        return Reply(200, known[1], {"Content-Type": known[0], "Docker-Content-Digest": digest})

    return answer
