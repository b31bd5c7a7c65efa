"""Elections: what the tags of a stream that follow a rule stand for now, before their images are fetched."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from imagestreams import conditions, election, follow, marks, sightings
from imagestreams.api.images import IMAGES
from imagestreams.conditions import Status, is_failure
from imagestreams.election import Content, Election, Mark, Tally
from imagestreams.follow import Rule
from imagestreams.history import latest, tag_of
from imagestreams.imports import plan, routing
from imagestreams.imports.fetch import SUCCESS, Fetched, Wanted
from imagestreams.imports.record import Verdict
from imagestreams.imports.sources import Sources
from imagestreams.imports.wanted import Asked
from imagestreams.marks import Standing
from imagestreams.outcomes import needs_import
from imagestreams.reference import PullSpec, is_digest
from imagestreams.types import Image, ImageImportSpec, ImageStream, ImageStreamImport
from imagestreams.upstream.errors import NotFound, UpstreamError
from imagestreams.upstream.values import Manifest
from registry_meta.kube import store
from registry_meta.kube.errors import StatusError


class Repository(Protocol):
    """What elections ask of a repository; each raises UpstreamError."""

    def tags(self) -> Iterator[str]:
        """Yield the tags as they are listed."""

    def head(self, reference: str) -> str | None:
        """Return the digest that is said of a tag, if any is."""

    def manifest(self, reference: str) -> Manifest:
        """Return the manifest of a tag."""


@dataclass(frozen=True, slots=True)
class Follower:
    """An entry of an import whose tag follows a rule: where it stands in the request, and what was elected before."""

    index: int
    tag: str
    rule: Rule
    source: PullSpec
    insecure: bool
    wish: str
    mark: Mark | None = None
    is_settled: bool = False
    """Whether the tag points to what the mark stood for, and nobody asks for it anew."""

    @property
    def repository(self) -> str:
        """The repository as marks name it."""
        return "/".join(self.source.host_and_path())


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an election: it, or why there was none."""

    follower: Follower
    election: Election | None = None
    failure: Status | None = None
    error: UpstreamError | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What the elections of an import leave behind at its tags: what they stand for, and what is said of it."""

    standings: Mapping[str, Standing] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Elections:
    """The elections of one import, by the position of the entry; an entry without one is fetched as it asks."""

    outcomes: Mapping[int, Outcome] = field(default_factory=dict)

    def __or__(self, later: Elections) -> Elections:
        return Elections({**self.outcomes, **later.outcomes})

    def over(self, asked: Asked, stream: ImageStream | None) -> tuple[Asked, dict[Wanted, Fetched]]:
        """Return what is to be fetched in place of what was asked, and the outcomes of what needs no fetching."""
        images, settled = list(asked.images), dict[Wanted, Fetched]()
        for index, outcome in self.outcomes.items():
            item, fetched = _settled(replace(images[index], settled=""), outcome, stream)
            images[index] = item
            if fetched is not None:
                settled[item] = fetched
        beyond = {tag: item for tag, item in asked.beyond.items() if item in images}
        return replace(asked, images=images, beyond=beyond), settled

    def tags(self) -> dict[int, str]:
        """Return the upstream tag that each entry stands for, as far as there is one."""
        found = {index: outcome.election for index, outcome in self.outcomes.items()}
        return {index: each.tag for index, each in found.items() if each is not None and each.tag}

    def verdicts(self) -> dict[str, Verdict]:
        """Return what is to be said at each tag whose election came off."""
        found = {outcome.follower: outcome.election for outcome in self.outcomes.values()}
        return {
            follower.tag: Verdict(follower.rule, each.is_elected, each.reason, each.message)
            for follower, each in found.items()
            if each is not None
        }

    def standings(self, images: Sequence[Fetched]) -> dict[str, Standing]:
        """Return what is to be kept of each tag; only what was fetched as well counts as elected."""
        found: dict[str, Standing] = {}
        for index, outcome in self.outcomes.items():
            follower, each, fetched = outcome.follower, outcome.election, images[index]
            if each is None:
                continue
            standing = Standing(follower.repository, None, wakes_at=each.wakes_at)
            image = fetched.image if not is_failure(fetched.status) else None
            if each.is_elected and not each.stays and image is not None:
                mark = Mark(each.tag, each.digest or fetched.source)
                standing = replace(standing, mark=mark, image=image.metadata.name, wish=follower.wish)
            found[follower.tag] = standing
        return found

    def ended(self, images: Sequence[Fetched]) -> Ended:
        """Return what is to be written, once the images have come."""
        return Ended(self.standings(images), self.verdicts())


def hold(
    request: ImageStreamImport,
    stream: ImageStream | None,
    *,
    sources: Sources,
    now: datetime,
    keep: bool,
    lazily: bool = False,
    only: Collection[str] | None = None,
) -> Elections:
    """List the repositories that tags of an import follow, each once, and elect.

    `keep` says whether what is seen is noted, and `lazily` that nothing is fetched which is there already. `only` names
    the tags that it is about. Entries that ask for something else than the wish of their tag are left alone.
    """
    followers = [
        found
        for index, spec in enumerate(request.spec.images or [])
        if (found := _follower(index, spec, stream, lazily=lazily)) is not None and (only is None or found.tag in only)
    ]
    places: dict[tuple[tuple[str, str], bool], list[Follower]] = {}
    for each in followers:
        places.setdefault((each.source.host_and_path(), each.insecure), []).append(each)
    outcomes = [each for group in places.values() for each in _elect(group, sources, now=now, keep=keep)]
    return Elections({each.follower.index: each for each in outcomes})


def _follower(index: int, spec: ImageImportSpec, stream: ImageStream | None, *, lazily: bool) -> Follower | None:
    wish = tag_of(stream, spec.to.name) if stream is not None and spec.to is not None else None
    rule = follow.rule_of(wish)
    if stream is None or wish is None or wish.from_ is None or rule is None or wish.from_.name != spec.from_.name:
        return None
    source, insecure = PullSpec.parse(spec.from_.name), spec.import_policy.insecure
    found = Follower(index, wish.name, rule, source, insecure, plan.wish(wish))
    newest = latest(stream, wish.name)
    standing = marks.of(stream, wish.name, repository=found.repository)
    if newest is None or not newest.image or standing is None:
        return found
    same = (standing.image, standing.wish) == (newest.image, found.wish)
    is_settled = lazily and same and not needs_import(wish, stream) and not plan.has_failed(stream, wish.name)
    return replace(found, mark=standing.mark, is_settled=is_settled)


def _elect(followers: list[Follower], sources: Sources, *, now: datetime, keep: bool) -> list[Outcome]:
    """Hold the elections of those that follow one repository, which is listed once."""
    source, insecure = followers[0].source.repository(), followers[0].insecure
    host, path = source.host_and_path()
    listing = sightings.Listing(host, path, insecure=insecure, now=now, keep=keep)
    tallies = {each: _tally(each, listing, now=now) for each in followers}
    try:
        client = sources.repository(source, insecure=insecure)
        for seen in listing.see(client.tags()):
            for tally in tallies.values():
                tally.add(seen)
    except UpstreamError as error:
        failure = routing.tag_list_failure(error, source.exact())
        return [Outcome(each, failure=failure, error=error) for each in followers]
    doubted = listing.close()
    return [_decided(each, tally, listing, client, doubted=doubted) for each, tally in tallies.items()]


def _tally(follower: Follower, listing: sightings.Listing, *, now: datetime) -> Tally:
    names = [follower.mark.tag] if follower.mark is not None else []
    known = listing.known([*names, follower.source.tag])
    return Tally(follower.rule, now=now, mark=follower.mark, start=follower.source.tag, known=known)


def _decided(
    follower: Follower, tally: Tally, listing: sightings.Listing, client: Repository, *, doubted: bool
) -> Outcome:
    try:
        contents = _contents(tally.to_ask(), listing, client)
        found = election.decide(tally, contents, doubted=doubted)
        if follower.is_settled and found.is_elected and _is_same(found, follower.mark, client):
            found = replace(found, stays=True)
    except UpstreamError as error:
        return Outcome(follower, failure=routing.image_failure(error, follower.source), error=error)
    return Outcome(follower, found)


def _is_same(found: Election, mark: Mark | None, client: Repository) -> bool:
    """Return whether what is elected is what was elected before, with the same content."""
    if mark is None or found.tag != mark.tag or not mark.digest:
        return False
    return (found.digest or client.head(found.tag)) == mark.digest


def _contents(tags: list[str], listing: sightings.Listing, client: Repository) -> dict[str, Content]:
    """Return what some tags point to now, and since when that has been seen; those that are gone are left out."""
    known = listing.contents(tags)
    found: dict[str, Content] = {}
    for tag in tags:
        try:
            said = client.head(tag) or ""
            digest = said if is_digest(said) else client.manifest(tag).digest
        except NotFound:
            continue
        found[tag] = listing.learn(tag, digest, known.setdefault(tag, {}))
    return found


def _settled(item: Wanted, outcome: Outcome, stream: ImageStream | None) -> tuple[Wanted, Fetched | None]:
    """Return what is fetched for an entry, or its outcome where nothing is: the tag stays, or points nowhere."""
    name, each = outcome.follower.tag, outcome.election
    if outcome.failure is not None or each is None:
        return replace(item, settled=name), Fetched(outcome.failure or SUCCESS, failure=outcome.error)
    if each.tag and not each.stays:
        return replace(item, reference=each.digest or each.tag), None
    newest = latest(stream, name) if stream is not None else None
    if newest is None or not newest.image:
        text = f"{outcome.follower.source.repository().exact()}: {each.message}"
        return replace(item, settled=name), Fetched(conditions.of_error(StatusError(404, "NotFound", text)))
    stored = store.find(IMAGES, "", newest.image)
    if stored is None:
        return replace(item, reference=newest.image), None
    image: Image = stored.object()
    image.docker_image_reference = newest.docker_image_reference
    return replace(item, settled=name), Fetched(SUCCESS, image)
