"""The rules that the metadata of every object follows (Kubernetes object names and identifiers); pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import ObjectMeta, OwnerReference

LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
NAME_PART = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

_LABEL = re.compile(LABEL)
_NAME_PART = re.compile(NAME_PART)

LABEL_MAX = 63
SUBDOMAIN_MAX = 253
ANNOTATIONS_MAX = 256 * 1024

NOT_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with"
    f" an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL}')"
)
NOT_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and"
    f" end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{SUBDOMAIN}')"
)
NOT_NAME_PART = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
    f" (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{NAME_PART}')"
)
NOT_QUALIFIED = (
    "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an"
    " alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    f" '{NAME_PART}') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
)
NOT_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is"
    r" '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)

DNS_RULES = frozenset({NOT_LABEL, NOT_SUBDOMAIN})
STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
NOT_STANDARD = "name is neither a standard finalizer name nor is it fully qualified"
OWNERS_REPEATED = (
    ".metadata.ownerReferences contains duplicate entries; the server keeps the first of those with one UID; duplicate"
    " UID(s) observed: {}"
)
IMMUTABLE = "field is immutable"

NameRule = Callable[[str], list[str]]
"""Returns what is wrong with a name; nothing when it is right."""


def dns_label(name: str) -> list[str]:
    """Return what keeps a name from being an RFC 1123 label."""
    problems = [] if _size(name) <= LABEL_MAX else [f"must be no more than {LABEL_MAX} characters"]
    return problems if _LABEL.fullmatch(name) else [*problems, NOT_LABEL]


def dns_subdomain(name: str) -> list[str]:
    """Return what keeps a name from being an RFC 1123 subdomain."""
    problems = [] if _size(name) <= SUBDOMAIN_MAX else [f"must be no more than {SUBDOMAIN_MAX} characters"]
    # Label by label: one expression for the whole would take quadratic time over a long text.
    return problems if all(map(_LABEL.fullmatch, name.split("."))) else [*problems, NOT_SUBDOMAIN]


def _size(text: str) -> int:
    return len(text.encode())


def path_segment(name: str) -> list[str]:
    """Return what keeps a name from being one segment of a URL path."""
    if name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{character}'" for character in ("/", "%") if character in name]


def label_key(key: str) -> list[str]:
    """Return what keeps a text from being the key of a label."""
    prefix, slash, name = key.rpartition("/")
    if key.count("/") > 1:
        return [NOT_QUALIFIED]
    problems: list[str] = []
    if slash:
        if not prefix:
            problems.append("prefix part must be non-empty")
        else:
            problems += [f"prefix part {problem}" for problem in dns_subdomain(prefix)]
    if not name:
        problems.append("name part must be non-empty")
    elif _size(name) > LABEL_MAX:
        problems.append(f"name part must be no more than {LABEL_MAX} bytes")
    if not _NAME_PART.fullmatch(name):
        problems.append(f"name part {NOT_NAME_PART}")
    return problems


def label_value(value: str) -> list[str]:
    """Return what keeps a text from being the value of a label."""
    problems = [] if _size(value) <= LABEL_MAX else [f"must be no more than {LABEL_MAX} bytes"]
    return problems if not value or _NAME_PART.fullmatch(value) else [*problems, NOT_VALUE]


def object_meta(meta: ObjectMeta, *, namespaced: bool, name_rule: NameRule) -> list[FieldError]:
    """Return what is wrong with the metadata of an object, managed fields excepted."""
    problems = [
        errors.invalid_value("metadata.generateName", meta.generate_name, text)
        for text in (_base_problems(meta.generate_name, name_rule) if meta.generate_name else ())
    ]
    if not meta.name:
        problems.append(errors.required("metadata.name", "name or generateName is required"))
    else:
        problems += [errors.invalid_value("metadata.name", meta.name, text) for text in name_rule(meta.name)]
    problems += _namespace(meta.namespace, namespaced=namespaced)
    if meta.generation < 0:
        why = "must be greater than or equal to 0"
        problems.append(errors.invalid_value("metadata.generation", meta.generation, why))
    return problems + attributes(meta) + _finalizers(meta.finalizers or [])


def _base_problems(base: str, name_rule: NameRule) -> list[str]:
    """Return what is wrong with the base of a generated name.

    The DNS rules forgive the dash before the ending that is yet to come; rules that a kind brings along do not.
    """
    problems = name_rule(base)
    if base.endswith("-") and DNS_RULES.issuperset(problems):
        return name_rule(f"{base[:-1]}a")
    return problems


def _namespace(namespace: str, *, namespaced: bool) -> list[FieldError]:
    field = "metadata.namespace"
    if not namespaced:
        return [errors.field_forbidden(field, "not allowed on this type")] if namespace else []
    if not namespace:
        return [errors.required(field)]
    return [errors.invalid_value(field, namespace, text) for text in dns_label(namespace)]


def attributes(meta: ObjectMeta) -> list[FieldError]:
    """Return what is wrong with what may be changed at any time."""
    problems = labels(meta.labels or {}, "metadata.labels")
    return problems + _annotations(meta.annotations or {}) + _owners(meta.owner_references or [])


def labels(values: Mapping[str, str], field: str) -> list[FieldError]:
    """Return what is wrong with labels at a field."""
    problems: list[FieldError] = []
    for key, value in sorted(values.items()):
        problems += [errors.invalid_value(field, key, text) for text in label_key(key)]
        problems += [errors.invalid_value(field, value, text) for text in label_value(value)]
    return problems


def _annotations(values: Mapping[str, str]) -> list[FieldError]:
    field = "metadata.annotations"
    problems = [errors.invalid_value(field, key, text) for key in sorted(values) for text in label_key(key.lower())]
    if sum(_size(key) + _size(value) for key, value in values.items()) > ANNOTATIONS_MAX:
        problems.append(errors.too_long(field, ANNOTATIONS_MAX))
    return problems


def _owners(owners: Sequence[OwnerReference]) -> list[FieldError]:
    field = "metadata.ownerReferences"
    problems: list[FieldError] = []
    controller = ""
    for owner in owners:
        problems += _owner(owner, field)
        if not owner.controller:
            continue
        name = f"{owner.kind}/{owner.name}"
        if controller:
            why = (
                'Only one reference can have Controller set to true. Found "true" in references for'
                f" {controller} and {name}"
            )
            problems.append(errors.invalid_value(field, msgspec.to_builtins(owners), why))
        controller = controller or name
    return problems


def _owner(owner: OwnerReference, field: str) -> list[FieldError]:
    problems: list[FieldError] = []
    if not owner.api_version.rpartition("/")[2] or owner.api_version.count("/") > 1:
        problems.append(errors.invalid_value(f"{field}.apiVersion", owner.api_version, "version must not be empty"))
    problems += [
        errors.invalid_value(f"{field}.{name}", value, "must not be empty")
        for name, value in (("kind", owner.kind), ("name", owner.name), ("uid", owner.uid))
        if not value
    ]
    if (owner.api_version, owner.kind) == ("v1", "Event"):
        problems.append(errors.invalid_value(field, owner, "/v1, Kind=Event is disallowed from being an owner"))
    return problems


def distinct_owners(owners: Sequence[OwnerReference]) -> tuple[list[OwnerReference], str]:
    """Return the owners, the first of each uid, and the warning to give when others were left out."""
    kept: dict[str, OwnerReference] = {}
    repeated: dict[str, None] = {}
    for owner in owners:
        if kept.setdefault(owner.uid, owner) is not owner:
            repeated[owner.uid] = None
    return list(kept.values()), OWNERS_REPEATED.format(", ".join(repeated)) if repeated else ""


def _finalizers(values: Sequence[str]) -> list[FieldError]:
    field = "metadata.finalizers"
    problems = [errors.invalid_value(field, value, text) for value in values for text in label_key(value)]
    if "orphan" in values and "foregroundDeletion" in values:
        why = "finalizer orphan and foregroundDeletion cannot be both set"
        problems.append(errors.invalid_value(field, list(values), why))
    return problems + [
        errors.invalid_value(f"{field}[{index}]", value, NOT_STANDARD)
        for index, value in enumerate(values)
        if "/" not in value and value not in STANDARD_FINALIZERS
    ]


def object_meta_update(new: ObjectMeta, old: ObjectMeta) -> list[FieldError]:
    """Return what a change may not do to the metadata of an object; the caller checks the resourceVersion.

    What a client may leave out (uid, times) must have been filled in from the old object before.
    """
    problems = _new_finalizers(new, old) if old.deletion_timestamp else []
    if new.generation < old.generation:
        problems.append(errors.invalid_value("metadata.generation", new.generation, "must not be decremented"))
    fields = (
        ("name", new.name, old.name),
        ("namespace", new.namespace, old.namespace),
        ("uid", new.uid, old.uid),
        ("creationTimestamp", new.creation_timestamp, old.creation_timestamp),
        ("deletionTimestamp", new.deletion_timestamp, old.deletion_timestamp),
        ("deletionGracePeriodSeconds", new.deletion_grace_period_seconds, old.deletion_grace_period_seconds),
    )
    problems += [
        errors.invalid_value(f"metadata.{name}", value, IMMUTABLE) for name, value, kept in fields if value != kept
    ]
    return problems + attributes(new)


def _new_finalizers(new: ObjectMeta, old: ObjectMeta) -> list[FieldError]:
    added = sorted(set(new.finalizers or ()) - set(old.finalizers or ()))
    if not added:
        return []
    listed = ", ".join(json.dumps(value, ensure_ascii=False) for value in added)
    why = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{listed}}}"
    return [errors.field_forbidden("metadata.finalizers", why)]
