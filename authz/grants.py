"""The roles, bindings and groups of the whole server in memory, found by who is asking."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from sys import intern

import msgspec

from authz import people, scopes
from authz.rules import (
    ALLOWED,
    DENIED,
    GROUP,
    MASTERS,
    Attributes,
    Decision,
    Permissions,
    PolicyRule,
    RoleRef,
    Subject,
    account_username,
    places,
    split_account,
)
from registry_meta.kube.request import Actor

ROLES = f"roles.{GROUP}"
CLUSTER_ROLES = f"clusterroles.{GROUP}"
ROLE_BINDINGS = f"rolebindings.{GROUP}"
CLUSTER_ROLE_BINDINGS = f"clusterrolebindings.{GROUP}"
GROUPS = f"groups.{people.GROUP}"
KEYS = (ROLES, CLUSTER_ROLES, ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS, GROUPS)
"""The kinds that make up the policy, by the keys of their storage."""


class _Role(msgspec.Struct):
    rules: list[PolicyRule] | None = None


class _Binding(msgspec.Struct, rename="camel"):
    role_ref: RoleRef
    subjects: list[Subject] | None = None


class _Group(msgspec.Struct):
    users: list[str] | None = None


GROUP_DECODER = msgspec.json.Decoder(_Group)
ROLE_DECODER = msgspec.json.Decoder(_Role)
BINDING_DECODER = msgspec.json.Decoder(_Binding)

ACCOUNT = "ServiceAccount"

Holder = tuple[str, str]
"""Who holds a grant: ("User", name) or ("Group", name); a service account is a user."""

Place = tuple[str, str]
"""Namespace and name; the namespace of what concerns the whole cluster is empty."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role given to a holder by a binding; `subject` is the kind by which the binding names the holder.

    There are as many of these as bindings have subjects, so they hold nothing but references to what is there anyhow.
    """

    namespace: str
    binding: str
    role: Place
    subject: str
    holder: Holder

    @property
    def reason(self) -> str:
        """The words for a permission that comes of it."""
        bound = f'RoleBinding "{self.binding}/{self.namespace}"' if self.namespace else self._everywhere
        role = "Role" if self.role[0] else "ClusterRole"
        return f'RBAC: allowed by {bound} of {role} "{self.role[1]}" to {self.subject} "{self._name}"'

    @property
    def missing(self) -> str:
        """The words for a role that does not exist."""
        kind = "role" if self.role[0] else "clusterrole"
        return f'{kind}.{GROUP} "{self.role[1]}" not found'

    @property
    def _everywhere(self) -> str:
        return f'ClusterRoleBinding "{self.binding}"'

    @property
    def _name(self) -> str:
        account = split_account(self.holder[1]) if self.subject == ACCOUNT else None
        return f"{account[1]}/{account[0]}" if account else self.holder[1]


class Grants:
    """Roles, bindings and groups, indexed; `version` is the change that they are as of.

    There was none to them from there to `until`, as far as is known.

    One thread at a time may `put`; any number may ask meanwhile, since buckets are replaced and never changed.
    """

    def __init__(self, version: int) -> None:
        self.version = version
        self.until = version
        self._roles: dict[Place, Permissions] = {}
        self._buckets: dict[str, dict[Holder, tuple[Grant, ...]]] = {}
        self._holders: dict[Place, tuple[Holder, ...]] = {}
        self._members: dict[str, frozenset[str]] = {}
        self._groups: dict[str, tuple[str, ...]] = {}
        self._harmless: dict[str, tuple[Permissions, Permissions]] = {}
        self._homes: dict[Holder, str | dict[str, None]] = {}

    def copy(self) -> Grants:
        """Return an index of its own with the same content; nobody may `put` meanwhile."""
        copied = Grants(self.version)
        copied.until = self.until
        copied._roles, copied._holders = self._roles.copy(), self._holders.copy()
        copied._members, copied._groups = self._members.copy(), self._groups.copy()
        copied._buckets = {namespace: bucket.copy() for namespace, bucket in self._buckets.items()}
        copied._homes = {holder: at if isinstance(at, str) else at.copy() for holder, at in self._homes.items()}
        return copied

    def put(self, key: str, namespace: str, name: str, document: str | None) -> None:
        """Take in a role, binding or group as it now is; None when it is gone."""
        if key == GROUPS:
            self._gather(name, () if document is None else GROUP_DECODER.decode(document).users or ())
            return
        if key in (ROLES, CLUSTER_ROLES):
            if document is None:
                self._roles.pop((namespace, name), None)
            else:
                self._roles[namespace, name] = Permissions(ROLE_DECODER.decode(document).rules or ())
            return
        namespace, name = intern(namespace), intern(name)
        granted = {} if document is None else _grants(namespace, name, BINDING_DECODER.decode(document))
        self._replace((namespace, name), granted)

    def _replace(self, place: Place, granted: dict[Holder, Grant]) -> None:
        namespace, name = place
        buckets = self._buckets.setdefault(namespace, {})
        for holder in {*self._holders.pop(place, ()), *granted}:
            kept = [grant for grant in buckets.get(holder, ()) if grant.binding != name]
            if holder in granted:
                kept.append(granted[holder])
            self._fill(namespace, holder, tuple(kept))
        if granted:
            self._holders[place] = tuple(granted)

    def _gather(self, group: str, users: Iterable[str]) -> None:
        members = frozenset(users)
        before = self._members.pop(group, frozenset())
        for user in before - members:
            kept = tuple(name for name in self._groups[user] if name != group)
            if kept:
                self._groups[user] = kept
            else:
                del self._groups[user]
        for user in members - before:
            self._groups[user] = tuple(sorted((*self._groups.get(user, ()), group)))
        if members:
            self._members[group] = members

    def groups_of(self, username: str) -> tuple[str, ...]:
        """Return the names of the Group objects that list a user, sorted."""
        return self._groups.get(username, ())

    def _fill(self, namespace: str, holder: Holder, kept: tuple[Grant, ...]) -> None:
        """Keep what a holder has in a namespace, and with the holder that he has something there."""
        buckets = self._buckets[namespace]
        if kept:
            buckets[holder] = kept
            homes = self._homes.setdefault(holder, namespace)
            # Nearly every holder has one: a mapping for each would take a quarter of the memory of all.
            if isinstance(homes, dict):
                homes[namespace] = None
            elif homes != namespace:
                self._homes[holder] = {homes: None, namespace: None}
            return
        buckets.pop(holder, None)
        homes = self._homes.get(holder, namespace)
        if isinstance(homes, dict):
            homes.pop(namespace, None)
        if homes in (namespace, {}):
            self._homes.pop(holder, None)

    def _homes_of(self, holder: Holder) -> Iterable[str]:
        homes = self._homes.get(holder, {})
        # A copy is made in one step, so that it may be read while another thread puts.
        return (homes,) if isinstance(homes, str) else homes.copy()

    def decide(self, actor: Actor, asked: Attributes) -> Decision:
        """Return whether an actor may do something, and why; the scopes of his token limit even masters."""
        where = places(asked)
        limits = actor.extra.get(scopes.EXTRA)
        if limits and not self._pass(limits, asked, where):
            return Decision(False, scopes.denial(limits), denied=True)
        if MASTERS in actor.groups:
            return ALLOWED
        missing: list[str] = []
        for grant in self._of(actor, asked.namespace):
            role = self._roles.get(grant.role)
            if role is None:
                missing.append(grant.missing)
            elif role.allow(asked, where):
                return Decision(True, grant.reason)
        if not missing:
            return DENIED
        texts = list(dict.fromkeys(missing))
        return Decision(False, f"RBAC: {texts[0]}" if len(texts) == 1 else f"RBAC: [{', '.join(texts)}]")

    def _pass(self, limits: Sequence[str], asked: Attributes, where: list[tuple[str, str]]) -> bool:
        if scopes.FULL in limits:
            return True
        passing = scopes.permissions(limits, asked.namespace, role=self._scoped)
        return any(permissions.allow(asked, where) for permissions in passing)

    def _scoped(self, scope: scopes.RoleScope) -> Permissions | None:
        role = self._roles.get(("", scope.role))
        if role is None or scope.escalating:
            return role
        known = self._harmless.get(scope.role)
        if known is None or known[0] is not role:
            known = self._harmless[scope.role] = (role, Permissions(scopes.harmless(role.rules)))
        return known[1]

    def rules(self, actor: Actor, namespace: str) -> list[PolicyRule]:
        """Return the rules that an actor holds in a namespace, or with an empty one in the whole cluster.

        Paths count only where a binding for the whole cluster gives them.
        """
        found = [rule for grant in self._of(actor, "") for rule in self._rules_of(grant)]
        if namespace:
            local = (rule for grant in self._bound(actor, namespace) for rule in self._rules_of(grant))
            found += [rule for rule in local if not rule.non_resource_urls]
        return found

    def passing(self, limits: Sequence[str], namespace: str) -> list[PolicyRule]:
        """Return the rules that scopes let pass in a namespace, whatever their bearer holds."""
        passing = scopes.permissions(limits, namespace, role=self._scoped)
        return [rule for permissions in passing for rule in permissions.rules]

    def bound_in(self, actor: Actor) -> set[str]:
        """Return the namespaces in which a role binding names an actor or one of his groups, whatever it gives."""
        holders = [("User", actor.username), *(("Group", group) for group in actor.groups)]
        return {namespace for holder in holders for namespace in self._homes_of(holder)} - {""}

    def allowed_in(self, actor: Actor, namespaces: Iterable[str], asked: Callable[[str], Attributes]) -> set[str]:
        """Return those of many namespaces where an actor may do what is asked about each.

        A role is looked at once for all of them, unless it is about single objects.
        """
        if actor.extra.get(scopes.EXTRA):
            return {name for name in namespaces if self.decide(actor, asked(name)).allowed}
        anywhere = asked("")
        where = places(anywhere)
        verdicts: dict[Place, bool] = {}

        def allows(grant: Grant) -> bool:
            verdict = verdicts.get(grant.role)
            if verdict is None:
                role = self._roles.get(grant.role)
                verdict = verdicts[grant.role] = role is not None and role.allow(anywhere, where)
            return verdict

        return {
            name
            for name in namespaces
            if any(map(allows, self._bound(actor, name))) or self.decide(actor, asked(name)).allowed
        }

    def holders(self, asked: Attributes) -> tuple[set[str], set[str]]:
        """Return the users and the groups who may do something; members of `system:masters` always may."""
        where = places(asked)
        found: dict[str, set[str]] = {"User": set(), "Group": {MASTERS}}
        for namespace in dict.fromkeys(("", asked.namespace)):
            for (kind, name), given in self._buckets.get(namespace, {}).copy().items():
                if any((role := self._roles.get(grant.role)) and role.allow(asked, where) for grant in given):
                    found[kind].add(name)
        return found["User"], found["Group"]

    def missing(self, namespace: str) -> list[str]:
        """Return the words for roles that do not exist and are given in a namespace or everywhere, sorted."""
        grants = (
            grant
            for place in dict.fromkeys(("", namespace))
            for given in self._buckets.get(place, {}).copy().values()
            for grant in given
        )
        return sorted({grant.missing for grant in grants if grant.role not in self._roles})

    def missing_of(self, actor: Actor, namespace: str) -> list[str]:
        """Return the words for roles that do not exist and are given to an actor in a namespace, sorted."""
        return sorted({grant.missing for grant in self._of(actor, namespace) if grant.role not in self._roles})

    def role(self, namespace: str, name: str) -> tuple[PolicyRule, ...] | None:
        """Return the rules of a role, or with an empty namespace of a cluster role; None when there is none."""
        role = self._roles.get((namespace, name))
        return None if role is None else role.rules

    def _rules_of(self, grant: Grant) -> tuple[PolicyRule, ...]:
        return self.role(*grant.role) or ()

    def _of(self, actor: Actor, namespace: str) -> Iterator[Grant]:
        yield from self._bound(actor, "")
        if namespace:
            yield from self._bound(actor, namespace)

    def _bound(self, actor: Actor, namespace: str) -> Iterator[Grant]:
        buckets = self._buckets.get(namespace)
        if not buckets:
            return
        yield from buckets.get(("User", actor.username), ())
        for group in actor.groups:
            if found := buckets.get(("Group", group)):
                yield from found


def is_about(document: str, namespace: str, actor: Actor) -> bool:
    """Return whether a binding names an actor or one of his groups."""
    holders = {("User", actor.username), *(("Group", group) for group in actor.groups)}
    subjects = BINDING_DECODER.decode(document).subjects or ()
    return any(_holder(subject, namespace) in holders for subject in subjects)


def _grants(namespace: str, name: str, binding: _Binding) -> dict[Holder, Grant]:
    """Return what a binding gives to whom; a subject that is named twice counts once."""
    reference = binding.role_ref
    role = (namespace if reference.kind == "Role" else "", intern(reference.name))
    granted: dict[Holder, Grant] = {}
    for subject in binding.subjects or ():
        holder = _holder(subject, namespace)
        granted.setdefault(holder, Grant(namespace, name, role, intern(subject.kind), holder))
    return granted


def _holder(subject: Subject, namespace: str) -> Holder:
    if subject.kind != ACCOUNT:
        return intern(subject.kind), subject.name
    return "User", account_username(subject.namespace or namespace, subject.name)


Row = tuple[str, str, str, str | None]
"""The key of a kind, a namespace, a name and the document, None when it is gone."""


def grants(version: int, rows: Iterable[Row]) -> Grants:
    """Return the index of roles, bindings and groups."""
    index = Grants(version)
    for row in rows:
        index.put(*row)
    return index
