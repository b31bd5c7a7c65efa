"""A PATCH request: which kind of patch it carries, and how that is applied."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from registry_meta.kube import decode, errors
from registry_meta.kube.patch.json import apply_json_patch
from registry_meta.kube.patch.merge import apply_merge_patch
from registry_meta.kube.patch.strategic import apply_strategic_patch

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PATCHES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)


@dataclass(slots=True)
class PatchRequest:
    """A patch of one of the three kinds for an object of `type_`; a body that cannot be read raises 400."""

    content_type: str
    body: bytes
    type_: type[msgspec.Struct]
    _patch: Any = field(init=False)
    duplicates: list[str] = field(init=False)

    def __post_init__(self) -> None:
        parsed = decode.parse(self.body, "json")
        self._patch, self.duplicates = parsed.tree, parsed.duplicates
        wanted = list if self.content_type == JSON_PATCH else dict
        if not isinstance(self._patch, wanted):
            raise errors.bad_request(f"the body of this patch must be a JSON {'array' if wanted is list else 'object'}")

    def apply(self, tree: dict[str, Any]) -> dict[str, Any]:
        """Return the patched object, plain JSON in and out; raises StatusError for a patch that does not apply."""
        if self.content_type == JSON_PATCH:
            patched = apply_json_patch(tree, self._patch)
        elif self.content_type == MERGE_PATCH:
            patched = apply_merge_patch(tree, self._patch)
        else:
            patched = apply_strategic_patch(tree, self._patch, self.type_)
        if not isinstance(patched, dict):
            raise errors.bad_request("the patched object is no JSON object")
        return patched
