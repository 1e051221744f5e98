"""The audit log: who came in, who was refused what, who lost what, and what operators did, to whom and why."""

from __future__ import annotations

import time
from collections import deque
from functools import partial
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.local import LocalLink
from wampgate.core.log_lines import clipped, printable
from wampgate.observation.log_forms import instant
from wampgate.observation.thrift import Thrift

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wampgate.core.session import Session
    from wampgate.observation.thrift import LeftOut

RECENT: Final = 1000
"""So many entries are remembered of what happens all the time, and as many of all else."""

EVENT_BY_RECORD: Final[Mapping[str, str]] = {
    "joined": "login",
    "join_refused": "login_refused",
    "left": "ended",
    "refused": "refused",
    "testament_refused": "refused",
    "revoked": "revoked",
    "refresh_refused": "refresh_refused",
    "violated": "violation",
    "exceeded": "exceeded",
    "killed": "killed",
    "called": "call",
    "looked": "look",
}
"""What the core records, and what it is called here; see :mod:`wampgate.journal`."""

EVENTS: Final = frozenset({*EVENT_BY_RECORD.values(), "reload", "lost"})

_ROUTINE: Final = frozenset({"login", "ended", "look"})
"""What happens all the time: it must not push out of the memory what seldom happens."""

_FIELDS: Final = (
    "action",
    "uri",
    "match",
    "because",
    "limit",
    "by",
    "reason",
    "message",
    "procedure",
    "arguments",
    "outcome",
)
"""What is taken over of what the core records."""

_TELLING_APART: Final = ("action", "uri", "procedure", "because")
"""By these fields entries about the same one are alike, or are not."""

_LOOK_SECONDS: Final = 600.0
"""Who looks on and on, or sends one request after the other, is told of once in so many seconds, with a count."""

_HASH_DIGITS: Final = 12
"""So much of a token's hash tells tokens apart, and is of no use to anyone else."""


class Audit:
    """Keeps what concerns security; a :class:`wampgate.core.interfaces.Record`.

    Args:
        now: the monotonic clock, in seconds.
        wall_clock: in seconds since 1970.

    Attributes:
        write: takes each entry, as it stands in the file; None while there is no file.
        kept: how many entries were kept, ever, those of counts included.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic, wall_clock: Callable[[], float] = time.time) -> None:
        self._wall_clock = wall_clock
        self._thrift = Thrift(now)
        # One of a kind is enough there: all that follows says no more than how often.
        self._looks = Thrift(now, seconds=_LOOK_SECONDS, alike=1)
        self._routine: deque[dict[str, Any]] = deque(maxlen=RECENT)
        self._rare: deque[dict[str, Any]] = deque(maxlen=RECENT)
        self._number = 0
        self.write: Callable[[dict[str, Any]], None] | None = None

    @property
    def kept(self) -> int:
        """See the class."""
        return self._number

    def __call__(self, event: str, session: Session, **fields: object) -> None:
        """Take what the core records; see :class:`wampgate.core.interfaces.Record`."""
        name = EVENT_BY_RECORD.get(event)
        if name is None:
            return
        # A single HTTP request is no session to whoever sends it: it comes in, that is all.
        request = isinstance(session.link, LocalLink)
        if request and name == "ended":
            return
        if event == "testament_refused":
            fields["action"] = "testament"
        at = self._wall_clock()
        make = partial(_entry, name, at, session, fields)
        entry = make() if name in _UNBOUNDED else self._thrifty(name, at, session, fields, make)
        if entry is not None:
            self._keep(entry)

    def note(self, event: str, **fields: Any) -> None:
        """Keep what concerns no session, such as a reload. See ``docs/audit.md`` for what belongs there."""
        self._keep({"time": self._wall_clock(), "event": event, **fields})

    def tell_left_out(self, *, at_once: bool = False) -> None:
        """Keep, if their period is over, how many entries were only counted; to be called every few seconds."""
        for thrift in (self._thrift, self._looks):
            for left_out in thrift.ended(at_once=at_once):
                self._keep(_of_many(left_out))

    def recent(
        self, realm: str, limit: int, *, event: str | None = None, authid: str | None = None
    ) -> list[dict[str, Any]]:
        """The last entries, newest first, as they stand in the file.

        Args:
            realm: whose; what concerns no realm belongs to all.
            limit: so many at most.
            event: these only; None for all.
            authid: those about this one only; None for all.
        """
        rows = (reversed(self._routine), reversed(self._rare))
        wanted = (
            entry
            for entry in merge(*rows, key=lambda entry: entry["number"], reverse=True)
            if entry.get("realm") in (realm, None)
            and (event is None or entry["event"] == event)
            and (authid is None or entry.get("authid") == authid)
        )
        return [told(entry) for entry in islice(wanted, limit)]

    def _thrifty(
        self, name: str, at: float, session: Session, fields: Mapping[str, object], make: Callable[[], dict[str, Any]]
    ) -> dict[str, Any] | None:
        """An entry, unless there are enough of the kind; then it is counted."""
        principal = getattr(session, "principal", None)
        whom = session.connection.network if principal is None else f"{session.realm.name} {clipped(principal.authid)}"
        # Clients choose URIs, and thousands of these are remembered: no longer than an entry has room for.
        what = " ".join(clipped(str(fields[field])) for field in _TELLING_APART if field in fields)
        if name == "look" or (name == "login" and isinstance(session.link, LocalLink)):
            return self._looks.keep(name, whom, what, at, make)
        return self._thrift.keep(name, whom, what, at, make)

    def _keep(self, entry: dict[str, Any]) -> None:
        self._number += 1
        entry["number"] = self._number
        (self._routine if entry["event"] in _ROUTINE else self._rare).append(entry)
        if self.write is not None:
            self.write(entry)


_UNBOUNDED: Final = frozenset({"call"})
"""Who may do such things is an operator, and each of them counts."""


def told(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry as it stands in the file and is told to operators."""
    shown = {name: value for name, value in entry.items() if name != "number"}
    for name in ("time", "since"):
        if name in shown:
            shown[name] = instant(shown[name])
    return shown


def _entry(name: str, at: float, session: Session, fields: Mapping[str, object]) -> dict[str, Any]:
    entry: dict[str, Any] = {"time": at, "event": name, **_identity(session)}
    for field in _FIELDS:
        if value := fields.get(field):
            entry[field] = _text(value)
    if "why" in fields:
        entry["because"] = _text(fields["why"])
    if name == "login":
        entry["authprovider"] = session.principal.authprovider
        if session.principal.token_id is not None:
            entry["token"] = session.principal.token_id[:_HASH_DIGITS]
        if isinstance(session.link, LocalLink):
            entry["http"] = True
    return entry


def _identity(session: Session) -> dict[str, Any]:
    """Who it is about, and from where it came."""
    joining = session.joining
    realm = getattr(session, "realm", None) or (None if joining is None else joining.realm)
    principal = getattr(session, "principal", None)
    shown: dict[str, Any] = {}
    if realm is not None:
        shown["realm"] = realm.name
    if session.id:
        shown["session"] = session.id
    if principal is not None:
        shown["authid"] = _text(principal.authid)
        shown["authrole"] = _text(principal.authrole)
        shown["authmethod"] = principal.authmethod
    elif joining is not None:
        shown["authmethod"] = joining.authenticator.authmethod
    shown["peer"] = session.connection.peer
    return shown


def _text(value: object) -> str:
    return printable(clipped(str(value)))


def _of_many(left_out: LeftOut) -> dict[str, Any]:
    """One entry for many: it says what they have in common, and no more."""
    first = left_out.first
    names: tuple[str, ...] = ("event",)
    if len(left_out.key) > 1:
        names += ("realm", "authid", "authrole", "http")
        if "authid" not in first:
            names += ("peer",)
    if len(left_out.key) > 2:
        names += ("action", "uri", "match", "procedure", "because")
    shared = {name: first[name] for name in names if name in first}
    return {"time": left_out.until, **shared, "count": left_out.count, "since": left_out.since}
