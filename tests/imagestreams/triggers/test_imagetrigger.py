from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from imagestreams.api.imagetrigger import (
    COLUMNS,
    DELIVERED,
    IMAGE_TRIGGERS,
    READY,
    REGULAR,
    STATUS,
    Condition,
    ImageTrigger,
    LastTriggered,
    SecretKeyReference,
    TriggerSource,
    Webhook,
    condition_of,
    row,
    set_condition,
    source_problems,
    url_problems,
    webhook_problems,
)
from imagestreams.models import Subscription
from registry_meta.kube import store
from registry_meta.kube.errors import StatusError
from registry_meta.kube.meta import timestamp
from registry_meta.kube.request import Actor
from tests.imagestreams.triggers import builders
from tests.imagestreams.triggers.builders import NOW
from tests.imagestreams.triggers.shop import context, create, edit_spec, open_shop, read


def texts(problems: list[object]) -> list[str]:
    return [str(problem) for problem in problems]


def test_the_wire_has_the_names_of_the_documentation() -> None:
    sent = b"""{"metadata": {"name": "deploy"}, "spec": {"paused": true,
        "from": {"kind": "ImageStreamTag", "namespace": "other", "name": "app:latest"},
        "webhook": {"url": "https://example.com/", "secretRef": {"name": "s", "key": "k"}, "headers": {"A": "b"}}},
        "status": {"observedGeneration": 2, "lastTriggered": {"image": "i", "reference": "r", "resourceVersion": "7"}}}
    """

    trigger = IMAGE_TRIGGERS.decoder.decode(sent)

    assert msgspec.to_builtins(trigger) == msgspec.json.decode(sent)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (TriggerSource(kind="ImageStreamTag", name="app:latest"), []),
        (TriggerSource(kind="ImageStreamTag", namespace="other", name="app:latest"), []),
        (
            TriggerSource(kind="DockerImage", name="app:latest"),
            ['spec.from.kind: Unsupported value: "DockerImage": supported values: "ImageStreamTag"'],
        ),
        (TriggerSource(kind="ImageStreamTag"), ["spec.from.name: Required value"]),
        (
            TriggerSource(kind="ImageStreamTag", name="app"),
            ['spec.from.name: Invalid value: "app": must be of the form <stream>:<tag>'],
        ),
        (
            TriggerSource(kind="ImageStreamTag", name="app@sha256:1"),
            ['spec.from.name: Invalid value: "app@sha256:1": must be of the form <stream>:<tag>'],
        ),
    ],
)
def test_the_source_is_a_tag_of_a_stream(source: TriggerSource, problem: list[str]) -> None:
    assert texts([*source_problems(source)]) == problem


def test_the_namespace_of_the_source_has_the_form_of_one() -> None:
    problems = source_problems(TriggerSource(kind="ImageStreamTag", namespace="No/Way", name="app:latest"))

    assert [problem.field for problem in problems] == ["spec.from.namespace"]


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9090/", "https://example.com", "HTTPS://[::1]:443/a?b=c", "https://xn--bcher-kva.example/"],
)
def test_a_consumer_has_an_http_url(url: str) -> None:
    assert url_problems(url, "url") == []


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "url: Required value"),
        ("ftp://example.com/", 'url: Unsupported value: "ftp": supported values: "http", "https"'),
        ("example.com", 'url: Unsupported value: "": supported values: "http", "https"'),
        ("https:///path", 'url: Invalid value: "https:///path": must name a host, and a port other than 0'),
        ("https://a:0/", 'url: Invalid value: "https://a:0/": must name a host, and a port other than 0'),
        ("https://a:99999/", "url: Forbidden: must be a URL"),
        ("https://[::1/", "url: Forbidden: must be a URL"),
        ("https://a/#b", 'url: Invalid value: "https://a/#b": must not have a fragment'),
        ("https://a/ b", "url: Forbidden: must be a URL of printable ASCII characters, without spaces"),
        ("https://a\\@b/", "url: Forbidden: must be a URL of printable ASCII characters, without spaces"),
        ("https://a/\r\nX: y", "url: Forbidden: must be a URL of printable ASCII characters, without spaces"),
        ("https://" + "a" * 2048, "url: Too long: may not be more than 2048 bytes"),
    ],
)
def test_what_is_no_url_is_refused(url: str, problem: str) -> None:
    assert texts([*url_problems(url, "url")]) == [problem]


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    problems = texts([*url_problems("https://jane:hunter2@example.com/", "url")])

    assert problems == ["url: Forbidden: must not hold a user name or password; use headers"]


def test_a_trigger_without_a_consumer_makes_no_sense() -> None:
    assert texts([*webhook_problems(None)]) == ["spec.webhook: Required value: a trigger tells somebody"]


def test_a_reference_to_a_secret_has_two_parts() -> None:
    webhook = Webhook(url="https://example.com/", secret_ref=SecretKeyReference())

    fields = [problem.field for problem in webhook_problems(webhook)]
    assert fields == ["spec.webhook.secretRef.name", "spec.webhook.secretRef.key"]


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("X-Team", "shop", None),
        ("Authorization", "Bearer hunter2", None),
        ("X-Empty", "", None),
        ("X Team", "shop", "spec.webhook.headers"),
        ("", "shop", "spec.webhook.headers"),
        ("Host", "shop", "spec.webhook.headers[Host]"),
        ("content-TYPE", "shop", "spec.webhook.headers[content-TYPE]"),
        ("x-registry-meta-signature-256", "x", "spec.webhook.headers[x-registry-meta-signature-256]"),
        ("X-Team", "hunter2\r\nHost: evil", "spec.webhook.headers[X-Team]"),
        ("X-Team", " hunter2", "spec.webhook.headers[X-Team]"),
        ("X-Team", "hünter2", "spec.webhook.headers[X-Team]"),
        ("X-Team", "hunter2" * 1000, "spec.webhook.headers[X-Team]"),
    ],
)
def test_headers_are_headers_and_not_the_servers_own(name: str, value: str, field: str | None) -> None:
    problems = webhook_problems(Webhook(url="https://example.com/", headers={name: value}))

    assert [problem.field for problem in problems] == ([field] if field else [])
    assert "hunter2" not in str(texts([*problems]))


def test_there_are_not_too_many_headers() -> None:
    webhook = Webhook(url="https://example.com/", headers={f"X-{number}": "" for number in range(33)})

    assert texts([*webhook_problems(webhook)]) == ["spec.webhook.headers: Too many: 33: must have at most 32 items"]


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    trigger = builders.trigger()
    later = NOW + timedelta(minutes=1)

    set_condition(trigger, Condition(type=READY, status="False", reason="A"), now=NOW)
    set_condition(trigger, Condition(type=READY, status="False", reason="B"), now=later)
    first = condition_of(trigger, READY)
    set_condition(trigger, Condition(type=READY, status="True", reason="C"), now=later)
    second = condition_of(trigger, READY)

    assert first is not None
    assert second is not None
    assert (first.reason, first.last_transition_time) == ("B", timestamp(NOW))
    assert (second.reason, second.last_transition_time) == ("C", timestamp(later))


def test_a_new_trigger_has_told_nothing_in_its_row() -> None:
    trigger = builders.trigger(namespace="other", paused=True)
    trigger.metadata.creation_timestamp = timestamp(NOW - timedelta(minutes=3))

    assert row(trigger, NOW) == ["deploy", "other/app:latest", True, "<none>", "<none>", "3m", "Unknown", ""]
    assert len(COLUMNS) == 8


def test_the_row_says_what_was_told_and_what_was_not() -> None:
    trigger = builders.trigger()
    trigger.metadata.creation_timestamp = timestamp(NOW - timedelta(hours=5))
    trigger.status.last_triggered = LastTriggered(image="i", reference="r", time=timestamp(NOW - timedelta(minutes=3)))
    set_condition(trigger, Condition(type=READY, status="False", reason="SecretMissing"), now=NOW)
    set_condition(trigger, Condition(type=DELIVERED, status="False", reason="GaveUp"), now=NOW)

    assert row(trigger, NOW) == [
        "deploy", "app:latest", False, "3m", "False", "5h", "False (SecretMissing)", "GaveUp",
    ]  # fmt: skip


# --- in the store


@pytest.fixture
def shop(db: None) -> None:
    """The namespaces and the stream."""
    open_shop()


@pytest.mark.usefixtures("shop")
def test_the_generation_counts_changes_of_the_spec() -> None:
    create(builders.trigger())
    assert read().metadata.generation == 1

    edit_spec(paused=True)
    assert read().metadata.generation == 2

    def label(trigger: ImageTrigger) -> ImageTrigger:
        trigger.metadata.labels = {"team": "shop"}
        return trigger

    store.update(IMAGE_TRIGGERS, "deploy", label, context=context(IMAGE_TRIGGERS, "shop"), strategy=REGULAR)
    assert read().metadata.generation == 2


@pytest.mark.usefixtures("shop")
def test_the_kind_of_the_source_may_be_left_out() -> None:
    trigger = builders.trigger()
    trigger.spec.from_.kind = ""

    create(trigger)

    assert read().spec.from_.kind == "ImageStreamTag"


@pytest.mark.usefixtures("shop")
def test_clients_write_the_spec_and_the_server_the_status() -> None:
    trigger = builders.trigger()
    trigger.status.observed_generation = 99
    create(trigger)
    assert read().status.observed_generation == 0

    def both(current: ImageTrigger) -> ImageTrigger:
        current.spec.paused = True
        current.metadata.labels = {"team": "shop"}
        current.status.observed_generation = 1
        return current

    store.update(IMAGE_TRIGGERS, "deploy", both, context=context(IMAGE_TRIGGERS, "shop"), strategy=STATUS)
    after_status = read()
    store.update(IMAGE_TRIGGERS, "deploy", both, context=context(IMAGE_TRIGGERS, "shop"), strategy=REGULAR)

    assert (after_status.spec.paused, after_status.metadata.labels) == (False, None)
    assert after_status.status.observed_generation == 1
    assert read().spec.paused


@pytest.mark.usefixtures("shop")
def test_a_wrong_condition_is_refused() -> None:
    create(builders.trigger())

    def edit(current: ImageTrigger) -> ImageTrigger:
        current.status.conditions = [Condition(status="Maybe")]
        return current

    with pytest.raises(StatusError) as caught:
        store.update(IMAGE_TRIGGERS, "deploy", edit, context=context(IMAGE_TRIGGERS, "shop"), strategy=STATUS)

    details = caught.value.details or {}
    assert isinstance(details["causes"], list)
    assert [cause["field"] for cause in details["causes"]] == [
        "status.conditions[0].type",
        "status.conditions[0].status",
    ]


@pytest.mark.usefixtures("shop")
def test_another_namespace_demands_the_right_to_pull() -> None:
    trigger = builders.trigger(source="base:latest", namespace="other")
    jane = context(IMAGE_TRIGGERS, "shop", actor=Actor("jane"))

    with pytest.raises(StatusError) as caught:
        store.create(IMAGE_TRIGGERS, trigger, context=jane, strategy=REGULAR)

    assert caught.value.code == 403
    assert caught.value.message == (
        'imagetriggers.triggers.registry-meta.io "deploy" is forbidden: User "jane" cannot get resource'
        ' "imagestreams/layers" in API group "image.openshift.io" in the namespace "other"'
    )
    assert not Subscription.objects.exists()


@pytest.mark.usefixtures("shop")
def test_the_right_to_pull_is_asked_again_when_the_spec_changes() -> None:
    create(builders.trigger(source="base:latest", namespace="other"))
    jane = context(IMAGE_TRIGGERS, "shop", actor=Actor("jane"))

    def label(trigger: ImageTrigger) -> ImageTrigger:
        trigger.metadata.labels = {"team": "shop"}
        return trigger

    def redirect(trigger: ImageTrigger) -> ImageTrigger:
        trigger.spec.webhook = Webhook(url="https://elsewhere.example/")
        return trigger

    store.update(IMAGE_TRIGGERS, "deploy", label, context=jane, strategy=REGULAR)
    with pytest.raises(StatusError, match="is forbidden"):
        store.update(IMAGE_TRIGGERS, "deploy", redirect, context=jane, strategy=REGULAR)


@pytest.mark.usefixtures("shop")
def test_ones_own_namespace_demands_nothing_more() -> None:
    jane = context(IMAGE_TRIGGERS, "shop", actor=Actor("jane"))

    store.create(IMAGE_TRIGGERS, builders.trigger(), context=jane, strategy=REGULAR)

    assert Subscription.objects.get().from_namespace == "shop"
