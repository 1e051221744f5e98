"""``wampgate.status.get``, ``sessions``, ``topics`` and ``refusals``: what an operator sees of a running router.

Figures of the process are the same in every realm; everything else is that of the caller's realm. Whoever may
call ``sessions`` sees those that :mod:`wampgate.core.visibility` shows it; topics and refusals are for those who
see all.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from heapq import heappush, heappushpop
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.errors import RequestRefused, uri
from wampgate.core.visibility import is_inside
from wampgate.observation.snapshot import queued_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wampgate.core.broker import Subscription
    from wampgate.core.procedures import Asked
    from wampgate.core.realm import Realm
    from wampgate.core.session import Session
    from wampgate.core.sifting import Sifter
    from wampgate.observation.snapshot import Snapshot

MAX_ROWS: Final = 1000
"""So many rows are in one answer, at most."""

_SESSIONS: Final = 200
_TOPICS: Final = 50
_REFUSALS: Final = 100

_TALLY_SECONDS: Final = 1.0
"""So long the sessions are not counted again: many may ask, and often."""


class Tally:
    """What there is of a realm's sessions, counted one by one.

    Attributes:
        at: when it was finished, by the monotonic clock.
        total: how many sessions there are.
        by_role, by_method: how many of them have an authrole, an authmethod.
        queue_bytes: how much waits for their readers.
        slow_readers: for how many of them anything waits.
    """

    __slots__ = ("at", "by_method", "by_role", "queue_bytes", "slow_readers", "total")

    def __init__(self) -> None:
        self.at = 0.0
        self.total = 0
        self.by_role: Counter[str] = Counter()
        self.by_method: Counter[str] = Counter()
        self.queue_bytes = 0
        self.slow_readers = 0

    def add(self, session: Session) -> bool:
        """Count a session; False, since a sifter is to keep none."""
        if not is_inside(session):
            self.total += 1
            self.by_role[session.principal.authrole] += 1
            self.by_method[session.principal.authmethod] += 1
            if queued := queued_for(session):
                self.queue_bytes += queued
                self.slow_readers += 1
        return False


class _Most:
    """Keeps those of many things that are greatest by a number, so many at most.

    Args:
        limit: how many.
    """

    __slots__ = ("_count", "_heap", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heap: list[tuple[int, int, Any]] = []
        self._count = 0

    def take(self, number: int, thing: object) -> None:
        """Look at one more."""
        self._count += 1
        # The second number keeps two things from being compared: the earlier one is the greater.
        if len(self._heap) < self._limit:
            heappush(self._heap, (number, -self._count, thing))
        else:
            heappushpop(self._heap, (number, -self._count, thing))

    @property
    def more(self) -> bool:
        """Whether there were more than are kept."""
        return self._count > self._limit

    def greatest_first(self) -> list[Any]:
        """What is kept."""
        return [thing for _, _, thing in sorted(self._heap, key=lambda kept: kept[:2], reverse=True)]


class Status:
    """Answers for one realm.

    Args:
        realm: whose.
        sifter: looks through its sessions and subscriptions.
        snapshot: what is to be said of them, and of the router.
    """

    def __init__(self, realm: Realm, sifter: Sifter, snapshot: Snapshot) -> None:
        self._realm = realm
        self._sifter = sifter
        self._snapshot = snapshot
        self._tally: Tally | None = None

    def procedures(self) -> Mapping[str, Callable[[Asked], None]]:
        """Each procedure by its name. Each raises RequestRefused for arguments that are none of its own."""
        return {
            "wampgate.status.get": self.get,
            "wampgate.status.sessions": self.sessions,
            "wampgate.status.topics": self.topics,
            "wampgate.status.refusals": self.refusals,
        }

    def get(self, asked: Asked) -> None:
        """The state of the router and the figures of the realm, as keyword arguments; see docs/status.md."""
        asked.arguments()
        if self._tally is not None and self._snapshot.now() - self._tally.at < _TALLY_SECONDS:
            self._answer(asked, self._tally)
            return
        tally = Tally()
        self._sifter.sift(asked, self._realm.sessions.values, tally.add, partial(self._counted, asked, tally))

    def _counted(self, asked: Asked, tally: Tally, _none: Sequence[Session]) -> None:
        tally.at = self._snapshot.now()
        self._tally = tally
        self._answer(asked, tally)

    def _answer(self, asked: Asked, tally: Tally) -> None:
        asked.result(
            **self._snapshot.of_router(self._realm),
            **self._snapshot.of_realm(self._realm),
            sessions={"total": tally.total, "by_role": dict(tally.by_role), "by_method": dict(tally.by_method)},
            queues={"bytes": tally.queue_bytes, "slow_readers": tally.slow_readers},
        )

    def sessions(self, asked: Asked) -> None:
        """``after=null, limit=200, search=null``: sessions by their ids, and after which one the next page begins.

        ``search`` is text that the authid, authrole, authmethod, address or id contains, in any case.
        """
        values = asked.arguments("after", "limit", "search")
        after, limit, search = values.get("after"), _limit(values, _SESSIONS), values.get("search")
        if after is not None and type(after) is not int:
            raise RequestRefused(uri.INVALID_ARGUMENT, "after is a session id, the next of the page before, or null")
        if search is not None and not isinstance(search, str):
            raise RequestRefused(uri.INVALID_ARGUMENT, "search is a text, or null")
        caller, sees = asked.caller, self._realm.visibility.sees
        first, wanted, page = after or 0, (search or "").strip().casefold(), _Most(limit)

        def look(session: Session) -> bool:
            if session.id > first and not is_inside(session) and sees(caller, session) and _has(session, wanted):
                page.take(-session.id, session)
            return False

        def answer(_none: Sequence[Session]) -> None:
            found: list[Session] = page.greatest_first()
            rows = [self._snapshot.of_session(session) for session in found if session.established]
            asked.result(sessions=rows, next=found[-1].id if page.more else None)

        self._sifter.sift(asked, self._realm.sessions.values, look, answer)

    def topics(self, asked: Asked) -> None:
        """``limit=50``: the topics and patterns with the most subscribers, and how many subscriptions there are."""
        limit = _limit(asked.arguments("limit"), _TOPICS)
        self._check_sight(asked)
        most = _Most(limit)

        def look(subscription: Subscription) -> bool:
            most.take(len(subscription.subscribers), subscription)
            return False

        def answer(_none: Sequence[Subscription]) -> None:
            rows = [_topic(subscription) for subscription in most.greatest_first() if subscription.subscribers]
            asked.result(topics=rows, total=len(self._realm.broker))

        self._sifter.sift(asked, self._realm.broker.subscriptions, look, answer)

    def refusals(self, asked: Asked) -> None:
        """``limit=100``: the last refusals, newest first, each with what decided it."""
        limit = _limit(asked.arguments("limit"), _REFUSALS)
        self._check_sight(asked)
        asked.result(refusals=self._snapshot.refusals(self._realm, limit))

    def _check_sight(self, asked: Asked) -> None:
        """See that a caller sees all sessions.

        Raises:
            RequestRefused: it does not.
        """
        if not self._realm.visibility.sees_all(asked.caller):
            raise RequestRefused(
                uri.NOT_AUTHORIZED,
                "this is for those who see all sessions: add the role to the realm's meta_api.sights in router.json, "
                'with "sees": "all"',
            )


def _limit(values: Mapping[str, Any], usual: int) -> int:
    """How many rows are asked for.

    Raises:
        RequestRefused: that is no number of rows.
    """
    limit = values.get("limit")
    if limit is None:
        return usual
    if type(limit) is not int or not 1 <= limit <= MAX_ROWS:
        raise RequestRefused(uri.INVALID_ARGUMENT, f"limit is a number of rows from 1 to {MAX_ROWS}")
    return limit


def _has(session: Session, text: str) -> bool:
    """Whether a session is one of those that are searched for; the text is casefolded."""
    if not text:
        return True
    principal = session.principal
    return (
        text in principal.authid.casefold()
        or text in principal.authrole.casefold()
        or text in principal.authmethod
        or text in session.connection.peer
        or text == str(session.id)
    )


def _topic(subscription: Subscription) -> dict[str, Any]:
    return {
        "subscription": subscription.id,
        "topic": subscription.topic,
        "match": subscription.match,
        "subscribers": len(subscription.subscribers),
    }
