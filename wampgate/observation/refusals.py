"""The last refusals of each realm, for who is asked "why may I not?"; one flooding client can't hide others."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import heapify, heappop, heappush, merge
from itertools import islice
from time import time
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.log_lines import LENGTH, clipped
from wampgate.core.uri import MAX_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wampgate.core.session import Session

KEPT: Final = 200
"""So many refusals are kept of one realm, and as many of those who have named no realm."""

_ROOM: Final = 40
"""So many more wait until room is made for all of them at once: a flood must not make each refusal dear."""

SHARE: Final = 50
"""So many of them may be those of one authid, or of one address where nobody is known."""

_KINDS: Final = frozenset(
    {"join_refused", "refused", "revoked", "testament_refused", "exceeded", "refresh_refused", "violated"}
)
"""What of :mod:`wampgate.journal`'s events is a refusal."""

_KNOWN: Final = frozenset({"static", "store", "jwt"})
"""Who vouches for an authid that nobody gives himself."""


@dataclass(slots=True)
class Refusal:
    """One refusal, or several alike, one after the other.

    Attributes:
        number: counts up.
        time: when it was refused last, in seconds since 1970.
        event: as the log calls it.
        session: the session's id; 0 before it has joined.
        authid, authrole: who was refused; empty before it has joined.
        peer: the address and port.
        action, uri, match: what was asked for; empty where that means nothing.
        because: which rule or row decided, or what was wrong.
        count: how often, one after the other.
    """

    number: int
    time: float
    event: str
    session: int
    authid: str
    authrole: str
    peer: str
    action: str
    uri: str
    match: str
    because: str
    count: int = 1

    @property
    def subject(self) -> tuple[str, int, str, str, str, str]:
        """What two refusals share that are alike."""
        return self.event, self.session, self.action, self.uri, self.match, self.because

    def told(self) -> dict[str, Any]:
        """What a caller is told of it."""
        return {
            "time": datetime.fromtimestamp(self.time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "event": self.event,
            "session": self.session or None,
            "authid": self.authid or None,
            "authrole": self.authrole or None,
            "peer": self.peer,
            "action": self.action or None,
            "uri": self.uri or None,
            "match": self.match or None,
            "because": self.because,
            "count": self.count,
        }


class _Kept:
    """The last refusals of one realm, by whom they concern, so that each has its share."""

    __slots__ = ("_refusals_by_whom", "_total")

    def __init__(self) -> None:
        self._refusals_by_whom: dict[str, deque[Refusal]] = {}
        self._total = 0

    def add(self, whom: str, refusal: Refusal) -> None:
        """Keep one more; the oldest of its own goes where the share is used up, else of whoever has the most."""
        theirs = self._refusals_by_whom.get(whom)
        if theirs is None:
            theirs = self._refusals_by_whom[whom] = deque()
        elif theirs[-1].subject == refusal.subject:
            refusal.count += theirs.pop().count
            self._total -= 1
        theirs.append(refusal)
        self._total += 1
        if len(theirs) > SHARE:
            theirs.popleft()
            self._total -= 1
        elif self._total > KEPT + _ROOM:
            self._forget()

    def _forget(self) -> None:
        """Make room: the oldest go of those who have the most."""
        by_whom = self._refusals_by_whom
        most = [(-len(theirs), theirs[0].number, whom) for whom, theirs in by_whom.items()]
        heapify(most)
        while self._total > KEPT:
            _, _, whom = heappop(most)
            theirs = by_whom[whom]
            theirs.popleft()
            self._total -= 1
            if theirs:
                heappush(most, (-len(theirs), theirs[0].number, whom))
            else:
                del by_whom[whom]

    def newest_first(self) -> Iterator[Refusal]:
        """All that are kept."""
        rows = [reversed(refusals) for refusals in self._refusals_by_whom.values()]
        return merge(*rows, key=_number, reverse=True)


class Refusals:
    """Keeps the last refusals; a :class:`wampgate.core.interfaces.Record`.

    Args:
        wall_clock: in seconds since 1970.
    """

    def __init__(self, wall_clock: Callable[[], float] = time) -> None:
        self._wall_clock = wall_clock
        self._number = 0
        # By the realm's name; None for those who have named no realm that there is.
        self._kept_by_realm: dict[str | None, _Kept] = {}

    def __call__(self, event: str, session: Session, **fields: object) -> None:
        """Keep a refusal; everything else passes. See :class:`wampgate.core.interfaces.Record`."""
        if event not in _KINDS:
            return
        self._number += 1
        realm = _realm_of(session)
        kept = self._kept_by_realm.get(realm)
        if kept is None:
            kept = self._kept_by_realm[realm] = _Kept()
        refusal = self._made(event, session, fields)
        kept.add(_whom(session), refusal)

    def _made(self, event: str, session: Session, fields: dict[str, object]) -> Refusal:
        principal = getattr(session, "principal", None)
        return Refusal(
            self._number,
            self._wall_clock(),
            event,
            session.id,
            "" if principal is None else clipped(principal.authid),
            "" if principal is None else clipped(principal.authrole),
            session.connection.peer,
            _text(fields.get("action")),
            # Whole, so that it can be asked how it would be decided now.
            _text(fields.get("uri"), MAX_LENGTH),
            _text(fields.get("match")),
            _because(fields),
        )

    def recent(self, realm: str, limit: int) -> list[dict[str, Any]]:
        """The last refusals of a realm, and of those who have named none that there is; newest first.

        Args:
            realm: its name.
            limit: so many at most.
        """
        rows = [kept.newest_first() for name in (realm, None) if (kept := self._kept_by_realm.get(name)) is not None]
        return [refusal.told() for refusal in islice(merge(*rows, key=_number, reverse=True), limit)]


def _realm_of(session: Session) -> str | None:
    realm = getattr(session, "realm", None) or (None if session.joining is None else session.joining.realm)
    return None if realm is None else realm.name


def _whom(session: Session) -> str:
    """By what a flood is told from others: an authid that someone vouches for, else the network it comes from."""
    principal = getattr(session, "principal", None)
    if principal is not None and principal.authprovider in _KNOWN:
        return f"authid {principal.authid}"
    return f"network {session.connection.network}"


def _because(fields: dict[str, object]) -> str:
    if "limit" in fields:
        return f"sends more than limits.{fields['limit']} ({fields.get('count')} refused so far)"
    return _text(fields.get("because", fields.get("why")))


def _text(value: object, length: int = LENGTH) -> str:
    return "" if value is None else clipped(str(value), length)


def _number(refusal: Refusal) -> int:
    return refusal.number
