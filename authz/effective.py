"""What an actor may do by his roles and by the scopes of his token together, as a list of rules."""

from __future__ import annotations

from authz import scopes
from authz.escalation import missing
from authz.grants import Grants
from authz.rules import PolicyRule
from registry_meta.kube.request import Actor


def effective_rules(grants: Grants, actor: Actor, namespace: str) -> list[PolicyRule]:
    """Return the rules that hold for an actor in a namespace.

    Of what he holds that remains which his scopes let pass as a whole, and of what they let pass that which he holds:
    a rule of which only parts pass both is left out.
    """
    held = grants.rules(actor, namespace)
    limits = actor.extra.get(scopes.EXTRA)
    if not limits or scopes.FULL in limits:
        return held
    passing = grants.passing(limits, namespace)
    kept = [rule for rule in held if not missing(passing, [rule])]
    return kept + [rule for rule in passing if rule not in kept and not missing(held, [rule])]
