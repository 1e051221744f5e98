"""A token store in memory: the reference that the others are measured by, and the one for tests and embedding."""

from __future__ import annotations

import hashlib
import math
import time
from typing import TYPE_CHECKING

from wampgate.core.errors import StoreUnavailable
from wampgate.core.interfaces import Change, Membership, Token
from wampgate.stores.questions import is_askable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class MemoryTokenStore:
    """Tokens and memberships in dictionaries; tokens only by their hash.

    Args:
        clock: tells the time in seconds; only differences count.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tokens: dict[bytes, tuple[str, float]] = {}
        self._roles: dict[str, dict[str, str]] = {}
        self._available = True
        self._changed: Callable[[Change], None] | None = None

    @property
    def ready(self) -> bool:
        """Whether it answers."""
        return self._available

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Tell of no more changes."""
        self._changed = None

    async def look_up(self, token: str) -> Token | None:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        self._check_available()
        row = self._tokens.get(_hash(token)) if is_askable(token) else None
        if row is None:
            return None
        user, expires = row
        return Token(user, expires - self._clock())

    async def memberships(self, user: str) -> Sequence[Membership]:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        self._check_available()
        return [Membership(organization, role) for organization, role in self._roles.get(user, {}).items()]

    async def look_up_all(self, tokens: Sequence[str]) -> Mapping[str, Token]:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        found = [(token, await self.look_up(token)) for token in tokens]
        return {token: row for token, row in found if row is not None}

    async def memberships_of(self, users: Sequence[str]) -> Mapping[str, Sequence[Membership]]:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        return {user: await self.memberships(user) for user in users}

    def watch(self, changed: Callable[[Change], None]) -> None:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        self._changed = changed

    @property
    def hears(self) -> bool:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        return self._available and self._changed is not None

    def add_token(self, token: str, user: str, seconds: float = math.inf) -> None:
        """Add a token that is good for so many seconds from now; replaces one of the same text."""
        replaced = self._tokens.get(_hash(token))
        self._tokens[_hash(token)] = (user, self._clock() + seconds)
        if replaced is not None:
            self._tell(replaced[0], user)

    def remove_token(self, token: str) -> None:
        """Revoke a token; nothing happens if there is none."""
        removed = self._tokens.pop(_hash(token), None)
        if removed is not None:
            self._tell(removed[0])

    def add_membership(self, user: str, organization: str, role: str = "") -> None:
        """Make a user a member of an organization, or change the role there."""
        self._roles.setdefault(user, {})[organization] = role
        self._tell(user)

    def remove_membership(self, user: str, organization: str) -> None:
        """End a membership; nothing happens if there is none."""
        if self._roles.get(user, {}).pop(organization, None) is not None:
            self._tell(user)

    def go_down(self) -> None:
        """Answer nothing any more and hear of nothing, as a database that is gone."""
        self._available = False

    def come_back(self) -> None:
        """Answer again; whatever happened meanwhile was not heard of."""
        self._available = True
        if self._changed is not None:
            self._changed(Change(everything=True))

    def _tell(self, *users: str) -> None:
        if self.hears and self._changed is not None:
            self._changed(Change(users=frozenset(users)))

    def _check_available(self) -> None:
        if not self._available:
            raise StoreUnavailable("the token store in memory has been taken down")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
