"""JSON merge patch (RFC 7386)."""

from __future__ import annotations


def apply_merge_patch(document: object, patch: object) -> object:
    """Return a document with a patch merged into it: maps by key, null removes, anything else replaces.

    Neither argument is changed; what the patch does not touch is shared with the result.
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = apply_merge_patch(merged.get(key), value)
    return merged
