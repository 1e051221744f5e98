"""Keeps the rights of live sessions as the store has them: what ends there ends here.

A store tells of changes as they happen; that is a hint, and the store is asked
before anything is done. A sweep asks for everyone now and then, so that a hint
which got lost costs no more than its period.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.errors import StoreUnavailable, uri
from wampgate.core.logins import LOGGED_OUT
from wampgate.core.private import ORGANIZATIONS_CHANGED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from wampgate.authorization.memberships import Memberships, Organizations
    from wampgate.core.interfaces import (
        Change,
        Credentials,
        CredentialStore,
        Known,
        Membership,
        Principal,
        Token,
        TokenStore,
    )
    from wampgate.core.logins import CookieStore
    from wampgate.core.realm import Realm
    from wampgate.core.router import Router
    from wampgate.core.session import Session

TOLD: Final = 100
"""So many organizations are listed for a session; a count tells of the others."""

_BATCH: Final = 500
"""Users or tokens in one question of a sweep, so that no one else waits long for an answer."""

_REMEMBERED: Final = 1000
"""So many recent changes are kept for sessions that were joining when they came."""

_NONE: Final[AbstractSet[str]] = frozenset()

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

    def holds(self, *names: str | None) -> bool:
        """Whether what the store said of a user, or of an authid's credentials, still counts."""
        return not self._everyone and self._users.isdisjoint(names)


@dataclass(frozen=True, slots=True)
class _Said:
    """What the store said, and when it was asked."""

    tokens: Mapping[str, Token]
    credentials: Mapping[Known, Credentials]
    ended: Collection[str]
    memberships: Mapping[str, Iterable[Membership]]
    asked: float


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
        credentials: where the rows are by which some of them are known; None if nobody joins by such a row.
        cookies: where other nodes' logouts are seen; None if nobody joins by a cookie.
        attach: whether it watches from now on; else from :meth:`attach` on.

    Attributes:
        cookies: see above.
        rights_changed: told of each user whose memberships have changed, before its sessions are looked at.
    """

    def __init__(
        self,
        realm: Realm,
        router: Router,
        store: TokenStore,
        memberships: Memberships,
        *,
        now: Callable[[], float],
        run: Callable[[Coroutine[Any, Any, Any]], None],
        next_turn: Callable[[], Awaitable[object]] | None = None,
        credentials: CredentialStore | None = None,
        cookies: CookieStore | None = None,
        attach: bool = True,
    ) -> None:
        self._realm = realm
        self._router = router
        self._store = store
        self._memberships = memberships
        self._now = now
        self._run = run
        self._next_turn = next_turn
        self._credentials = credentials
        self.cookies = cookies
        self._sessions_by_authid: dict[str, set[Session]] = {}
        self.rights_changed: Callable[[str], None] = _unheard
        self._roles_by_user: dict[str, Mapping[str, str] | None] = {}
        self._checks: list[_Check] = []
        self._changes: deque[tuple[float, Change]] = deque(maxlen=_REMEMBERED)
        self._sweeping = False
        self._again = False
        # Since when everything may have changed, as long as nobody was asked for since; None if nothing has.
        self._heard: float | None = None
        self._attached = False
        store.watch(self.changed)
        memberships.learned = self._learned
        if attach:
            self.attach()

    def attach(self, before: Standing | None = None) -> None:
        """Watch over the sessions that come from now on, and over those that are here.

        Args:
            before: who has watched over them until now, by another store, and does so no more; :meth:`sweep` has to
                follow then, since the two stores may say different things.
        """
        self._attached = True
        self._realm.joined.append(self.joined)
        self._realm.left.append(self.left)
        if before is not None:
            self._sessions_by_authid, self._roles_by_user = before.detach()
            return
        for session in self._realm.sessions.values():
            self._note(session)

    def detach(self) -> tuple[dict[str, set[Session]], dict[str, Mapping[str, str] | None]]:
        """Watch over nobody any more; what is under way is not acted on.

        Returns:
            Whom it has watched over, for whoever does now.
        """
        self._attached = False
        self._realm.joined.remove(self.joined)
        self._realm.left.remove(self.left)
        return self._sessions_by_authid, self._roles_by_user

    def _note(self, session: Session) -> Organizations | None:
        """Watch over a session from now on; what is known of its user's organizations."""
        who = session.principal
        if _is_by_authid(who):
            self._sessions_by_authid.setdefault(who.authid, set()).add(session)
        known = None if who.user is None else self._memberships.known(who.user)
        if who.user is not None and who.user not in self._roles_by_user:
            self._roles_by_user[who.user] = None if known is None else known.roles_by_id
        return known

    def joined(self, session: Session, since: float) -> None:
        """A session joined that began to do so at ``since``; what changed meanwhile may concern it."""
        who = session.principal
        if who.user is None and not _is_by_authid(who):
            return
        known = self._note(session)
        if (known is None and who.user is not None) or self._changed_since(since, who):
            self._run(self.check([session]))

    def belongs(self, session: Session, organization: str) -> bool:
        """Whether a session's user belonged to an organization when the store was asked last."""
        user = session.principal.user
        return user is not None and organization in (self._roles_by_user.get(user) or ())

    def organizations_of(self, session: Session) -> AbstractSet[str]:
        """A session's organizations: what its signed token says, or what the store said last of its user."""
        principal = session.principal
        if principal.organizations is not None:
            return principal.organizations.keys()
        if principal.user is None:
            return _NONE
        roles = self._roles_by_user.get(principal.user)
        if roles is not None:
            return roles.keys()
        # Who is just joining was asked for a moment ago.
        latest = self._memberships.latest(principal.user)
        return _NONE if latest is None else latest.roles_by_id.keys()

    def _changed_since(self, since: float, who: Principal) -> bool:
        for when, change in reversed(self._changes):
            if when < since:
                break
            if change.everything or who.user in change.users or who.authid in change.users:
                return True
        return False

    def left(self, session: Session) -> None:
        """A session left."""
        theirs = self._sessions_by_authid.get(session.principal.authid)
        if theirs is not None:
            theirs.discard(session)
            if not theirs:
                del self._sessions_by_authid[session.principal.authid]
        user = session.principal.user
        if user is not None and user not in self._realm.sessions_by_user:
            self._roles_by_user.pop(user, None)

    def changed(self, change: Change) -> None:
        """The store told of a change."""
        if not self._attached:
            return
        self._changes.append((self._now(), change))
        for check in self._checks:
            check.overtake(change)
        if change.everything:
            self._memberships.forget(None)
            self._heard = self._now() if self._heard is None else self._heard
            self.sweep()
            return
        self._memberships.forget(change.users)
        concerned = dict.fromkeys(session for name in change.users for session in self._sessions_of(name))
        if concerned:
            self._run(self._follow(concerned, self._now()))

    async def _follow(self, concerned: Collection[Session], heard: float) -> None:
        """Look at the sessions that a change concerns, and note how long it took from hearing of it to acting on it."""
        if await self.check(concerned):
            self._realm.revocation_seconds.observe(self._now() - heard)

    def _sessions_of(self, name: str) -> Iterator[Session]:
        """The sessions of a user, and of an authid whose rights hang on its own row."""
        yield from self._realm.sessions_by_user.get(name, ())
        yield from self._sessions_by_authid.get(name, ())

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
                heard, self._heard = self._heard, None
                by_name = (*self._realm.sessions_by_user.values(), *self._sessions_by_authid.values())
                sessions = list(dict.fromkeys(session for theirs in by_name for session in theirs))
                for begin in range(0, len(sessions), _BATCH):
                    await self.check(sessions[begin : begin + _BATCH])
                if heard is not None:
                    self._realm.revocation_seconds.observe(self._now() - heard)
                if not self._again:
                    break
        finally:
            self._sweeping = False

    async def check(self, sessions: Collection[Session]) -> bool:
        """Ask the store for these sessions' tokens, credentials and memberships, and act on what it says.

        Returns:
            Whether the store has said anything.
        """
        principals = {session: session.principal for session in sessions}
        tickets = {who.ticket.reveal() for who in principals.values() if who.ticket is not None}
        users = {who.user for who in principals.values() if who.user is not None}
        asked = self._now()
        # From here on: what changes while the store is still answering overtakes the answer.
        check = _Check()
        self._checks.append(check)
        try:
            tokens = await self._store.look_up_all(sorted(tickets))
            credentials = await self._credentials_of(principals.values())
            ended = await self._ended_of(principals.values())
            memberships = await self._store.memberships_of(sorted(users))
            said = _Said(tokens, credentials, ended, memberships, asked)
            await self._act(self._acts(check, principals, said))
        except StoreUnavailable:
            # Sessions keep what they have until the store answers: a new grant they don't get.
            self._realm.counters["standing_unavailable"] += 1
            return False
        finally:
            self._checks.remove(check)
        return True

    async def _credentials_of(self, principals: Iterable[Principal]) -> Mapping[Known, Credentials]:
        known = {who.known for who in principals if who.known is not None}
        return await self._credentials.credentials_of(list(known)) if known and self._credentials is not None else {}

    async def _ended_of(self, principals: Iterable[Principal]) -> Collection[str]:
        logins = {who.login for who in principals if who.login is not None}
        return await self.cookies.ended(list(logins)) if logins and self.cookies is not None else ()

    async def _act(self, acts: Iterator[None]) -> None:
        """Do what there is to do, a few milliseconds at a time."""
        if not self._attached:
            return
        until = self._now() + _AT_ONCE_SECONDS
        for _ in acts:
            if self._next_turn is not None and self._now() >= until:
                await self._next_turn()
                until = self._now() + _AT_ONCE_SECONDS

    def _acts(self, check: _Check, principals: Mapping[Session, Principal], said: _Said) -> Iterator[None]:
        """Act on what the store said, one session and one user after the other."""
        for session, principal in principals.items():
            # Who has refreshed its token meanwhile was asked for with the old one, and is asked for again.
            if session.established and session.principal is principal and check.holds(*_names_of(principal)):
                self._apply(session, said)
            yield
            if not self._attached:
                return
        for user, theirs in said.memberships.items():
            if check.holds(user):
                self._memberships.learn(user, theirs, said.asked)
            yield

    def _apply(self, session: Session, said: _Said) -> None:
        """End a session, or move its end, as the store says."""
        who = session.principal
        if who.login in said.ended:
            self._router.goodbye(session, uri.TOKEN_REVOKED, LOGGED_OUT)
        elif who.ticket is not None:
            self._apply_token(session, said.tokens.get(who.ticket.reveal()), said.asked)
        elif who.known is not None:
            self._apply_credentials(session, said.credentials.get(who.known), said.asked)

    def _apply_credentials(self, session: Session, credentials: Credentials | None, asked: float) -> None:
        if credentials is None or credentials.known != session.principal.known:
            self._router.goodbye(session, uri.TOKEN_REVOKED, "the credentials were revoked or have changed")
        else:
            self._router.expire(session, asked + credentials.seconds_left)

    def _apply_token(self, session: Session, token: Token | None, asked: float) -> None:
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
        self.rights_changed(user)
        told = None if before is None else _told(before, organizations)
        for session in list(self._realm.sessions_by_user.get(user, ())):
            if session.principal.organizations is not None:
                continue
            self._realm.reconsider(session)
            if told is not None:
                self._realm.tell(session, ORGANIZATIONS_CHANGED, told)


def _unheard(_user: str) -> None:
    """No one wants to know."""


def _is_by_authid(who: Principal) -> bool:
    """Whether a principal's rights hang on something that is told of by its authid alone."""
    return who.known is not None or (who.login is not None and who.user is None)


def _names_of(who: Principal) -> Sequence[str | None]:
    """Under which names changes that concern a principal are told."""
    return (who.user, who.authid) if _is_by_authid(who) else (who.user,)


def _told(before: Mapping[str, str], organizations: Organizations) -> dict[str, Any]:
    now = organizations.roles_by_id
    return {
        "organizations": sorted(now)[:TOLD],
        "organization_count": len(now),
        "added": sorted(now.keys() - before.keys())[:TOLD],
        "removed": sorted(before.keys() - now.keys())[:TOLD],
    }
