"""Which of a realm's sessions someone may see through the meta API: all, those of its organizations, or its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from wampgate.core.local import LocalLink

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from wampgate.core.interfaces import Principal
    from wampgate.core.session import Session

Sees: TypeAlias = Literal["all", "organizations", "own"]
"""How far someone sees: every session; its own and those of users who share an organization with it; its own alone."""

_KNOWN: Final = frozenset({"static", "router"})
"""Who vouches for those that are no users and see everything: the configuration, and the router for itself."""


def is_inside(session: Session) -> bool:
    """Whether a session is the router's own, or stands for a single HTTP request: the meta API knows none of them."""
    return isinstance(session.link, LocalLink)


class Visibility:
    """Says which sessions a session may see, by today's memberships.

    Args:
        organizations: the organizations that a session's user belongs to now, as far as is known.
        sees_by_role: how far the sessions of a role see, where it is not what follows from who they are:
            principals of the configuration see all, users their organizations, everyone else itself.
    """

    def __init__(
        self,
        organizations: Callable[[Session], AbstractSet[str]] | None = None,
        sees_by_role: Mapping[str, Sees] | None = None,
    ) -> None:
        self._organizations = organizations or _of_its_token
        self._sees_by_role = dict(sees_by_role or {})

    def organizations_of(self, session: Session) -> AbstractSet[str]:
        """The organizations that a session's user belongs to, as far as is known. Asks nobody."""
        return self._organizations(session)

    def sees_all(self, viewer: Session) -> bool:
        """Whether every session is visible to someone."""
        return self._extent(viewer.principal) == "all"

    def sees(self, viewer: Session, other: Session) -> bool:
        """Whether a session is visible to someone. Asks nobody."""
        extent = self._extent(viewer.principal)
        if extent == "all" or viewer is other:
            return True
        user, theirs = viewer.principal.user, other.principal.user
        if user is None or theirs is None:
            return False
        if user == theirs:
            return True
        return extent == "organizations" and not self._organizations(viewer).isdisjoint(self._organizations(other))

    def _extent(self, who: Principal) -> Sees:
        extent = self._sees_by_role.get(who.authrole)
        if extent is not None:
            return extent
        if who.user is not None:
            return "organizations"
        return "all" if who.authprovider in _KNOWN else "own"


def _of_its_token(session: Session) -> AbstractSet[str]:
    """What a signed token says, where no store says anything."""
    organizations = session.principal.organizations
    return frozenset() if organizations is None else organizations.keys()
