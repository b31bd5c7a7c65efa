"""What limit ranges may say."""

from __future__ import annotations

from typing import Any

import pytest

from authz.api.limitranges import LimitRange, LimitRangeItem, LimitRangeSpec, largest_allowed
from registry_meta.kube.quantity import Quantity
from tests.authz.conftest import Api

Item = dict[str, Any]


def create(admin: Api, team: str, *items: Item) -> tuple[int, Any]:
    body = {"metadata": {"name": "l"}, "spec": {"limits": list(items)}}
    return admin.post(f"/api/v1/namespaces/{team}/limitranges", body)


def test_quantities_are_kept_in_their_canonical_form(admin: Api, team: str) -> None:
    item = {"type": "openshift.io/Image", "max": {"storage": "1024Mi", "example.com/things": 1000}}

    status, made = create(admin, team, item)

    assert (status, made["spec"]["limits"]) == (
        201, [{"type": "openshift.io/Image", "max": {"storage": "1Gi", "example.com/things": "1k"}}],
    )  # fmt: skip


def test_containers_get_their_defaults_from_the_other_limits(admin: Api, team: str) -> None:
    item = {"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1", "memory": "1Mi"}}

    _, made = create(admin, team, item)

    assert made["spec"]["limits"][0]["default"] == {"cpu": "2"}
    assert made["spec"]["limits"][0]["defaultRequest"] == {"cpu": "2", "memory": "1Mi"}


@pytest.mark.parametrize(
    ("items", "wrong"),
    [
        ([{"type": "Image"}], ["spec.limits[0].type"]),
        ([{}], ["spec.limits[0].type"] * 2),
        ([{"type": "a/b"}, {"type": "a/b"}], ["spec.limits[1].type"]),
        ([{"type": "openshift.io/Image", "max": {"bytes": "1"}}], ["spec.limits[0].max[bytes]"]),
        ([{"type": "openshift.io/Image", "max": {"-": "1"}}], ["spec.limits[0].max[-]"]),
        ([{"type": "Container", "max": {"storage": "1"}}],
         ["spec.limits[0].max[storage]", "spec.limits[0].default[storage]", "spec.limits[0].defaultRequest[storage]"]),
        ([{"type": "Pod", "default": {"cpu": "1"}}], ["spec.limits[0].default"]),
        ([{"type": "PersistentVolumeClaim"}], ["spec.limits[0].limits"]),
        ([{"type": "a/b", "min": {"storage": "2Ki"}, "max": {"storage": "2k"}}], ["spec.limits[0].min[storage]"]),
        ([{"type": "a/b", "max": {"storage": "1"}, "default": {"storage": "2"}}], ["spec.limits[0].default[storage]"]),
        ([{"type": "Pod", "maxLimitRequestRatio": {"cpu": "500m"}}], ["spec.limits[0].maxLimitRequestRatio[cpu]"]),
        ([{"type": "Pod", "min": {"cpu": "1"}, "max": {"cpu": "2"}, "maxLimitRequestRatio": {"cpu": "3"}}],
         ["spec.limits[0].maxLimitRequestRatio[cpu]"]),
    ],
)  # fmt: skip
def test_limits_that_make_no_sense_are_refused(admin: Api, team: str, items: list[Item], wrong: list[str]) -> None:
    status, answer = create(admin, team, *items)

    assert (status, [cause["field"] for cause in answer["details"]["causes"]]) == (422, wrong), answer["message"]


def test_what_is_no_quantity_is_refused(admin: Api, team: str) -> None:
    status, answer = create(admin, team, {"type": "openshift.io/Image", "max": {"storage": "much"}})

    assert status == 400
    assert "spec.limits[0].max.storage: quantities must match the regular expression" in answer["message"]


def test_the_smallest_maximum_of_a_type_counts() -> None:
    ranges = [
        LimitRange(spec=LimitRangeSpec(limits=[LimitRangeItem(type=type_, max=amounts)]))
        for type_, amounts in (
            ("t", {"storage": "1Gi", "a/b": "3"}), ("t", {"storage": "10Ki"}), ("t", {"storage": "1Mi"}),
            ("other", {"storage": "1", "c/d": "1"}),
        )
    ]  # fmt: skip

    found = largest_allowed([*ranges, LimitRange()], "t")

    assert found == {"storage": Quantity.parse("10Ki"), "a/b": Quantity.of(3)}
