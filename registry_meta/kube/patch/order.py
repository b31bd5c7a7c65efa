"""The order of the items of a list that a strategic merge patch has merged."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from registry_meta.kube.patch import malformed


def identity(value: object) -> Hashable:
    """Return a scalar as a key for sets and maps; in Python alone true equals 1."""
    if not isinstance(value, Hashable):
        raise malformed("the items of a list must be told apart by scalars")
    return isinstance(value, bool), value


def follows(given: Sequence[object], order: Sequence[object]) -> bool:
    """Return whether every item given is in the order, and comes in that order."""
    remaining = iter(order)
    return all(item in remaining for item in given)


def arranged(
    items: Sequence[object], order: Sequence[object], live: Sequence[object], key: Callable[[object], object]
) -> list[object]:
    """Return items in the order of a patch; those that it does not name keep their place before those it does.

    `order` and `live` hold the keys of the patch and of the list before it was patched. An item that only the live
    list has comes before the first ordered one that followed it there; as both keep their order, an ordered item that
    is new to the list is never waited for.
    """
    rank = {name: place for place, name in reversed(list(enumerate(order)))}
    place = {name: index for index, name in reversed(list(enumerate(live)))}
    ordered = sorted((item for item in items if key(item) in rank), key=lambda item: rank[key(item)])
    others = [item for item in items if key(item) not in rank]
    result: list[object] = []
    waiting = 0
    for item in ordered:
        while waiting < len(others) and place.get(key(others[waiting]), 0) < place.get(key(item), -1):
            result.append(others[waiting])
            waiting += 1
        result.append(item)
    return [*result, *others[waiting:]]
