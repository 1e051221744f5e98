"""Which organizations each user belongs to, asked of the store at most once at a time and kept a short while."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.decisions import Pending
from wampgate.core.errors import StoreUnavailable
from wampgate.core.uri import is_organization_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping

    from wampgate.core.interfaces import Membership, TokenStore

_MANY: Final = 10_000
"""Above so many kept users, those whose time is over are forgotten."""

_FIRST_SEEN: Final = 100_000
"""So many users' memberships are remembered with the time when they were seen first."""

_TRIES: Final = 5
"""So often an answer is asked for again because the memberships changed while it was on its way."""


@dataclass(frozen=True, slots=True)
class Organizations:
    """A user's organizations at one moment; only ids that can stand in a topic.

    Attributes:
        roles_by_id: the user's role in each; empty if the store keeps none.
        until: how long this holds, by the router's monotonic clock; who was asked later knows better.
        since_by_id: when each membership began, in seconds since 1970; those that are missing, nobody knows.
    """

    roles_by_id: Mapping[str, str]
    until: float
    since_by_id: Mapping[str, float] = field(default_factory=dict, compare=False)

    @property
    def ids(self) -> Collection[str]:
        """The organizations' ids."""
        return self.roles_by_id.keys()


class _Question:
    """A question on its way to the store; stale once the user's memberships have changed since it was asked."""

    __slots__ = ("stale",)

    def __init__(self) -> None:
        self.stale = False


class Memberships:
    """A short memory in front of a token store.

    Args:
        store: the realm's token store.
        now: the router's monotonic clock, in seconds.
        seconds: how long an answer holds.
        run: starts a coroutine.
        odd_id: told of each user and organization id that can't stand in a topic.
        wall_clock: seconds since 1970; with it, a membership of which the store does not say when it
            began is taken to have begun when it was first seen here.

    Attributes:
        learned: told of each user's organizations as the store said them, before anyone is granted anything by them.
        hits: how often what was known was asked for, ever.
        misses: how often the store had to be asked, ever.
    """

    def __init__(
        self,
        store: TokenStore,
        *,
        now: Callable[[], float],
        seconds: float,
        run: Callable[[Coroutine[Any, Any, None]], None],
        odd_id: Callable[[str, str], None],
        wall_clock: Callable[[], float] | None = None,
    ) -> None:
        self._store = store
        self._now = now
        self._seconds = seconds
        self._run = run
        self._odd_id = odd_id
        self._wall_clock = wall_clock
        self._first_seen_by_user: dict[str, Mapping[str, float]] = {}
        self.learned: Callable[[str, Organizations], None] = _unheard
        self.hits = 0
        self.misses = 0
        self._organizations_by_user: dict[str, Organizations] = {}
        self._fresh_by_user: dict[str, Organizations] = {}
        self._forget_at = _MANY
        self._waiting_by_user: dict[str, list[Pending[Organizations | None]]] = {}
        self._questions_by_user: dict[str, list[_Question]] = {}

    def adopt(self, seconds: float, wall_clock: Callable[[], float] | None) -> None:
        """Keep answers for another time from now on, and watch beginnings or not. See the class for the arguments."""
        self._seconds = seconds
        self._wall_clock = wall_clock
        # What is kept holds as long as it was to: too long, if that was longer.
        self._organizations_by_user.clear()

    def known(self, user: str) -> Organizations | None:
        """What is known and still holds; None if the store has to be asked."""
        organizations = self._organizations_by_user.get(user)
        if organizations is None or organizations.until <= self._now():
            # Whoever is told of an answer decides by it, even if it is not to be kept at all.
            return self._fresh_by_user.get(user)
        self.hits += 1
        return organizations

    def latest(self, user: str) -> Organizations | None:
        """What the store said last, even if it is too old to grant anything by; None if that is not known any more."""
        return self._organizations_by_user.get(user)

    def ask(self, user: str) -> Pending[Organizations | None]:
        """Ask the store; whoever asks for the same user meanwhile shares the answer. None: it can't be said now."""
        answer: Pending[Organizations | None] = Pending()
        waiting = self._waiting_by_user.get(user)
        if waiting is not None:
            waiting.append(answer)
            return answer
        self._waiting_by_user[user] = [answer]
        self._run(self._ask(user))
        return answer

    async def _ask(self, user: str) -> None:
        organizations = None
        try:
            organizations = await self.load(user)
        except StoreUnavailable:
            pass
        finally:
            # Whatever went wrong, no one may wait for ever.
            for answer in self._waiting_by_user.pop(user):
                answer.resolve(organizations)

    async def load(self, user: str) -> Organizations:
        """Ask the store, for a coroutine that can wait. An answer that a change has overtaken is asked for again.

        Raises:
            StoreUnavailable: the store can't say now.
        """
        for _ in range(_TRIES):
            question = _Question()
            self._questions_by_user.setdefault(user, []).append(question)
            self.misses += 1
            asked = self._now()
            try:
                memberships = await self._store.memberships(user)
            finally:
                self._answered(user, question)
            if not question.stale:
                return self.learn(user, memberships, asked)
        raise StoreUnavailable("the memberships change faster than they can be read")

    def learn(self, user: str, memberships: Iterable[Membership], asked: float) -> Organizations:
        """Take what the store said of a user; the answer is as old as the question.

        Returns:
            What holds now: an answer to a later question, if one has come before this one.
        """
        newer = self._organizations_by_user.get(user)
        if newer is not None and newer.until > asked + self._seconds:
            return newer
        roles_by_id = {}
        since_by_id = {}
        for membership in memberships:
            if is_organization_id(membership.organization):
                roles_by_id[membership.organization] = membership.role
                if membership.since is not None:
                    since_by_id[membership.organization] = membership.since
            else:
                self._odd_id(user, membership.organization)
        if self._wall_clock is not None:
            since_by_id = {**self._first_seen(user, roles_by_id, self._wall_clock()), **since_by_id}
        organizations = Organizations(roles_by_id, asked + self._seconds, since_by_id)
        if len(self._organizations_by_user) >= self._forget_at:
            self._forget()
        self._organizations_by_user[user] = organizations
        self._fresh_by_user[user] = organizations
        self.learned(user, organizations)
        del self._fresh_by_user[user]
        return organizations

    def _first_seen(self, user: str, ids: Iterable[str], now: float) -> Mapping[str, float]:
        """When each membership was seen first. Who was forgotten is taken for new, and shown too little at worst."""
        before = self._first_seen_by_user.pop(user, {})
        seen = self._first_seen_by_user[user] = {organization: before.get(organization, now) for organization in ids}
        if len(self._first_seen_by_user) > _FIRST_SEEN:
            del self._first_seen_by_user[next(iter(self._first_seen_by_user))]
        return seen

    def forget(self, users: Iterable[str] | None) -> None:
        """What is known of these users holds no more, nor does what is being asked; None: of all users."""
        if users is None:
            self._organizations_by_user.clear()
            users = list(self._questions_by_user)
        for user in users:
            self._organizations_by_user.pop(user, None)
            for question in self._questions_by_user.get(user, ()):
                question.stale = True

    def _answered(self, user: str, question: _Question) -> None:
        questions = self._questions_by_user[user]
        questions.remove(question)
        if not questions:
            del self._questions_by_user[user]

    def _forget(self) -> None:
        now = self._now()
        self._organizations_by_user = {
            user: organizations
            for user, organizations in self._organizations_by_user.items()
            if organizations.until > now
        }
        # Who still counts must not be looked through again with each that comes.
        self._forget_at = max(_MANY, 2 * len(self._organizations_by_user))


def _unheard(_user: str, _organizations: Organizations) -> None:
    """No one wants to know."""
