"""What each organization uses: connections, the time that they last, logins, and events delivered on its topics."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.visibility import is_inside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wampgate.core.broker import Subscription
    from wampgate.core.realm import Realm
    from wampgate.core.session import Session
    from wampgate.wire.messages import Match

MAX_ORGANIZATIONS: Final = 100_000
"""So many organizations have an account; what others use is counted under :data:`OTHERS`."""

OTHERS: Final = "…"
"""No organization's id: it holds a character that none may hold."""

COLUMNS: Final = ("organization", "connections", "connection_seconds", "logins", "deliveries")


class Account:
    """What one organization has used since the router started, in one realm.

    Attributes:
        organization: its id.
        connections: sessions of its members that are open now.
        logins: how many there were, ever.
        deliveries: events on its topics that were delivered to subscriptions which have ended.
    """

    __slots__ = ("_since", "_unsettled", "connections", "deliveries", "logins", "organization")

    def __init__(self, organization: str, now: float) -> None:
        self.organization = organization
        self.connections = 0
        self.logins = 0
        self.deliveries = 0
        self._unsettled = 0.0
        self._since = now

    def change(self, more: int, now: float) -> None:
        """So many more sessions are open from now on."""
        self._unsettled += self.connections * (now - self._since)
        self._since = now
        self.connections += more

    def connection_seconds(self, now: float) -> float:
        """How long its members' sessions were open, added up."""
        return self._unsettled + self.connections * (now - self._since)


class Usage:
    """Keeps the accounts of one realm.

    A session counts for every organization that its user belongs to, for as long as it does. Single HTTP requests
    and the router's own sessions count for none.

    Args:
        realm: whose sessions and subscriptions.
        now: the monotonic clock, in seconds.
        wall_clock: in seconds since 1970.

    Attributes:
        since: since when is counted, in seconds since 1970.
    """

    def __init__(
        self, realm: Realm, now: Callable[[], float] = time.monotonic, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self.since = wall_clock()
        self._realm = realm
        self._now = now
        self._accounts: dict[str, Account] = {}
        self._accounts_by_session: dict[Session, tuple[Account, ...]] = {}
        # An organization's topics don't change their owner while the templates are the same.
        self._owner = lru_cache(10_000)(realm.admission.organization_of)
        self._admission = realm.admission
        realm.joined.append(self._joined)
        realm.left.append(self._left)
        realm.reconsidered.append(self._reconsidered)
        realm.broker.ended = self._ended

    def rows(self, subscriptions: Iterable[tuple[str, int]], organization: str | None = None) -> list[dict[str, Any]]:
        """What was used, by organization in order of their ids.

        Args:
            subscriptions: of live subscriptions the organization and the events delivered; see :meth:`live`.
            organization: this one only; None for all.
        """
        deliveries: dict[str, int] = {}
        for owner, events in subscriptions:
            deliveries[owner] = deliveries.get(owner, 0) + events
        for owner in deliveries:
            self._account(owner)
        now = self._now()
        accounts = self._accounts.values() if organization is None else self._of(organization)
        return [
            {
                "organization": account.organization,
                "connections": account.connections,
                "connection_seconds": round(account.connection_seconds(now), 3),
                "logins": account.logins,
                "deliveries": account.deliveries + deliveries.get(account.organization, 0),
            }
            for account in sorted(accounts, key=lambda account: account.organization)
        ]

    def live(self, subscription: Subscription) -> tuple[str, int] | None:
        """Of a subscription whose it is and what was delivered; None where that is nobody's, or nothing."""
        if not subscription.events or not subscription.subscribers:
            return None
        owner = self._owner_of(subscription.topic, subscription.match)
        return None if owner is None else (self._account(owner).organization, subscription.events)

    def _of(self, organization: str) -> list[Account]:
        account = self._accounts.get(organization)
        return [] if account is None else [account]

    def _account(self, organization: str) -> Account:
        account = self._accounts.get(organization)
        if account is None:
            if len(self._accounts) >= MAX_ORGANIZATIONS:
                organization = OTHERS
                if organization in self._accounts:
                    return self._accounts[organization]
            account = self._accounts[organization] = Account(organization, self._now())
        return account

    def _owner_of(self, topic: str, match: Match) -> str | None:
        if self._realm.admission is not self._admission:
            # router.json was read again.
            self._admission = self._realm.admission
            self._owner = lru_cache(10_000)(self._admission.organization_of)
        return self._owner(topic, match)

    def _accounts_of(self, session: Session) -> tuple[Account, ...]:
        organizations = self._realm.visibility.organizations_of(session)
        return tuple(dict.fromkeys(self._account(organization) for organization in organizations))

    def _joined(self, session: Session, _since: float) -> None:
        if session.principal.user is None or is_inside(session) or not session.established:
            return
        accounts = self._accounts_of(session)
        if not accounts:
            return
        self._accounts_by_session[session] = accounts
        now = self._now()
        for account in accounts:
            account.change(1, now)
            account.logins += 1

    def _left(self, session: Session) -> None:
        now = self._now()
        for account in self._accounts_by_session.pop(session, ()):
            account.change(-1, now)

    def _reconsidered(self, session: Session) -> None:
        """A session's user may belong to other organizations than before."""
        if session.principal.user is None or is_inside(session) or not session.established:
            return
        before, after = self._accounts_by_session.get(session, ()), self._accounts_of(session)
        now = self._now()
        for account in set(before) - set(after):
            account.change(-1, now)
        for account in set(after) - set(before):
            account.change(1, now)
        if after:
            self._accounts_by_session[session] = after
        else:
            self._accounts_by_session.pop(session, None)

    def _ended(self, subscription: Subscription) -> None:
        """A subscription's last subscriber has left: what was delivered to it is kept."""
        if subscription.events and (owner := self._owner_of(subscription.topic, subscription.match)) is not None:
            self._account(owner).deliveries += subscription.events
