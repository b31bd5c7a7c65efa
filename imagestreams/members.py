"""Which manifest lists name which images: rows beside the lists, written in the transactions that write them."""

from __future__ import annotations

from datetime import datetime

from imagestreams.models import NAME, ImageMember
from imagestreams.types import Image, ImageManifest


def record(new: Image | None, old: Image | None, *, now: datetime) -> None:
    """Follow a change of an image; `new` is None for one that is deleted."""
    image = new or old
    before, after = _members(old), _members(new)
    if image is None or before.keys() == after.keys():
        return
    name = image.metadata.name
    gone = before.keys() - after.keys()
    if gone:
        ImageMember.objects.filter(image=name, member__in=gone).delete()
    ImageMember.objects.bulk_create(
        ImageMember(image=name, member=digest, platform=platform(member), since=now)
        for digest, member in after.items()
        if digest not in before
    )


def _members(image: Image | None) -> dict[str, ImageManifest]:
    """Return the members of a list by digest, the first of each; what is too long is no digest."""
    found: dict[str, ImageManifest] = {}
    for member in (image.docker_image_manifests if image is not None else None) or []:
        if len(member.digest) <= NAME:
            found.setdefault(member.digest, member)
    return found


def platform(member: ImageManifest) -> str:
    """Return the platform of a member as people write it: `linux/arm64/v8`."""
    return "/".join(part for part in (member.os, member.architecture, member.variant) if part)


def lists_with(digest: str) -> list[ImageMember]:
    """Return the manifest lists that name an image, by name."""
    return list(ImageMember.objects.filter(member=digest).order_by("image"))
