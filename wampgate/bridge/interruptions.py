"""Tells subscribers that events of a bridge may be missing: who may have missed some, in portions."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Final

from wampgate.core.matching import overlaps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from wampgate.bridge.templates import TopicPattern
    from wampgate.core.broker import Subscription
    from wampgate.core.gaps import Why
    from wampgate.core.realm import Realm

_WHY: Final[Why] = "bridge_interrupted"

_AT_ONCE_SECONDS: Final = 0.01
"""So long it goes on telling before it lets the router's other work go on."""


class Interruptions:
    """Announces a bridge's interruptions on ``wampgate.gap``.

    Args:
        realm: whose sessions are told.
        topics: where the bridge publishes; who subscribes to none of it is not told.
        next_turn: calls a function once what else there is to do was done.
    """

    def __init__(
        self, realm: Realm, topics: Iterable[TopicPattern], next_turn: Callable[[Callable[[], None]], object]
    ) -> None:
        self._realm = realm
        self._topics = tuple(topics)
        self._next_turn = next_turn
        self._waiting: deque[Iterator[None]] = deque()

    def tell(self, since: float, *, why: Why = _WHY) -> None:
        """Tell everyone who subscribes to a topic of the bridge's that something may be missing.

        Whoever subscribed during the interruption is told too.

        Args:
            since: when something came for the last time before, in seconds since 1970.
            why: what happened.
        """
        # A list: subscriptions come and go while they are gone through.
        self._waiting.append(self._told(list(self._realm.broker.subscriptions()), since, why))
        if len(self._waiting) == 1:
            self._next_turn(self._go_on)

    def _go_on(self) -> None:
        until = monotonic() + _AT_ONCE_SECONDS
        while self._waiting and monotonic() < until:
            for _ in self._waiting[0]:
                if monotonic() >= until:
                    break
            else:
                self._waiting.popleft()
        if self._waiting:
            self._next_turn(self._go_on)

    def _told(self, subscriptions: Sequence[Subscription], since: float, why: Why) -> Iterator[None]:
        """Go through them, with a pause wherever one may be made."""
        for subscription in subscriptions:
            if self._concerns(subscription):
                for session in subscription.recipients:
                    # It may have unsubscribed since this began.
                    if session in subscription.subscribers:
                        self._realm.tell_gap(session, subscription.topic, subscription.match, since=since, why=why)
                    yield
            yield

    def _concerns(self, subscription: Subscription) -> bool:
        return any(overlaps(subscription.topic, subscription.match, uri, match) for uri, match in self._topics)
