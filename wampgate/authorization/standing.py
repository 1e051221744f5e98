"""Keeps the rights of live sessions as the store has them: what ends there ends here.

A store tells of changes as they happen; that is a hint, and the store is asked
before anything is done. A sweep asks for everyone now and then, so that a hint
which got lost costs no more than its period.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.errors import StoreUnavailable, uri
from wampgate.core.private import ORGANIZATIONS_CHANGED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Iterator, Mapping

    from wampgate.authorization.memberships import Memberships, Organizations
    from wampgate.core.interfaces import Change, Membership, Principal, Token, TokenStore
    from wampgate.core.realm import Realm
    from wampgate.core.router import Router
    from wampgate.core.session import Session

TOLD: Final = 100
"""So many organizations are listed for a session; a count tells of the others."""

_BATCH: Final = 500
"""Users or tokens in one question of a sweep, so that no one else waits long for an answer."""

_REMEMBERED: Final = 1000
"""So many recent changes are kept for sessions that were joining when they came."""

_AT_ONCE_SECONDS: Final = 0.01
"""So long a check acts on its answers before it lets the router's other work go on."""


class _Check:
    """A check whose answers have come and are being acted on; changes that are told meanwhile overtake them."""

    __slots__ = ("_everyone", "_users")

    def __init__(self) -> None:
        self._everyone = False
        self._users: set[str] = set()

    def overtake(self, change: Change) -> None:
        """Some answers are older than a change: who heard of it asks again."""
        self._everyone |= change.everything
        self._users |= change.users

    def holds(self, user: str | None) -> bool:
        """Whether what the store said of a user still counts."""
        return not self._everyone and user not in self._users


class Standing:
    """Watches one realm's store on behalf of its live sessions.

    Args:
        realm: whose sessions.
        router: ends sessions.
        store: where their rights are.
        memberships: what the authorizer knows of them.
        now: the router's monotonic clock, in seconds.
        run: starts a coroutine.
        next_turn: waits until what else the router has to do was done; None if nothing else waits.
    """

    def __init__(
        self,
        realm: Realm,
        router: Router,
        store: TokenStore,
        memberships: Memberships,
        *,
        now: Callable[[], float],
        run: Callable[[Coroutine[Any, Any, None]], None],
        next_turn: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._realm = realm
        self._router = router
        self._store = store
        self._memberships = memberships
        self._now = now
        self._run = run
        self._next_turn = next_turn
        self._roles_by_user: dict[str, Mapping[str, str] | None] = {}
        self._checks: list[_Check] = []
        self._changes: deque[tuple[float, Change]] = deque(maxlen=_REMEMBERED)
        self._sweeping = False
        self._again = False
        store.watch(self.changed)
        memberships.learned = self._learned
        realm.joined = self.joined
        realm.left = self.left

    def joined(self, session: Session, since: float) -> None:
        """A session joined that began to do so at ``since``; what changed meanwhile may concern it."""
        user = session.principal.user
        if user is None:
            return
        known = self._memberships.known(user)
        if user not in self._roles_by_user:
            self._roles_by_user[user] = None if known is None else known.roles_by_id
        if known is None or self._changed_since(since, user):
            self._run(self.check([session]))

    def belongs(self, session: Session, organization: str) -> bool:
        """Whether a session's user belonged to an organization when the store was asked last."""
        user = session.principal.user
        return user is not None and organization in (self._roles_by_user.get(user) or ())

    def _changed_since(self, since: float, user: str) -> bool:
        return any(when >= since and (change.everything or user in change.users) for when, change in self._changes)

    def left(self, session: Session) -> None:
        """A session left."""
        user = session.principal.user
        if user is not None and user not in self._realm.sessions_by_user:
            self._roles_by_user.pop(user, None)

    def changed(self, change: Change) -> None:
        """The store told of a change."""
        self._changes.append((self._now(), change))
        for check in self._checks:
            check.overtake(change)
        if change.everything:
            self._memberships.forget(None)
            self.sweep()
            return
        self._memberships.forget(change.users)
        concerned = [session for user in change.users for session in self._realm.sessions_by_user.get(user, ())]
        if concerned:
            self._run(self.check(concerned))

    def sweep(self) -> None:
        """Ask for everyone. One sweep runs at a time; what is asked for meanwhile follows."""
        if self._sweeping:
            self._again = True
            return
        self._sweeping = True
        self._run(self._sweep())

    async def _sweep(self) -> None:
        try:
            while True:
                self._again = False
                sessions = [session for theirs in self._realm.sessions_by_user.values() for session in theirs]
                for begin in range(0, len(sessions), _BATCH):
                    await self.check(sessions[begin : begin + _BATCH])
                if not self._again:
                    break
        finally:
            self._sweeping = False

    async def check(self, sessions: Collection[Session]) -> None:
        """Ask the store for these sessions' tokens and memberships, and act on what it says."""
        principals = {session: session.principal for session in sessions}
        tickets = {who.ticket.reveal() for who in principals.values() if who.ticket is not None}
        users = {who.user for who in principals.values() if who.user is not None}
        asked = self._now()
        # From here on: what changes while the store is still answering overtakes the answer.
        check = _Check()
        self._checks.append(check)
        try:
            tokens = await self._store.look_up_all(sorted(tickets))
            memberships = await self._store.memberships_of(sorted(users))
            await self._act(self._acts(check, principals, tokens, memberships, asked))
        except StoreUnavailable:
            # Sessions keep what they have until the store answers: a new grant they don't get.
            self._realm.counters["standing_unavailable"] += 1
        finally:
            self._checks.remove(check)

    async def _act(self, acts: Iterator[None]) -> None:
        """Do what there is to do, a few milliseconds at a time."""
        until = self._now() + _AT_ONCE_SECONDS
        for _ in acts:
            if self._next_turn is not None and self._now() >= until:
                await self._next_turn()
                until = self._now() + _AT_ONCE_SECONDS

    def _acts(
        self,
        check: _Check,
        principals: Mapping[Session, Principal],
        tokens: Mapping[str, Token],
        memberships: Mapping[str, Iterable[Membership]],
        asked: float,
    ) -> Iterator[None]:
        """Act on what the store said, one session and one user after the other."""
        for session, principal in principals.items():
            # Who has refreshed its token meanwhile was asked for with the old one, and is asked for again.
            if session.established and session.principal is principal and check.holds(principal.user):
                self._apply_token(session, tokens, asked)
            yield
        for user, theirs in memberships.items():
            if check.holds(user):
                self._memberships.learn(user, theirs, asked)
            yield

    def _apply_token(self, session: Session, tokens: Mapping[str, Token], asked: float) -> None:
        ticket = session.principal.ticket
        if ticket is None:
            return
        token = tokens.get(ticket.reveal())
        if token is None or token.user != session.principal.user:
            self._router.goodbye(session, uri.TOKEN_REVOKED, "the token was revoked")
        elif token.seconds_left <= 0:
            self._router.goodbye(session, uri.TOKEN_EXPIRED, "the token has expired")
        else:
            end = asked + token.seconds_left
            if session.principal.issued is not None and session.principal.expires is not None:
                # What is signed into a token gets no longer by its row.
                end = min(end, session.principal.expires)
            self._router.expire(session, end)

    def _learned(self, user: str, organizations: Organizations) -> None:
        """The store said what a user belongs to, whoever asked: by this the user's sessions are granted what they ask.

        So it is compared with what was said last each time: a membership that came
        and went between two sweeps may have been granted something.
        """
        if user not in self._roles_by_user:
            return
        before = self._roles_by_user[user]
        if before == organizations.roles_by_id:
            return
        self._roles_by_user[user] = organizations.roles_by_id
        told = None if before is None else _told(before, organizations)
        for session in list(self._realm.sessions_by_user.get(user, ())):
            if session.principal.organizations is not None:
                continue
            self._realm.reconsider(session)
            if told is not None:
                self._realm.tell(session, ORGANIZATIONS_CHANGED, told)


def _told(before: Mapping[str, str], organizations: Organizations) -> dict[str, Any]:
    now = organizations.roles_by_id
    return {
        "organizations": sorted(now)[:TOLD],
        "organization_count": len(now),
        "added": sorted(now.keys() - before.keys())[:TOLD],
        "removed": sorted(before.keys() - now.keys())[:TOLD],
    }
