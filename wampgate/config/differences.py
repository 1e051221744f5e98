"""What differs between two configurations, as an operator would name it, and what of it can't change on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wampgate.config.errors import Problem
from wampgate.config.histories import MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wampgate.config.model import Configuration, Realm

_RESTART: Final = "; restart the router for this"


def differences(before: Configuration, after: Configuration) -> list[str]:
    """The keys whose values differ, such as ``limits`` and ``realms[realm1].authorization``, in the file's order."""
    return [
        *(name for name in _keys(before) if name != "realms" and getattr(before, name) != getattr(after, name)),
        *_differing_realms(before, after),
    ]


def unchangeable(before: Configuration, after: Configuration) -> list[Problem]:
    """What can't change while the router runs, in ``after`` by its place there."""
    realm_by_name = {realm.name: realm for realm in before.realms}
    return [
        Problem(("realms", index, *at), f"expected no change while the router runs, since {why}{_RESTART}")
        for index, realm in enumerate(after.realms)
        if realm.name in realm_by_name
        for at, why in _fixed(realm_by_name[realm.name], realm)
    ]


def _differing_realms(before: Configuration, after: Configuration) -> Iterator[str]:
    earlier = {realm.name: realm for realm in before.realms}
    for realm in after.realms:
        known = earlier.pop(realm.name, None)
        if known is None:
            yield f"realms[{realm.name}] added"
        else:
            yield from (
                f"realms[{realm.name}].{name}" for name in _keys(realm) if getattr(known, name) != getattr(realm, name)
            )
    for name in earlier:
        yield f"realms[{name}] removed"


def _fixed(before: Realm, after: Realm) -> Iterator[tuple[tuple[str, ...], str]]:
    """What of a realm has to be as it was, and why it is not."""
    kept = [_kept_outside(realm) for realm in (before, after)]
    if kept[0] != kept[1]:
        yield ("topics",), "what a history store keeps is read when the router starts"
    elif kept[0] and before.history.stores != after.history.stores:
        yield ("history", "stores"), "what a history store keeps is read when the router starts"


def _kept_outside(realm: Realm) -> list[tuple[str, str, str | None]]:
    """Which topics are kept beside the memory, and where; empty if none is: then it says nothing of the others."""
    kept: list[tuple[str, str, str | None]] = [
        (options.uri, options.match, None if options.history is None else options.history.store)
        for options in realm.topics
    ]
    return kept if any(store not in (None, MEMORY) for _, _, store in kept) else []


def _keys(section: Configuration | Realm) -> tuple[str, ...]:
    return section.__struct_fields__
