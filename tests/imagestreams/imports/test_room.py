"""Imports into namespaces that allow only so much."""

from __future__ import annotations

import pytest

from imagestreams import tags
from tests.authz.conftest import Api
from tests.imagestreams.builders import images
from tests.imagestreams.imports.shelf import IMPORTS, STREAMS, Shelf, app, asking, bring_in, image, repository


def quota(shop: Api, streams: int) -> None:
    """Allow so many streams in the shop."""
    body = {"metadata": {"name": "q"}, "spec": {"hard": {"openshift.io/imagestreams": str(streams)}}}
    assert shop.post("/api/v1/namespaces/shop/resourcequotas", body)[0] == 201


def reasons(tag: str) -> list[str]:
    """Return the reasons of the conditions of a tag."""
    return [condition.reason for condition in tags.conditions_of(app(), tag) or []]


@pytest.mark.parametrize(
    ("exists", "store_", "code"), [(False, True, 403), (False, False, 201), (True, True, 201), (True, False, 201)]
)
def test_a_quota_counts_the_stream_that_an_import_would_make(
    shop: Api, shelf: Shelf, exists: bool, store_: bool, code: int
) -> None:
    shelf.push("team/app", "latest", seed="one")
    if exists:
        assert shop.post(STREAMS, {"metadata": {"name": "app"}})[0] == 201
    quota(shop, 1 if exists else 0)
    spec, of = image(f"{shelf.host}/team/app:latest", "latest"), repository(f"{shelf.host}/team/app")

    answered = [shop.post(IMPORTS, asking(*images_, of=of, store=store_)) for images_ in ((spec,), ())]

    assert [given for given, _ in answered] == [code, code]
    assert bool(shelf.asked()) == (code == 201)


def test_a_limit_refuses_the_whole_import_and_says_so_at_new_tags(shop: Api, shelf: Shelf) -> None:
    for tag in ("a", "b"):
        shelf.push("team/app", tag, seed=tag)
    limits = [{"type": "openshift.io/ImageStream", "max": {"openshift.io/images": "1"}}]
    body = {"metadata": {"name": "few"}, "spec": {"limits": limits}}
    assert shop.post("/api/v1/namespaces/shop/limitranges", body)[0] == 201
    both = [image(f"{shelf.host}/team/app:{tag}", tag) for tag in ("a", "b")]
    bring_in(shop, both[0])

    code, answer = shop.post(IMPORTS, asking(*both))

    assert (code, answer["reason"]) == (422, "Invalid")
    assert "requested usage of openshift.io/images exceeds" in answer["message"]
    assert (images(app(), "b"), reasons("b"), reasons("a")) == ([], ["Invalid"], [])
    assert tags.tag_of(app(), "b") is None
