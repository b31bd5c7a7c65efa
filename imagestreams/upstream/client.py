"""The client of container registries: repositories with their tags, manifests and blobs."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self
from urllib.parse import quote

from imagestreams.upstream import media
from imagestreams.upstream.answers import Answer
from imagestreams.upstream.attempts import Attempts
from imagestreams.upstream.budget import Budget
from imagestreams.upstream.contents import Contents, Shelf
from imagestreams.upstream.conversation import Conversation, Services
from imagestreams.upstream.endpoints import Endpoints
from imagestreams.upstream.errors import Malformed, NotFound, Permanent, Rejected
from imagestreams.upstream.failures import request_line, shown
from imagestreams.upstream.guard import Guard
from imagestreams.upstream.pages import Page
from imagestreams.upstream.supply import Offer
from imagestreams.upstream.tokens import Tokens
from imagestreams.upstream.transport import Transport
from imagestreams.upstream.values import Deadline, Limits, Manifest, Repository

__all__ = ["Limits", "RepositoryClient", "UpstreamClient"]

USER_AGENT = "registry-meta"
TAGS_A_PAGE = 1000


class UpstreamClient:
    """The client of a process: threads share connections, tokens, contents, and the places at each host.

    Unless `allow_private`, it connects only to public addresses and to `allowed` networks and names. `ca_bundle` is a
    PEM file with the authorities to trust in place of the usual ones. Without a `budget` it keeps to
    `limits.per_second` by itself.
    """

    def __init__(
        self,
        *,
        limits: Limits,
        allow_private: bool,
        allowed: Sequence[str] = (),
        ca_bundle: Path | None = None,
        user_agent: str = USER_AGENT,
        budget: Budget | None = None,
    ) -> None:
        self._limits = limits
        self._transport = Transport(
            limits=limits,
            guard=Guard.allowing(allowed, anything=allow_private),
            ca_bundle=ca_bundle,
            user_agent=user_agent,
            budget=budget,
        )
        self._contents = Contents(limits.kept_bytes)
        tokens = Tokens(self._transport, limits=limits)
        self._services = Services(self._transport, Endpoints(self._transport), tokens)

    def repository(
        self,
        repository: Repository,
        *,
        credentials: Sequence[Offer] = (),
        insecure: bool = False,
        deadline: Deadline | None = None,
        attempts: Attempts | None = None,
    ) -> RepositoryClient:
        """Return the client of one repository; nothing is asked yet.

        The credentials are tried in order until one is accepted; None stands for none, as does an empty list.
        `insecure` accepts any certificate, and plain http when there is no https. No call outlasts `deadline`.
        Clients that share `attempts` do not repeat what was refused.
        """
        conversation = Conversation(
            self._services, repository, credentials=credentials, insecure=insecure, attempts=attempts
        )
        shelf = (repository.endpoint, insecure, repository.path)
        return RepositoryClient(conversation, shelf, self._contents, limits=self._limits, deadline=deadline)

    def in_background(self) -> Self:
        """Return the same client for work that nobody waits for: its requests let those of others go first."""
        other = copy.copy(self)
        other._services = replace(self._services, transport=self._transport.in_background())
        return other

    def trust(self, authorities: Mapping[str, str]) -> None:
        """Trust further authorities (PEM), each with the `host[:port]` that it is given for."""
        self._transport.authorities.add(authorities)

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._transport.close()


class RepositoryClient:
    """Reads one repository; threads may share it. Every method raises UpstreamError.

    When several credentials are refused, the error is that of the first.
    """

    def __init__(
        self,
        conversation: Conversation,
        shelf: Shelf,
        contents: Contents,
        *,
        limits: Limits,
        deadline: Deadline | None = None,
    ) -> None:
        self._conversation = conversation
        self._shelf = shelf
        self._contents = contents
        self._limits = limits
        self._deadline = deadline
        # Whether the registry gave something of the repository to who asks here: then he may have what is kept of it.
        self._is_open = False

    def tags(self) -> Iterator[str]:
        """Yield the tags as the registry lists them, while they come.

        Each page has the time of a call of its own. A page that breaks off is read anew: a name may come twice.
        """
        over = Deadline(self._limits.tags_seconds, within=self._deadline)
        count, url, seen = 0, "", set[str]()
        for _ in range(self._limits.tag_pages):
            page = Page(partial(self._page, url, over))
            for name in page:
                count += 1
                if count > self._limits.tags:
                    raise Malformed(f"{request_line('GET', page.url)}: there are more than {self._limits.tags} tags")
                yield name
            seen.add(page.url)
            url = page.following or ""
            if not url:
                return
            if url in seen:
                raise Malformed(f"{request_line('GET', url)}: the pages of tags lead back to one that was read")
        raise Malformed(f"{request_line('GET', url)}: there are more than {self._limits.tag_pages} pages of tags")

    def manifest(self, reference: str) -> Manifest:
        """Return the manifest of a tag or digest; its own digest is computed from what came, never believed.

        A tag that a HEAD shows not to have moved is not fetched again, nor is a digest once the registry gave a tag.
        Raises IntegrityError for bytes without the digest that they were asked by, or that the registry says they have.
        """
        path = _manifest(reference)
        if not media.is_digest(reference):
            return self._unmoved(reference) or self._fetch_manifest(reference, path)
        if not self._is_open:
            return self._fetch_manifest(reference, path)
        fetch = partial(self._fetch_manifest, reference, path)
        return self._contents.once(self._shelf, reference, Manifest, fetch, deadline=self._call_deadline())

    def _unmoved(self, tag: str) -> Manifest | None:
        """Return what a tag was when it was read last, if the registry says that it is that now."""
        known = self._contents.find(self._shelf, self._contents.digest_of(self._shelf, tag), Manifest)
        if known is None:
            return None
        with suppress(Permanent):
            return known if self.head(tag) == known.digest else None
        return None

    def _fetch_manifest(self, reference: str, path: str) -> Manifest:
        answer = self._get(path, limit=self._limits.manifest_bytes, accept=media.ACCEPT)
        kind = media.media_type(answer.headers.get("Content-Type") or "")
        addressed = media.addressed_bytes(kind, answer.body)
        stated = answer.headers.get("Docker-Content-Digest") or ""
        if media.is_digest(reference):
            media.verify(reference, addressed, what="manifest")
        elif stated.startswith("sha256:") and kind in media.CONTENT_ADDRESSED:
            media.verify(stated, addressed, what="manifest")
        self._is_open = True
        found = Manifest(media.digest(addressed), kind, answer.body)
        if media.is_of_type(kind, answer.body):
            self._contents.keep(self._shelf, found.digest, found)
        if not media.is_digest(reference):
            self._contents.remember(self._shelf, reference, found.digest)
        return found

    def head(self, reference: str) -> str | None:
        """Return the digest that the registry gives for a tag, or None when it gives none.

        It is a hint that costs no pull: nothing was verified. A 404 has no body, so it counts as MANIFEST_UNKNOWN.
        """
        try:
            answer = self._ask("HEAD", _manifest(reference), accept=media.ACCEPT)
        except NotFound as error:
            raise NotFound("manifest unknown: manifest unknown", codes=["MANIFEST_UNKNOWN"], status=404) from error
        except Rejected as error:
            if error.status == 405:
                return None
            raise
        self._is_open = True
        return answer.headers.get("Docker-Content-Digest") or None

    def blob(self, digest: str, *, limit: int) -> bytes:
        """Return a blob of at most `limit` bytes, such as a configuration.

        One that was fetched before is not fetched again once the registry gave a manifest of the repository.
        """
        media.check_digest(digest)
        fetch = partial(self._fetch_blob, digest, limit)
        if not self._is_open:
            return fetch()
        found = self._contents.once(self._shelf, digest, bytes, fetch, deadline=self._call_deadline())
        if len(found) > limit:
            raise Malformed(f"{request_line('GET', f'blobs/{digest}')}: the blob is larger than {limit} bytes")
        return found

    def _fetch_blob(self, digest: str, limit: int) -> bytes:
        with _unknown_blob():
            body = self._get(f"blobs/{digest}", limit=limit).body
        media.verify(digest, body, what="blob")
        return body

    def blob_size(self, digest: str) -> int:
        """Return the number of bytes of a blob, as the registry says."""
        media.check_digest(digest)
        with _unknown_blob():
            answer = self._ask("HEAD", f"blobs/{digest}")
        length = answer.headers.get("Content-Length") or ""
        if not (length.isascii() and length.isdigit()):
            raise Malformed(f"missing content-length header for request: {shown(answer.url)}")
        return int(length)

    def _page(self, url: str, over: Deadline) -> Answer:
        """Return a page of tags that is still to be read; the first one, a large one if that is allowed, for no URL."""
        if url:
            return self._open(url, over)
        try:
            return self._open(f"tags/list?n={TAGS_A_PAGE}", over)
        except Rejected as error:
            if error.status != 400 and "PAGINATION_NUMBER_INVALID" not in error.codes:
                raise
            return self._open("tags/list", over)

    def _open(self, where: str, over: Deadline) -> Answer:
        deadline = Deadline(self._limits.total_seconds, within=over)
        headers = {"Accept": "application/json"}
        limit = self._limits.tags_page_bytes
        return self._conversation.ask("GET", where, deadline=deadline, limit=limit, headers=headers, stream=True)

    def _get(self, where: str, *, limit: int, accept: str = "application/json") -> Answer:
        return self._ask("GET", where, limit=limit, accept=accept)

    def _ask(self, method: str, where: str, *, limit: int = 0, accept: str = "*/*") -> Answer:
        deadline = self._call_deadline()
        return self._conversation.ask(method, where, deadline=deadline, limit=limit, headers={"Accept": accept})

    def _call_deadline(self) -> Deadline:
        return Deadline(self._limits.total_seconds, within=self._deadline)


def _manifest(reference: str) -> str:
    """Return the path of a manifest; raises Malformed for a digest that is none."""
    if media.is_digest(reference):
        media.check_digest(reference)
        return f"manifests/{reference}"
    return f"manifests/{quote(reference, safe='')}"


@contextmanager
def _unknown_blob() -> Iterator[None]:
    """Tell of a blob that is not there in the words of all clients, whatever the registry says."""
    try:
        yield
    except NotFound as error:
        raise NotFound("unknown blob", codes=["BLOB_UNKNOWN"], status=error.status) from error
