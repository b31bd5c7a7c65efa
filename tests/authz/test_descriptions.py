"""What is explained exists, and what exists is explained."""

from __future__ import annotations

import msgspec
import pytest

from authz.descriptions import DESCRIPTIONS
from registry_meta.kube.openapi_text import ANY_TYPE


@pytest.mark.parametrize("type_", DESCRIPTIONS, ids=lambda type_: type_.__name__)
def test_every_field_is_described_and_nothing_else(type_: type[msgspec.Struct]) -> None:
    fields = {field.encode_name for field in msgspec.structs.fields(type_)}

    described = DESCRIPTIONS[type_].keys()
    assert fields - ANY_TYPE.keys() <= described <= fields
