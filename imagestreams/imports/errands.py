"""Imports that the server does by itself: for which wishes, and what came of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from imagestreams import tags
from imagestreams.conditions import is_failure
from imagestreams.imports import plan
from imagestreams.imports.answer import Outcome
from imagestreams.imports.fetch import Fetched
from imagestreams.imports.pace import Fault
from imagestreams.imports.plan import Due
from imagestreams.imports.routing import TransientlyUnreached
from imagestreams.imports.schedule import Found
from imagestreams.reference import PullSpec
from imagestreams.types import ImageStream, ImageStreamImport, TagReference
from imagestreams.upstream.errors import (
    IntegrityError,
    Limited,
    Malformed,
    NotARegistry,
    Transient,
    Untrusted,
    UpstreamError,
)

UNSAID = 30
"""The seconds for which a registry is left alone that asks for it and does not say how long."""


@dataclass(slots=True)
class Errand:
    """An import that nobody waits for: its outcome is written only at tags whose wish is still what it was.

    `outcome` and `request` are there once the stream was written, and `advice` where credentials were the reason for a
    failure: what to do, by repository.
    """

    wishes: Mapping[str, TagReference] = field(default_factory=dict)
    request: ImageStreamImport | None = None
    outcome: Outcome | None = None
    advice: Mapping[str, str] = field(default_factory=dict)

    def images(self) -> Iterator[tuple[str, Fetched]]:
        """Yield what was fetched for each tag that was asked for by name."""
        if self.request is not None and self.outcome is not None:
            for spec, fetched in zip(self.request.spec.images or [], self.outcome.images, strict=True):
                if spec.to is not None:
                    yield spec.to.name, fetched

    def found(self, stream: ImageStream) -> dict[str, Found]:
        """Return what was found of the tags that a stream, as it was written, still wishes in the same way."""
        results: dict[str, Found] = {}
        for tag, fetched in self.images():
            wished, before = tags.tag_of(stream, tag), self.wishes.get(tag)
            if wished is not None and before is not None and plan.wish(wished) == plan.wish(before):
                wait = limit(fetched.failure) if fetched.failure is not None else 0.0
                results[tag] = Found(fetched.source, fault_of(fetched), wait)
        return results

    def wait(self) -> float:
        """Return for how many seconds a registry has asked to be left alone, 0 for none."""
        return max(self.waits().values(), default=0.0)

    def waits(self) -> dict[str, float]:
        """Return for how many seconds registries, by their host, have asked to be left alone."""
        found: dict[str, float] = {}
        for tag, fetched in self.images():
            wished = self.wishes.get(tag)
            if wished is not None and wished.from_ is not None and fetched.failure is not None:
                host, _ = PullSpec.parse(wished.from_.name).host_and_path()
                found[host] = max(found.get(host, 0.0), limit(fetched.failure))
        return {host: seconds for host, seconds in found.items() if seconds}

    def is_repository_pending(self) -> bool:
        """Return whether the list of a repository, or a tag of it, did not come for a reason that may go away."""
        if self.outcome is None or self.outcome.listed is None:
            return False
        failures = [self.outcome.listed.failure, *(each.failure for each in self.outcome.repository.values())]
        return any(fault(failure) is Fault.TRANSIENT for failure in failures if failure is not None)


def errand(stream: ImageStream, what: Due) -> Errand:
    """Return the errand of importing what is due of a stream."""
    names = {tag.name for tag in what.tags}
    return Errand({tag.name: tag for tag in stream.spec.tags or [] if tag.name in names})


def fault_of(fetched: Fetched) -> Fault:
    """Return what kind of failure an image ended with."""
    if not is_failure(fetched.status):
        return Fault.NONE
    return fault(fetched.failure) if fetched.failure is not None else Fault.PERMANENT


def fault(failure: UpstreamError) -> Fault:
    """Return what can be expected of another attempt after a failure."""
    if isinstance(failure, Transient):
        return Fault.TRANSIENT
    if isinstance(failure, NotARegistry | Untrusted | Malformed | IntegrityError):
        return Fault.DOUBTFUL
    return Fault.PERMANENT


def limit(failure: UpstreamError) -> float:
    """Return for how many seconds a registry asks to be left alone, 0 when it does not."""
    if isinstance(failure, TransientlyUnreached):
        return float(failure.retry_after)
    return float(failure.retry_after or UNSAID) if isinstance(failure, Limited) else 0.0
