"""The first-seen ledger: since when this server has seen the tags of followed repositories, and what they pointed to.

Only what was seen here counts: what registries and images say of their age is theirs to say. A tag that goes and comes
back keeps its age; another content of it has an age of its own. Rows are written where something is new, so that a list
that is the same writes one row, however long it is.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import islice

from django.db.models import QuerySet

from imagestreams import follow
from imagestreams.election import CONFIRMED, Content, Sighting
from imagestreams.models import FollowedTag, UpstreamDigest, UpstreamRepository, UpstreamTag

PAGE = 1000
FEW = 4
"""A list that was shorter than this is believed, whatever is left of it."""

APART = timedelta(seconds=30)
"""Lists that come sooner after each other confirm nothing."""

KEPT = timedelta(days=90)
"""How long a repository is remembered that nobody has listed."""


class Listing:
    """One listing of a repository as it comes in: first `see` all of it, then `close`.

    With `keep` false it only looks: nothing is written, and what is new was seen now.
    """

    def __init__(self, host: str, path: str, *, insecure: bool, now: datetime, keep: bool) -> None:
        place = {"host": host, "path": path, "insecure": insecure}
        self._now = now
        self._keep = keep
        self._repository = UpstreamRepository.objects.filter(**place).first() or UpstreamRepository(**place)
        if keep and self._repository.pk is None:
            self._repository = UpstreamRepository.objects.get_or_create(**place)[0]
        self._seen = array("Q")

    def known(self, tags: Sequence[str]) -> list[Sighting]:
        """Return what is known of some tags, listed or not."""
        return list(self._rows(tags).values())

    def see(self, names: Iterable[str]) -> Iterator[Sighting]:
        """Take the names as the registry lists them and yield what is known of each; those that no tag can have go."""
        stream = (name for name in names if follow.is_tag(name))
        while page := list(dict.fromkeys(islice(stream, PAGE))):
            rows, back = self._known(page)
            fresh = [name for name in page if name not in rows]
            if fresh:
                self._add(fresh)
                rows = {name: self._new(name) for name in fresh} | rows
                rows |= self._rows(fresh)
            if back and self._keep:
                self._tags.filter(tag__in=back).update(gone_since=None)
            self._seen.extend(_number(name) for name in page)
            yield from (rows[name] for name in page)

    def close(self) -> bool:
        """Note that the whole list has come; return whether it is far shorter than before, and not yet confirmed."""
        listed = set(self._seen)
        repository, now = self._repository, self._now
        is_short = repository.present >= FEW and len(listed) * 2 < repository.present
        is_again = repository.doubted_at is None or now - repository.doubted_at >= APART
        if is_short and repository.doubts + is_again < CONFIRMED:
            if is_again:
                repository.doubts, repository.doubted_at = repository.doubts + 1, now
                self._save("doubts", "doubted_at")
            return True
        if self._keep:
            self._note_gone(listed)
        repository.first_listed = repository.first_listed or now
        repository.listed_at, repository.present = now, len(listed)
        repository.doubts, repository.doubted_at = 0, None
        self._save("first_listed", "listed_at", "present", "doubts", "doubted_at")
        return False

    def contents(self, tags: Sequence[str]) -> dict[str, dict[str, Content]]:
        """Return the contents that some tags were seen to have, by tag and digest."""
        found: dict[str, dict[str, Content]] = {}
        rows = UpstreamDigest.objects.filter(repository_id=self._repository.pk, tag__in=tags)
        for row in rows.order_by("first_seen", "pk"):
            known = found.setdefault(row.tag, {})
            known[row.digest] = Content(row.digest, row.first_seen, is_first=not known)
        return found

    def learn(self, tag: str, digest: str, known: dict[str, Content]) -> Content:
        """Return since when a tag has been seen to have a digest, which is now if it is not among its `known` ones."""
        if digest not in known:
            known[digest] = Content(digest, self._now, is_first=not known)
            if self._keep:
                UpstreamDigest.objects.bulk_create(
                    [UpstreamDigest(repository=self._repository, tag=tag, digest=digest, first_seen=self._now)],
                    ignore_conflicts=True,
                )
        return known[digest]

    @property
    def _tags(self) -> QuerySet[UpstreamTag]:
        return UpstreamTag.objects.filter(repository_id=self._repository.pk)

    def _rows(self, tags: Sequence[str]) -> dict[str, Sighting]:
        return self._known(tags)[0]

    def _known(self, tags: Sequence[str]) -> tuple[dict[str, Sighting], list[str]]:
        """Return what is known of some tags, and which of them were gone."""
        rows = self._tags.filter(tag__in=tags).values_list("tag", "first_seen", "existing", "gone_since")
        found = list(rows)
        seen = {tag: Sighting(tag, since, existing) for tag, since, existing, _ in found}
        return seen, [tag for tag, _, _, gone_since in found if gone_since is not None]

    def _new(self, tag: str) -> Sighting:
        return Sighting(tag, self._now, existing=self._repository.first_listed is None)

    def _add(self, tags: Sequence[str]) -> None:
        if not self._keep:
            return
        is_first = self._repository.first_listed is None
        UpstreamTag.objects.bulk_create(
            [
                UpstreamTag(repository=self._repository, tag=tag, first_seen=self._now, existing=is_first)
                for tag in tags
            ],
            ignore_conflicts=True,  # another import may be listing the same
        )

    def _note_gone(self, listed: set[int]) -> None:
        """Note which tags are not listed any more; all that are listed are there."""
        present = self._tags.filter(gone_since__isnull=True)
        if present.count() == len(listed):
            return
        names = present.values_list("pk", "tag").iterator(chunk_size=2000)
        gone = [pk for pk, tag in names if _number(tag) not in listed]
        for start in range(0, len(gone), PAGE):
            self._tags.filter(pk__in=gone[start : start + PAGE]).update(gone_since=self._now)

    def _save(self, *fields: str) -> None:
        if self._keep:
            self._repository.save(update_fields=fields)


def forget(*, now: datetime) -> int:
    """Forget repositories that nobody has listed for long and that no tag follows; return how many."""
    old = UpstreamRepository.objects.filter(listed_at__lt=now - KEPT)
    followed = set(FollowedTag.objects.values_list("repository", flat=True))
    forgotten = [row for row in old if f"{row.host}/{row.path}" not in followed]
    for row in forgotten:
        row.delete()
    return len(forgotten)


def _number(tag: str) -> int:
    """Return a number of 64 bits that stands for a tag."""
    return int.from_bytes(blake2b(tag.encode(), digest_size=8).digest())
