"""A store in memory: the reference that the others are measured by, and the one for tests and embedding."""

from __future__ import annotations

import hashlib
import math
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from twisted.logger import Logger

from wampgate.core.errors import StoreUnavailable
from wampgate.core.interfaces import Change, Membership, Token
from wampgate.stores.credential_rows import Asked, RowUnusable, credentials_of
from wampgate.stores.questions import is_askable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wampgate.core.histogram import Histogram
    from wampgate.core.interfaces import Connection, Credentials, Known
    from wampgate.wire.messages import HelloDetails

log = Logger()


class MemoryTokenStore:
    """Tokens, memberships and credentials in dictionaries; tokens only by their hash.

    Args:
        clock: tells the time in seconds; only differences count.

    Attributes:
        query_seconds: empty: no database is asked.
    """

    kind: Final = "memory"
    """What an operator is told that it is."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tokens: dict[bytes, tuple[str, float]] = {}
        self._roles: dict[str, dict[str, str]] = {}
        self._credentials: dict[tuple[str, str, str], tuple[str, str | None, str, float]] = {}
        self._reported: set[str] = set()
        self._available = True
        self.query_seconds: Mapping[str, Histogram] = {}
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

    async def look_up(self, token: str, digest: str | None = None) -> Token | None:  # noqa: ARG002 - the interface's
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

    async def credentials(
        self,
        authmethod: str,
        authid: str | None,
        key: str | None,
        details: HelloDetails,  # noqa: ARG002 - the interface's
        connection: Connection,  # noqa: ARG002 - the interface's
    ) -> Credentials | None:
        """See :class:`wampgate.core.interfaces.CredentialSource`."""
        self._check_available()
        return self._credentials_for(Asked(authmethod, authid or "", key or ""))

    async def credentials_of(self, known: Sequence[Known]) -> Mapping[Known, Credentials]:
        """See :class:`wampgate.core.interfaces.CredentialStore`."""
        self._check_available()
        found = ((one, self._credentials_for(Asked(one.authmethod, one.authid, one.key))) for one in known)
        return {one: credentials for one, credentials in found if credentials is not None}

    def _credentials_for(self, asked: Asked) -> Credentials | None:
        if not asked.is_askable:
            return None
        rows = [
            (authid, key, role, user, data, expires - self._clock())
            for (authmethod, authid, key), (role, user, data, expires) in self._credentials.items()
            if authmethod == asked.authmethod
        ]
        try:
            return credentials_of(rows, asked)
        except RowUnusable as fault:
            if str(fault) not in self._reported:
                self._reported.add(str(fault))
                log.error("credentials: {fault}", fault=str(fault))  # noqa: TRY400 - a row's fault: no traceback
            return None

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

    def add_credentials(
        self,
        authmethod: str,
        authid: str,
        key: str = "",
        *,
        role: str = "",
        user: str | None = None,
        data: Mapping[str, Any] | None = None,
        seconds: float = math.inf,
    ) -> None:
        """Add a principal's credentials, good for so many seconds from now, or change those that are there."""
        # As text, as it would stand in a table.
        text = msgspec.json.encode(data or {}).decode()
        self._credentials[authmethod, authid, key] = (role, user, text, self._clock() + seconds)
        self._tell(authid)

    def remove_credentials(self, authmethod: str, authid: str, key: str = "") -> None:
        """Take credentials away; nothing happens if there are none."""
        if self._credentials.pop((authmethod, authid, key), None) is not None:
            self._tell(authid)

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
