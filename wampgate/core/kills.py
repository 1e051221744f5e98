"""Ends the sessions of someone or something, for whoever may ask for it: a procedure's caller, a bridge's rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wampgate.core.errors import uri
from wampgate.core.matching import covers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from wampgate.core.interfaces import EndBy
    from wampgate.core.realm import Realm
    from wampgate.core.session import Session
    from wampgate.wire.messages import Match

MESSAGE: Final = "the session was ended by an administrator"


class Kills:
    """Ends sessions of one realm; a :class:`wampgate.core.interfaces.SessionEnder`.

    Args:
        realm: whose sessions.
        by: who ends them, for the record, where no caller is named.
        belongs: whether a session belongs to an organization, by today's memberships;
            None where only signed tokens say so.
    """

    def __init__(
        self, realm: Realm, belongs: Callable[[Session, str], bool] | None = None, *, by: str = "the router"
    ) -> None:
        self._realm = realm
        self._by = by
        self._belongs = belongs

    def end(
        self, by: EndBy, value: str, reason: str = uri.KILLED, message: str = MESSAGE, caller: Session | None = None
    ) -> int:
        """End all sessions that something is true of; how many those were.

        Args:
            by: what ``value`` is.
            value: an authid, a user id, a token's hash, an organization, an address, or
                a session id in decimal digits.
            reason: a URI, for the peers.
            message: one sentence, for the peers.
            caller: who wants it, and lives on all the same.
        """
        concerned = self._test(by, value)
        sessions = [s for s in self._realm.sessions.values() if s is not caller and concerned(s)]
        return self.end_these(sessions, reason, message, caller)

    def end_subscribers(self, uri: str, match: Match) -> int:
        """End all sessions with a subscription that this one covers; how many those were."""
        broker = self._realm.broker
        within = broker.matching(uri) if match == "exact" else broker.subscriptions()
        sessions = {
            session: None
            for subscription in within
            if covers(uri, match, subscription.topic, subscription.match)
            for session in subscription.subscribers
            # The router's own sessions, as what sends events out again, are none that anyone can end.
            if session.id in self._realm.sessions
        }
        return self.end_these(sessions)

    def end_these(
        self,
        sessions: Collection[Session],
        reason: str = uri.KILLED,
        message: str | None = MESSAGE,
        caller: Session | None = None,
    ) -> int:
        """End sessions; how many those were. See :meth:`end`; without a message, the peers get none."""
        by = self._by if caller is None else f"{caller.principal.authid!r} ({caller.principal.authrole})"
        for session in sessions:
            self._realm.record("killed", session, by=by, reason=reason, message=message)
            self._realm.goodbye(session, reason, message)
        return len(sessions)

    def _test(self, by: EndBy, value: str) -> Callable[[Session], bool]:
        if by == "authid":
            return lambda session: session.principal.authid == value
        if by == "user":
            return lambda session: session.principal.user == value
        if by == "token_hash":
            return lambda session: session.principal.token_id == value
        if by == "address":
            return lambda session: session.connection.address == value
        if by == "login":
            return lambda session: session.principal.login == value
        if by == "session":
            return lambda session: str(session.id) == value
        return lambda session: self._is_member(session, value)

    def _is_member(self, session: Session, organization: str) -> bool:
        own = session.principal.organizations
        if own is not None:
            return organization in own
        return self._belongs is not None and self._belongs(session, organization)
