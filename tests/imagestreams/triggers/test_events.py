from __future__ import annotations

import json

from examples.consumer import describe, is_signed
from imagestreams.triggers import events
from tests.imagestreams.builders import digest
from tests.imagestreams.triggers.builders import UID, move


def test_the_event_is_a_structured_cloudevent() -> None:
    assert json.loads(events.body(move(), trigger_uid=UID)) == {
        "specversion": "1.0",
        "id": f"{UID}.7",
        "type": "io.registry-meta.image.tag.moved.v1",
        "source": "/apis/image.openshift.io/v1/namespaces/shop/imagestreams/app",
        "subject": "app:latest",
        "time": "2026-01-02T03:04:05.678900Z",
        "datacontenttype": "application/json",
        "data": {
            "namespace": "shop",
            "stream": "app",
            "tag": "latest",
            "image": digest("b"),
            "reference": f"quay.io/example/app@{digest('b')}",
            "previousImage": digest("a"),
            "previousReference": f"quay.io/example/app@{digest('a')}",
            "reason": "imported",
            "actor": "jane",
            "resourceVersion": "7",
        },
    }


def test_a_new_tag_has_an_empty_previous_image() -> None:
    data = json.loads(events.body(move("b", ""), trigger_uid=UID))["data"]

    assert (data["previousImage"], data["previousReference"]) == ("", "")


def test_the_same_move_always_gives_the_same_bytes() -> None:
    assert events.body(move(), trigger_uid=UID) == events.body(move(), trigger_uid=UID)


def test_ids_differ_by_trigger_and_by_version() -> None:
    assert len({events.event_id("a", 1), events.event_id("a", 2), events.event_id("b", 1)}) == 3


def test_the_signature_is_the_hmac_of_the_body() -> None:
    # RFC 4231, test case 2.
    expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"

    assert events.signature(b"what do ya want for nothing?", b"Jefe") == expected


def test_the_example_accepts_our_signature_and_no_other() -> None:
    body = events.body(move(), trigger_uid=UID)
    header = events.signature(body, b"key")

    assert is_signed(body, header, b"key")
    assert not is_signed(body + b" ", header, b"key")
    assert not is_signed(body, header, b"other key")
    assert not is_signed(body, "", b"key")


def test_the_example_says_what_moved() -> None:
    line = describe(json.loads(events.body(move("b", ""), trigger_uid=UID)))

    assert line == f"shop/app:latest moved from nothing to {digest('b')} (imported, by jane)"
