"""The kind UserOAuthAccessToken: one's own access tokens, which everybody may look at and end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec

from authz.api.oauthaccesstokens import (
    FIELDS,
    OAUTH_ACCESS_TOKENS,
    OWN_COLUMNS,
    OAuthAccessToken,
    own_cells,
)
from authz.api.oauthclients import GROUP, VERSION
from registry_meta.kube import errors, pagination, store
from registry_meta.kube.objects import DeleteOptions
from registry_meta.kube.pagination import ListOptions, Page, Selection
from registry_meta.kube.request import Context
from registry_meta.kube.resource import NAME, Resource
from registry_meta.kube.store import Preconditions, Stored
from registry_meta.kube.watch import Frame, Watch, plain_frame, watch_options

REASON = "somebody ended a token of his own"


class UserOAuthAccessToken(OAuthAccessToken):
    """A token of whoever asks; otherwise as an OAuthAccessToken."""


class _Head(msgspec.Struct, rename="camel"):
    user_name: str = ""


HEAD = msgspec.json.Decoder(_Head)


@dataclass(frozen=True)
class Own(Selection):
    """What a query selects of the tokens of one user."""

    username: str = ""

    is_everything = False
    reads_documents = True

    def matches(self, resource: Resource, namespace: str, name: str, document: str) -> bool:
        """Return whether a token is wanted."""
        return is_own(document, self.username) and Selection.matches(self, resource, namespace, name, document)


def is_own(document: str, username: str) -> bool:
    """Return whether a token is a user's."""
    return bool(username) and HEAD.decode(document).user_name == username


class UserOAuthAccessTokenStorage:
    """Shows and ends the tokens of whoever asks; those of others are not there."""

    def get(self, name: str, *, context: Context) -> Stored:
        """Return a token; raises 404."""
        stored = store.find(OAUTH_ACCESS_TOKENS, "", name)
        if stored is None or not is_own(stored.document, context.actor.username):
            raise errors.not_found(context.asked, name)
        return stored

    def list(self, options: ListOptions, *, context: Context) -> Page:
        """Return a page of the tokens that the query selects."""
        return pagination.page(OAUTH_ACCESS_TOKENS, "", _own(context), options)

    def watch(self, frame: Frame | None, *, context: Context) -> Iterator[bytes]:
        """Return the frames of a watch; bad parameters raise before the first one."""
        # A frame of its own: those that watches share are of the kind that is stored.
        shown = frame or (lambda kind, document: plain_frame(USER_OAUTH_ACCESS_TOKENS, kind, document))
        options = watch_options(context.query)
        return Watch(OAUTH_ACCESS_TOKENS, "", _own(context), options, shown).frames()

    def delete(self, name: str, options: DeleteOptions, *, context: Context) -> tuple[Stored, bool]:
        """End a token; return its last state and whether it is gone. Raises 404."""
        stored = self.get(name, context=context)
        required = options.required()
        place = Context(
            context.actor, OAUTH_ACCESS_TOKENS, context.now, dry_run=context.dry_run,
            field_manager=context.field_manager, reason=REASON, word=context.asked,
        )  # fmt: skip
        return store.delete(
            OAUTH_ACCESS_TOKENS, name, context=place, strategy=OAUTH_ACCESS_TOKENS.storage.strategy,
            preconditions=Preconditions(required.version, required.uid or stored.uid), policy=options.policy,
        )  # fmt: skip


def _own(context: Context) -> Own:
    found = pagination.selection(OAUTH_ACCESS_TOKENS, context.query)
    return Own(found.labels, found.fields, found.name, found.namespace, context.actor.username)


def row(token: UserOAuthAccessToken, now: datetime) -> list[object]:
    """Return the table row of a token."""
    return [token.metadata.name, *own_cells(token, now)]


USER_OAUTH_ACCESS_TOKENS = Resource(
    group=GROUP,
    version=VERSION,
    kind="UserOAuthAccessToken",
    plural="useroauthaccesstokens",
    singular="useroauthaccesstoken",
    namespaced=False,
    type=UserOAuthAccessToken,
    storage=UserOAuthAccessTokenStorage(),
    columns=(NAME, *OWN_COLUMNS),
    row=row,
    fields=FIELDS,
)
