"""Where a bearer token becomes somebody: the one place that knows every kind of token."""

from __future__ import annotations

from dataclasses import replace

from authz import accesstokens, accounttokens, policy, signatures, tokens
from authz.openid import bearer
from authz.tokens import Known
from registry_meta.kube import meta


def recognise(token: str, *, seen: policy.Freshness) -> Known | None:
    """Return what a token says, expired or not and for whomever it is meant; None when it is nobody's.

    Tokens are told apart by their shape: those of this server that are looked up begin with `sha256~`, and those that
    are verified by a signature have three parts. `seen` are the counters as the request has read them: nothing older
    counts.
    """
    if token.startswith(tokens.PREFIX):
        return _looked_up(token, seen)
    if signatures.looks_signed(token):
        return accounttokens.recognise(token, counter=seen.tokens) or _outside(token, seen)
    return None


def _outside(token: str, seen: policy.Freshness) -> Known | None:
    known = bearer.recognise(token, now=meta.now())
    return None if known is None else joined(known, seen=seen)


def _looked_up(token: str, seen: policy.Freshness) -> Known | None:
    known = tokens.recalled(token, counter=seen.tokens)
    if known is not None:
        return known
    person = accesstokens.recognise(token, counter=seen.tokens, now=meta.now())
    return tokens.recognise(token, counter=seen.tokens) if person is None else joined(person, seen=seen)


def joined(known: Known, *, seen: policy.Freshness) -> Known:
    """Return what is known of a person, with the groups that Group objects put him in."""
    actor = known.actor
    groups = policy.current(seen).groups_of(actor.username)
    if not groups:
        return known
    return replace(known, actor=replace(actor, groups=tuple(dict.fromkeys((*groups, *actor.groups)))))
