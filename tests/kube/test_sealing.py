"""Secrets in the database: nothing of them is legible there, and everything that reads them still does."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.http import QueryDict
from pytest_django import Settings

from authz.api.namespaces import NAMESPACES
from authz.api.secrets import SECRETS, Secret
from imagestreams.triggers import signing
from registry_meta.kube import changes, meta, pagination, resealing, sealing, store
from registry_meta.kube.meta import ObjectMeta
from registry_meta.kube.models import Change
from registry_meta.kube.pagination import Page
from registry_meta.kube.request import SYSTEM, Context
from registry_meta.kube.resource import Resource
from registry_meta.kube.sealing import Unreadable
from registry_meta.kube.watch import Watch, watch_options
from tests.kube.widgets import WIDGETS
from tests.kube.widgets import create as create_widget

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_feed_left")]

PLANTED = "correct-horse-battery-staple"
CHANGED = "quite-another-planted-value"
STRATEGY = SECRETS.storage.strategy
OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture(autouse=True)
def one_key(settings: Settings, db: None) -> None:
    """Begin with the old key alone, and a namespace."""
    settings.ENCRYPTION_KEYS = (OLD,)
    namespaces = Context(SYSTEM, NAMESPACES, meta.now())
    store.create(
        NAMESPACES,
        NAMESPACES.type(metadata=ObjectMeta(name="team")),
        context=namespaces,
        strategy=NAMESPACES.storage.strategy,
    )


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def context() -> Context:
    return Context(SYSTEM, SECRETS, meta.now(), namespace="team")


def create(name: str = "s", value: str = PLANTED, **labels: str) -> int:
    secret = Secret(metadata=ObjectMeta(name=name, labels=labels or None), string_data={"key": value})
    return store.create(SECRETS, secret, context=context(), strategy=STRATEGY).version


def change(name: str = "s", value: str = CHANGED, **labels: str) -> int:
    def edit(secret: Secret) -> Secret:
        secret.string_data = {"key": value}
        secret.metadata.labels = labels or None
        return secret

    return store.update(SECRETS, name, edit, context=context(), strategy=STRATEGY).version


def delete(name: str = "s") -> None:
    store.delete(SECRETS, name, context=context(), strategy=STRATEGY)


def value(name: str = "s") -> str:
    """Return what a secret holds, as the store reads it."""
    data: dict[str, str] = store.read(SECRETS, name, context=context()).object().data
    return base64.b64decode(data["key"]).decode()


def stored(key: str = SECRETS.key) -> list[str]:
    """Return every document of a kind as it lies in the tables."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT document FROM kube_object WHERE resource = %s", [key])
        documents = [row[0] for row in cursor.fetchall()]
        cursor.execute("SELECT document, previous FROM kube_change WHERE resource = %s", [key])
        return documents + [text for row in cursor.fetchall() for text in row if text is not None]


def unsealed_rows() -> None:
    """Put the documents back in clear text, as an older version has stored them."""
    with connection.cursor() as cursor:
        for table, column in (("kube_object", "document"), ("kube_change", "document"), ("kube_change", "previous")):
            cursor.execute(f"SELECT DISTINCT {column} FROM {table} WHERE {column} LIKE 'sealed:%%'", [])
            for (text,) in cursor.fetchall():
                plain = sealing.unseal(text, key="", namespace="", name="")
                cursor.execute(f"UPDATE {table} SET {column} = %s WHERE {column} = %s", [plain, text])


def page(query: str = "") -> Page:
    options = QueryDict(query)
    selected = pagination.selection(SECRETS, options)
    return pagination.page(SECRETS, "team", selected, pagination.list_options(options))


def values(found: Page) -> list[str]:
    return [base64.b64decode(json.loads(text)["data"]["key"]).decode() for text in found.documents]


def frames(version: int, selector: str = "", resource: Resource = SECRETS) -> list[dict[str, Any]]:
    """Return what a watch from a version on shows within a second."""
    query = QueryDict(f"watch=1&timeoutSeconds=1&resourceVersion={version}&labelSelector={selector}")
    watch = Watch(resource, "", pagination.selection(resource, query), watch_options(query), None)
    return [json.loads(line) for block in watch.frames() for line in block.splitlines()]


def shown(frame: dict[str, Any]) -> tuple[str, str]:
    return frame["type"], base64.b64decode(frame["object"]["data"]["key"]).decode()


def test_nothing_of_a_secret_is_legible_in_the_tables() -> None:
    create(tier="gold")
    change(tier="silver")
    delete()
    create("kept")

    texts = stored()

    assert len(texts) == 7
    assert all(text.startswith(sealing.newest_mark()) for text in texts)
    assert not [text for text in texts for word in (PLANTED, CHANGED, "gold") if word in text or encoded(word) in text]


def test_other_kinds_lie_in_clear_text() -> None:
    create_widget("w", colour="red")

    assert all(json.loads(text)["metadata"]["labels"] == {"colour": "red"} for text in stored(WIDGETS.key))


def test_what_is_sealed_can_be_read_listed_and_selected() -> None:
    create("a", "1", tier="gold")
    create("b", "2")

    assert [value("a"), value("b")] == ["1", "2"]
    assert values(page()) == ["1", "2"]
    assert values(page("labelSelector=tier%3Dgold")) == ["1"]
    assert values(page("fieldSelector=type%3DOpaque")) == ["1", "2"]


def test_a_later_page_shows_secrets_as_they_were() -> None:
    for name in ("a", "b", "c"):
        create(name, f"first {name}")
    first = page("limit=1")
    change("b", "second b")
    delete("c")

    later = page(f"limit=5&continue={first.continue_}")

    assert values(first) + values(later) == ["first a", "first b", "first c"]


def test_an_update_without_effect_writes_nothing() -> None:
    version = create()
    before = stored()

    assert change(value=PLANTED) == version
    assert stored() == before


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "of an older version"])
def test_secrets_enter_and_leave_a_watch(sealed: bool) -> None:
    start = create("other")
    create(value="1", tier="gold")
    change(value="2", tier="gold")
    change(value="3")
    delete()
    if not sealed:
        unsealed_rows()

    assert [shown(frame) for frame in frames(start)] == [
        ("ADDED", "1"), ("MODIFIED", "2"), ("MODIFIED", "3"), ("DELETED", "3"),
    ]  # fmt: skip
    assert [shown(frame) for frame in frames(start, "tier=gold")] == [
        ("ADDED", "1"),
        ("MODIFIED", "2"),
        ("DELETED", "2"),
    ]


def test_secrets_of_an_older_version_are_read_and_sealed_when_they_change() -> None:
    create("a")
    create("b")
    unsealed_rows()

    assert [value("a"), values(page())] == [PLANTED, [PLANTED, PLANTED]]
    version = change("a")
    last = Change.objects.get(version=version)
    assert [text.startswith(sealing.MARK) for text in (last.document, last.previous or "")] == [True, True]
    assert value("a") == CHANGED


def test_each_key_reads_and_the_first_writes(settings: Settings) -> None:
    create("a")
    settings.ENCRYPTION_KEYS = (NEW, OLD)
    create("b")

    names = {text[sealing.NAME_START : sealing.NAME_END] for text in stored()}

    assert names == {sealing.key_name(OLD), sealing.key_name(NEW)}
    assert [value("a"), value("b")] == [PLANTED, PLANTED]


def test_without_its_key_nothing_reads_a_secret(settings: Settings) -> None:
    start = create("other")
    create()
    settings.ENCRYPTION_KEYS = (OTHER,)

    for read in (value, page, change, delete):
        with pytest.raises(Unreadable) as caught:
            read()
        assert (caught.value.code, caught.value.reason) == (500, "InternalError")
        assert 'secrets "team/' in caught.value.message
    [frame] = frames(start)
    assert (frame["type"], frame["object"]["code"]) == ("ERROR", 500)


def test_a_secret_that_cannot_be_read_stops_no_other_feed(settings: Settings) -> None:
    start = changes.newest()
    create()
    create_widget("w")
    settings.ENCRYPTION_KEYS = (OTHER,)

    assert [frame["type"] for frame in frames(start, resource=WIDGETS)] == ["ADDED"]
    assert [entry.name for entry in changes.after(start)] == ["s", "w"]


def test_a_damaged_secret_is_not_taken_for_another() -> None:
    create()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE kube_object SET document = %s WHERE resource = 'secrets'", [f"{sealing.newest_mark()}gAAAAA=="]
        )

    with pytest.raises(Unreadable, match="damaged"):
        value()
    assert not resealing.missing_keys()


def test_resealing_brings_everything_under_the_newest_key(settings: Settings) -> None:
    for name in ("a", "b", "c"):
        create(name)
    change("a")
    settings.ENCRYPTION_KEYS = (NEW, OLD)
    create("d")

    first, second = resealing.reseal(batch=2), resealing.reseal()

    assert (first.objects, first.changes, second.objects, second.changes) == (3, 4, 0, 0)
    settings.ENCRYPTION_KEYS = (NEW,)
    assert not resealing.missing_keys()
    assert values(page()) == [CHANGED, PLANTED, PLANTED, PLANTED]
    assert len(frames(changes.newest() - 5)) == 5


def test_resealing_changes_no_version(settings: Settings) -> None:
    version = create()
    settings.ENCRYPTION_KEYS = (NEW, OLD)

    resealing.reseal()

    assert changes.newest() == store.read(SECRETS, "s", context=context()).version == version


def test_resealing_seals_what_an_older_version_stored() -> None:
    create()
    change()
    unsealed_rows()

    outcome = resealing.reseal()

    assert (outcome.objects, outcome.changes) == (1, 2)
    assert all(text.startswith(sealing.newest_mark()) for text in stored())
    assert value() == CHANGED


def test_resealing_goes_on_where_it_was_ended(settings: Settings) -> None:
    for name in ("a", "b", "c"):
        create(name)
    settings.ENCRYPTION_KEYS = (NEW, OLD)
    updates = iter(range(2))

    def ended(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE") and next(updates, None) is None:
            raise KeyboardInterrupt
        return execute(sql, *rest)

    with connection.execute_wrapper(ended), pytest.raises(KeyboardInterrupt):
        resealing.reseal(batch=1)

    assert resealing.reseal(batch=1).objects == 1


def test_what_cannot_be_read_is_left_and_told(settings: Settings) -> None:
    create("lost")
    settings.ENCRYPTION_KEYS = (NEW,)
    create("kept")

    outcome = resealing.reseal()

    assert resealing.missing_keys() == {sealing.key_name(OLD): 2}
    assert outcome.unreadable == [(SECRETS, "team", "lost")]
    assert len(outcome.unreadable_changes) == 1
    settings.ENCRYPTION_KEYS = (OLD,)
    assert value("lost") == PLANTED


def test_what_cannot_be_read_can_be_deleted(settings: Settings) -> None:
    start = create("lost")
    settings.ENCRYPTION_KEYS = (NEW,)
    create("kept")

    resealing.drop_unreadable(resealing.reseal(), now=meta.now())

    assert not resealing.missing_keys()
    assert [json.loads(text)["metadata"]["name"] for text in page().documents] == ["kept"]
    assert Change.objects.filter(resource=SECRETS.key, name="lost").get().type == Change.DELETED
    [frame] = frames(start)
    assert (frame["type"], frame["object"]["code"]) == ("ERROR", 410)


def test_a_key_for_signing_is_read_from_a_sealed_secret(settings: Settings) -> None:
    create("hook")

    assert signing.key("team", "hook", "key") == PLANTED.encode()

    settings.ENCRYPTION_KEYS = (OTHER,)
    with pytest.raises(signing.SecretMissing, match='the secret "hook" cannot be decrypted'):
        signing.key("team", "hook", "key")


def test_an_error_and_a_representation_show_nothing() -> None:
    version = create()
    entry = next(entry for entry in changes.after(version - 1))

    found = store.find(SECRETS, "team", "s")

    assert entry.document == (found.document if found else "")
    assert PLANTED not in repr((found, entry, sealing.keys()))
    assert encoded(PLANTED) not in repr((found, entry))
    assert OLD not in repr(sealing.keys())
