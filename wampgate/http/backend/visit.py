"""A request's session: it joins as its principal, sends what the request says, and leaves.

To the router it is a session as any other: listed under its user, ended when its
token is revoked, counted by the same buckets. Only its way is another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wampgate.core.buckets import Rates
from wampgate.core.ids import random_id
from wampgate.core.local import LocalLink
from wampgate.core.session import Session, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.core.interfaces import Principal, Record
    from wampgate.core.realm import Realm
    from wampgate.core.router import Router
    from wampgate.wire.messages import Message
    from wampgate.wire.payload import Payload

_MANY: Final = 10_000
"""Above so many principals, those whose buckets are full are forgotten."""


class Way(LocalLink):
    """The way to a request's session.

    Args:
        receive: takes what the router delivers.
        closed: told why, by a reason's URI, where the router ends the session without a word.
        paused: told when the session's inbox is full.
        resumed: told when it has room again.
    """

    def __init__(
        self,
        receive: Callable[[Message, Payload], None],
        closed: Callable[[str], None],
        paused: Callable[[], None],
        resumed: Callable[[], None],
    ) -> None:
        super().__init__(receive)
        self._closed = closed
        self._paused = paused
        self._resumed = resumed

    def close(self, code: int, reason: str) -> None:  # noqa: ARG002 - the interface's
        """See :class:`wampgate.core.interfaces.Link`."""
        self._closed(reason)

    def pause(self) -> None:
        """See :class:`wampgate.core.interfaces.Link`."""
        self._paused()

    def resume(self) -> None:
        """See :class:`wampgate.core.interfaces.Link`."""
        self._resumed()


class SharedBuckets:
    """The token buckets of principals: all requests of one count as one session's messages would.

    Args:
        now: the monotonic clock, in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._full_by_principal: dict[tuple[str, str], list[float]] = {}
        self._sweep_at = _MANY

    def __len__(self) -> int:
        return len(self._full_by_principal)

    def of(self, realm: Realm, principal: Principal) -> list[float]:
        """What :attr:`wampgate.core.session.Session.buckets` is for a principal's requests."""
        owner = (realm.name, principal.authid)
        full = self._full_by_principal.get(owner)
        if full is None:
            if len(self._full_by_principal) >= self._sweep_at:
                self._forget()
            full = self._full_by_principal[owner] = [0.0 for _ in Rates()]
        return full

    def _forget(self) -> None:
        now = self._now()
        self._full_by_principal = {owner: full for owner, full in self._full_by_principal.items() if max(full) > now}
        self._sweep_at = max(_MANY, 2 * len(self._full_by_principal))


class Visits:
    """Lets requests' sessions join realms and leave them.

    Args:
        router: ends them when their time has come.
        record: takes the operator's lines.
        now: the monotonic clock, in seconds.
    """

    def __init__(self, router: Router, record: Record, now: Callable[[], float]) -> None:
        self._router = router
        self._record = record
        self._buckets = SharedBuckets(now)

    def join(self, session: Session, realm: Realm, principal: Principal, since: float) -> None:
        """Let a session join.

        Args:
            session: a new one.
            realm: where.
            principal: as whom.
            since: when the principal's token began to be looked up, by the monotonic clock.

        Raises:
            JoinRefused: its authid has as many sessions as it may have.
        """
        realm.check_place(principal)
        session.id = random_id()
        while session.id in realm.sessions:
            session.id = random_id()
        session.principal = principal
        session.connection = session.connection.without_token()
        session.realm = realm
        session.buckets = self._buckets.of(realm, principal)
        session.state = State.ESTABLISHED
        if principal.expires is not None:
            self._router.expire(session, principal.expires)
        realm.join(session)
        self._record("joined", session)
        realm.welcomed(session, since)

    def send(self, session: Session, message: Message, payload: Payload) -> None:
        """Route a message as if the session's client had sent it."""
        self._router.receive(session, message, payload)

    def leave(self, session: Session) -> None:
        """Let go of everything a session holds: a call that it waits for is forgotten."""
        self._router.disconnected(session)
