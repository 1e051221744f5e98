"""Events that wait, each for one receiver, until an authorizer has said whether it may have them; in order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from wampgate.core.decisions import Decision

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.core.broker import Subscription
    from wampgate.core.decisions import Pending
    from wampgate.core.interfaces import Deliver
    from wampgate.core.realm import Realm
    from wampgate.core.session import Session
    from wampgate.wire.messages import Event
    from wampgate.wire.payload import Payload

MAX_WAITING: Final = 1_000
"""So many events wait for one receiver at most; of those beyond it is told that they are missing."""


@dataclass(slots=True, eq=False)
class LateEvent:
    """One event for one receiver.

    Attributes:
        subscription: by which it is received.
        event, payload: what is sent.
        ask: asks whether the receiver may have it.
        at: when it happened, in seconds since 1970.
        decision: what was said; None before.
    """

    subscription: Subscription
    event: Event
    payload: Payload
    ask: Callable[[], Decision | Pending[Decision]]
    at: float
    decision: Decision | None = None


class LateEvents:
    """Those of one realm, by receiver. What is behind one that waits, waits as well, or the order would be lost."""

    def __init__(self, realm: Realm, deliver: Deliver) -> None:
        self._realm = realm
        self._deliver = deliver
        self._waiting: dict[Session, deque[LateEvent]] = {}
        self._busy: set[Session] = set()

    def __contains__(self, session: Session) -> bool:
        return session in self._waiting

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def wait(self, session: Session, late: LateEvent, answer: Pending[Decision] | None = None) -> None:
        """Let an event wait for its answer, which was asked for already, or for those before it."""
        waiting = self._waiting.setdefault(session, deque())
        if len(waiting) >= MAX_WAITING:
            self._lost(session, late)
            return
        waiting.append(late)
        if answer is not None:
            answer.then(partial(self._decided, session, late))

    def forget(self, session: Session) -> None:
        """A receiver has left."""
        self._waiting.pop(session, None)

    def undecided(self, session: Session, late: LateEvent) -> None:
        """Nothing could be decided: tell the receiver that something may be missing."""
        self._lost(session, late)

    def _decided(self, session: Session, late: LateEvent, decision: Decision) -> None:
        late.decision = decision
        waiting = self._waiting.get(session)
        if waiting and waiting[0] is late and session not in self._busy:
            self._go_on(session, waiting)

    def _go_on(self, session: Session, waiting: deque[LateEvent]) -> None:
        """Send what is decided, up to the next that isn't."""
        # An answer may be there at once, while it is asked for: then this goes on, and not once more inside itself.
        self._busy.add(session)
        while waiting and self._is_decided(session, waiting[0]):
            self._take(session, waiting.popleft())
        self._busy.discard(session)
        if not waiting:
            self._waiting.pop(session, None)

    def _is_decided(self, session: Session, late: LateEvent) -> bool:
        if late.decision is None:
            answer = late.ask()
            if isinstance(answer, Decision):
                late.decision = answer
            else:
                answer.then(partial(self._decided, session, late))
        return late.decision is not None

    def _take(self, session: Session, late: LateEvent) -> None:
        # An EVENT for a subscription that is gone makes stock clients drop their connection.
        if late.decision is None or late.subscription.id not in (session.subscriptions or ()):
            return
        if late.decision.allowed:
            self._deliver(late.event, late.payload, (session,))
        elif late.decision.failed:
            self._lost(session, late)

    def _lost(self, session: Session, late: LateEvent) -> None:
        self._realm.counters["meta_events_lost"] += 1
        subscription = late.subscription
        self._realm.tell_gap(session, subscription.topic, subscription.match, since=late.at, why="undecided", dropped=1)
