"""What each trigger listens to: rows beside the triggers, written in the transactions that write them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection
from django.db.models import F

from imagestreams.models import Delivery, Subscription
from imagestreams.triggers.match import Listener

OF_IMAGE = """
SELECT s.namespace, s.name, e.namespace, e.stream, e.tag FROM imagestreams_tag_event e
JOIN imagestreams_subscription s ON s.from_namespace = e.namespace AND s.stream = e.stream AND s.tag = e.tag
WHERE e.digest = %s AND NOT EXISTS (
    SELECT 1 FROM imagestreams_tag_event l
    WHERE l.namespace = e.namespace AND l.stream = e.stream AND l.tag = e.tag AND l.version >= e.version
        AND (l.version > e.version OR l.position > e.position)
)
ORDER BY s.namespace, s.name
"""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the spec of a trigger says about listening; `secret` is the name of its Secret, or empty."""

    uid: str
    namespace: str
    name: str
    from_namespace: str
    stream: str
    tag: str
    secret: str
    paused: bool

    @property
    def source(self) -> tuple[str, str, str]:
        """The tag that is listened to."""
        return self.from_namespace, self.stream, self.tag


def begin(terms: Terms, *, version: int) -> None:
    """Let a new trigger listen to what happens from now on."""
    Subscription.objects.create(
        trigger_uid=terms.uid,
        namespace=terms.namespace,
        name=terms.name,
        from_namespace=terms.from_namespace,
        stream=terms.stream,
        tag=terms.tag,
        secret=terms.secret,
        paused=terms.paused,
        since=version,
        changed=version,
    )


def change(terms: Terms, before: Terms, *, version: int) -> None:
    """Follow a change of the spec; a trigger that listens to another tag forgets what it had to tell of the first."""
    values: dict[str, object] = {"secret": terms.secret, "paused": terms.paused, "changed": version}
    if before.paused and not terms.paused:
        values["resumed"] = version
    if terms.source != before.source:
        values |= {"from_namespace": terms.from_namespace, "stream": terms.stream, "tag": terms.tag, "since": version}
        Delivery.objects.filter(trigger_uid=terms.uid, state=Delivery.State.PENDING).delete()
    Subscription.objects.filter(trigger_uid=terms.uid).update(**values)


def end(uid: str) -> None:
    """Forget a trigger that is gone, and what it had to tell."""
    # In the order in which the reader of the log locks them.
    Delivery.objects.filter(trigger_uid=uid).delete()
    Subscription.objects.filter(trigger_uid=uid).delete()


def listeners(streams: Iterable[tuple[str, str]]) -> list[Listener]:
    """Return who listens to tags of these streams (namespace, name)."""
    wanted = set(streams)
    rows = Subscription.objects.filter(
        from_namespace__in={namespace for namespace, _ in wanted}, stream__in={name for _, name in wanted}
    )
    return [
        Listener(row.trigger_uid, row.from_namespace, row.stream, row.tag, row.since, row.resumed, row.paused)
        for row in rows
        if (row.from_namespace, row.stream) in wanted
    ]


def of_image(digest: str) -> list[tuple[tuple[str, str], tuple[str, str, str]]]:
    """Return the triggers (namespace, name) that listen to tags which point to an image now, each with its tag."""
    with connection.cursor() as cursor:
        cursor.execute(OF_IMAGE, [digest])
        return [((row[0], row[1]), (row[2], row[3], row[4])) for row in cursor.fetchall()]


def place(uid: str) -> tuple[str, str] | None:
    """Return namespace and name of a trigger, or None when it is gone."""
    return Subscription.objects.filter(trigger_uid=uid).values_list("namespace", "name").first()


def secret_changed(namespace: str, secret: str, *, version: int) -> int:
    """Have the triggers that sign with a Secret looked at again; return how many there are."""
    rows = Subscription.objects.filter(namespace=namespace, secret=secret, changed__lt=version)
    return rows.update(changed=version)


def unchecked(*, limit: int) -> list[str]:
    """Return the triggers that are to be looked at, the longest waiting first."""
    rows = Subscription.objects.filter(changed__gt=F("checked")).order_by("changed")
    return list(rows.values_list("trigger_uid", flat=True)[:limit])


def changed(uid: str) -> int:
    """Return the version at which a trigger or its Secret changed last, 0 for one that is gone."""
    return Subscription.objects.filter(trigger_uid=uid).values_list("changed", flat=True).first() or 0


def checked(uid: str, *, version: int) -> None:
    """Note that a trigger was looked at as it was at a version."""
    Subscription.objects.filter(trigger_uid=uid).update(checked=version)
