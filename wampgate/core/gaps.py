"""What a session has missed: how it is kept, and how the session is told on the private topic ``wampgate.gap``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from wampgate.core.private import GAP
from wampgate.wire.payload import Payload

if TYPE_CHECKING:
    from wampgate.core.broker import Broker
    from wampgate.core.session import Session
    from wampgate.core.slow_readers import Perishable
    from wampgate.wire.messages import Event, Match

Why: TypeAlias = Literal["slow_reader", "bridge_interrupted", "stream_trimmed", "too_long", "undecided"]
"""Why events were missed: the reader was too slow, they may have been lost before they came here, a stream
had let go of them before they were read, they are longer than the reader takes (RawSocket), or it could
not be decided whether the reader may have them (meta events)."""

_NAMED: Final = 100
"""A session is told of so many of its subscriptions one by one; of the others with one event for all."""


@dataclass(slots=True)
class Gap:
    """Events that a session was not sent and that will not come any more.

    The event on ``wampgate.gap`` has these five as its kwargs, always all of
    them, and no args.

    Attributes:
        topic, match: where they were: the pattern of the session's subscription,
            or any other pattern that covers all that is missing.
        since: the time of the first that is missing, in seconds since 1970;
            ISO 8601 in UTC when told: ``2026-01-31T12:00:00.000Z``. What is
            older was sent.
        why: see :data:`Why`.
        dropped: how many they are; None where nobody can know.
    """

    topic: str
    match: Match
    since: float
    why: Why
    dropped: int | None = None

    def kwargs(self) -> dict[str, Any]:
        """As the session is told."""
        since = datetime.fromtimestamp(self.since, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"topic": self.topic, "match": self.match, "since": since, "why": self.why, "dropped": self.dropped}


class Missed:
    """What was dropped of the events for one slow reader, and it was not told yet; bounded."""

    __slots__ = ("_gaps",)

    def __init__(self) -> None:
        self._gaps: dict[int, Gap] = {}

    def add(self, lost: Perishable) -> None:
        """Count a dropped event."""
        subscription = lost.subscription
        gap = self._gaps.get(subscription.id)
        if gap is not None:
            _count(gap, lost)
        elif len(self._gaps) < _NAMED:
            self._gaps[subscription.id] = Gap(subscription.topic, subscription.match, lost.at, "slow_reader", 1)
        else:
            # Every URI begins with nothing.
            _count(self._gaps.setdefault(0, Gap("", "prefix", lost.at, "slow_reader", 0)), lost)

    def forget(self, subscription: int) -> None:
        """A subscription was taken away: nothing more is told of it."""
        self._gaps.pop(subscription, None)

    def gaps(self) -> list[Gap]:
        """What has to be told."""
        return list(self._gaps.values())


def _count(gap: Gap, lost: Perishable) -> None:
    gap.since = min(gap.since, lost.at)
    gap.dropped = (gap.dropped or 0) + 1


class Gaps:
    """Tells the sessions of one realm what they have missed."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def tell(self, session: Session, gap: Gap) -> bool:
        """Tell a session of a gap, behind what was sent to it before; whether it listens."""
        return self._broker.tell(session, GAP, Payload((), gap.kwargs()))

    def subscription_of(self, session: Session) -> int | None:
        """The subscription by which a session is told; None if it has none."""
        subscription = self._broker.private_subscription(session, GAP)
        return None if subscription is None else subscription.id

    def announcement(self, session: Session, gap: Gap) -> tuple[Event, Payload] | None:
        """What tells a session of a gap, for who sends it himself; None if the session does not listen."""
        event = self._broker.private_event(session, GAP)
        return None if event is None else (event, Payload((), gap.kwargs()))
