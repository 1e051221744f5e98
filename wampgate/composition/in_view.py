"""Shows those who look at a running router what a realm consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.config.section import Section
from wampgate.observation.parts import RealmInView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wampgate.composition.realm import RealmParts
    from wampgate.observation.parts import Cache


def in_view_of(parts: RealmParts) -> RealmInView:
    """A realm and what serves it."""
    caches: dict[str, Cache] = {}
    if parts.memberships is not None:
        caches["memberships"] = parts.memberships
    if parts.dynamic_authorizer is not None:
        caches["decisions"] = parts.dynamic_authorizer
    return RealmInView(
        parts.realm, parts.store, parts.bridges, caches, parts.histories, frozenset(roles_of(parts.configuration))
    )


def roles_of(section: object) -> Iterator[str]:
    """Every role that a section names, and those within it."""
    if isinstance(section, tuple):
        for each in section:
            yield from roles_of(each)
    elif isinstance(section, Section):
        for name in section.__struct_fields__:
            value = getattr(section, name)
            if name == "role" and isinstance(value, str):
                yield value
            elif name == "roles" and isinstance(value, tuple):
                yield from value
            else:
                yield from roles_of(value)
