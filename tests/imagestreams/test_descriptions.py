"""Every field of the image group is explained."""

from __future__ import annotations

import msgspec
import pytest

from imagestreams import clustertypes, ledgertypes, types
from imagestreams.api import imagetrigger
from imagestreams.clusterdescriptions import DESCRIPTIONS as CLUSTER_DESCRIPTIONS
from imagestreams.descriptions import DESCRIPTIONS
from registry_meta.kube.openapi_text import ANY_TYPE

TYPES = [
    type_
    for module in (types, imagetrigger, ledgertypes, clustertypes)
    for type_ in vars(module).values()
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct) and type_.__module__ == module.__name__
]


@pytest.mark.parametrize("type_", TYPES, ids=lambda type_: type_.__name__)
def test_every_field_is_described_and_nothing_else(type_: type[msgspec.Struct]) -> None:
    fields = {field.encode_name for field in msgspec.structs.fields(type_)}

    described = {**DESCRIPTIONS, **CLUSTER_DESCRIPTIONS}.get(type_, {}).keys()
    assert fields - ANY_TYPE.keys() <= described <= fields
