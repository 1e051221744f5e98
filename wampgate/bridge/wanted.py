"""What to read on Redis: everything that rules read, or only what someone here subscribes to. Without I/O.

A rule has *wide* subscriptions, by which it reads all its channels (mostly one
pattern), and for each topic the *narrow* ones that may carry its events. Who
subscribes to a topic wants the narrow ones; a pattern that reaches into the
rule's topics takes the wide ones, for there is no telling what it will match.
Disconnects are read in any case: they may be for someone who subscribes to nothing.

While a rule's wide subscriptions are in force, what comes by its narrow ones
comes a second time, and is left aside. As Redis confirms each subscription's
beginning and end in one sequence with the messages, no message is left out and
none is taken twice, whenever the change comes.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from wampgate.bridge.rules import SubscriptionKind
from wampgate.core.matching import overlaps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from wampgate.bridge.rules import RedisSubscription, Rule
    from wampgate.wire.messages import Match

LINGER_SECONDS: Final = 10.0
"""So long a subscription in Redis outlives its last use: clients that reconnect find it there."""


class _Reading:
    """One rule, and which of its wide subscriptions bring it messages now."""

    __slots__ = ("in_force", "rule", "wide")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.wide = frozenset(rule.subscriptions())
        self.in_force: set[RedisSubscription] = set()

    @property
    def all_in_force(self) -> bool:
        return bool(self.wide) and len(self.in_force) == len(self.wide)


class Wanted:
    """The subscriptions that a bridge's rules need now.

    Args:
        rules: the bridge's.
        everything: whether all that the rules read is wanted, whoever subscribes here.
        now: a monotonic clock, in seconds.
        changed: told when :meth:`take_changes` has something, or will have in :data:`LINGER_SECONDS`.
        unreadable: told of a pattern of topics that can't be read in full: sharded channels have
            no patterns, so of them only those of exact topics are read.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        everything: bool,
        now: Callable[[], float],
        changed: Callable[[], None],
        unreadable: Callable[[Rule, str], None] = lambda _rule, _pattern: None,
    ) -> None:
        self._now = now
        self._changed = changed
        self._unreadable = unreadable
        self._readings = [_Reading(rule) for rule in rules]
        self._uses: Counter[tuple[RedisSubscription, int]] = Counter()
        # When the uses that have ended are forgotten; the one that ended first stands first.
        self._idle: dict[tuple[RedisSubscription, int], float] = {}
        self._readers: dict[RedisSubscription, list[int]] = {}
        self._added: dict[RedisSubscription, None] = {}
        self._removed: dict[RedisSubscription, None] = {}
        self._asked: set[RedisSubscription] = set()
        # Whom a subscription brings messages. Changes only when Redis confirms something of it: one
        # publication may come by several subscriptions, and no change may fall between.
        self._routes: dict[tuple[SubscriptionKind, bytes], list[tuple[_Reading, bool]]] = {}
        for index, rule in enumerate(rules):
            self._use(index, rule.subscriptions() if everything else rule.controls())

    # --- what is subscribed to here ---

    def begun(self, topic: str, match: Match) -> None:
        """See :meth:`wampgate.core.interfaces.InterestWatcher.begun`."""
        for index, subscriptions in self._needs(topic, match):
            self._use(index, subscriptions)

    def ended(self, topic: str, match: Match) -> None:
        """See :meth:`wampgate.core.interfaces.InterestWatcher.ended`."""
        for index, subscriptions in self._needs(topic, match):
            self._release(index, subscriptions)

    def _needs(self, topic: str, match: Match) -> Iterable[tuple[int, Sequence[RedisSubscription]]]:
        for index, reading in enumerate(self._readings):
            rule = reading.rule
            if match == "exact":
                yield index, rule.subscriptions_for(topic)
            elif any(overlaps(topic, match, uri, its_match) for uri, its_match in rule.topics()):
                yield index, rule.subscriptions()
                if _is_sharded(rule):
                    self._unreadable(rule, topic)

    def _use(self, index: int, subscriptions: Iterable[RedisSubscription]) -> None:
        for subscription in subscriptions:
            use = (subscription, index)
            self._uses[use] += 1
            if self._uses[use] == 1 and self._idle.pop(use, None) is None:
                self._read(subscription, index)

    def _release(self, index: int, subscriptions: Iterable[RedisSubscription]) -> None:
        for subscription in subscriptions:
            use = (subscription, index)
            self._uses[use] -= 1
            if not self._uses[use]:
                del self._uses[use]
                self._idle[use] = self._now() + LINGER_SECONDS
                self._changed()

    # --- what is read for it ---

    def _read(self, subscription: RedisSubscription, index: int) -> None:
        self._readers.setdefault(subscription, []).append(index)
        self._removed.pop(subscription, None)
        # Asked for again, it is confirmed again, and that is when its new reader begins.
        self._added[subscription] = None
        self._changed()

    def _unread(self, subscription: RedisSubscription, index: int) -> None:
        readers = self._readers[subscription]
        readers.remove(index)
        if readers:
            self._added[subscription] = None
            return
        del self._readers[subscription]
        self._added.pop(subscription, None)
        if subscription in self._asked:
            self._removed[subscription] = None

    def subscriptions(self) -> Sequence[RedisSubscription]:
        """All that is to be read now, for a new connection, on which nothing is in force yet."""
        self._added.clear()
        self._removed.clear()
        self._routes.clear()
        for reading in self._readings:
            reading.in_force.clear()
        self._asked = set(self._readers)
        return list(self._readers)

    def take_changes(self) -> tuple[Sequence[RedisSubscription], Sequence[RedisSubscription]]:
        """What is to be read besides, and what no more, since this or :meth:`subscriptions` was asked last.

        The first has to reach Redis before the second.
        """
        now = self._now()
        while self._idle:
            use = next(iter(self._idle))
            if self._idle[use] > now:
                break
            del self._idle[use]
            self._unread(*use)
        added, removed = list(self._added), list(self._removed)
        self._asked.update(added)
        self._asked.difference_update(removed)
        self._added.clear()
        self._removed.clear()
        return added, removed

    def next_expiry(self) -> float | None:
        """When :meth:`take_changes` has to be asked next, by the clock; None if time brings nothing."""
        return next(iter(self._idle.values()), None)

    # --- what comes ---

    def confirmed(self, subscription: RedisSubscription, begins: bool) -> None:
        """Redis says that a subscription begins or ends, here in the sequence of its messages."""
        key = (subscription.kind, subscription.name.encode(errors="surrogateescape"))
        for reading, _ in self._routes.pop(key, ()):
            reading.in_force.discard(subscription)
        readers = self._readers.get(subscription)
        if not begins or not readers:
            return
        # No pattern brings what is sent to a sharded channel.
        alone = subscription.kind == SubscriptionKind.SHARDED
        route = self._routes[key] = []
        for reading in (self._readings[index] for index in sorted(readers)):
            is_wide = subscription in reading.wide
            if is_wide:
                reading.in_force.add(subscription)
            route.append((reading, alone or is_wide))

    def rules_for(self, kind: SubscriptionKind, name: bytes) -> list[Rule]:
        """The rules that a message is for, by the subscription by which it came."""
        return [
            reading.rule for reading, surely in self._routes.get((kind, name), ()) if surely or not reading.all_in_force
        ]


def _is_sharded(rule: Rule) -> bool:
    subscriptions = rule.subscriptions()
    return not subscriptions or any(kind == SubscriptionKind.SHARDED for _, kind in subscriptions)
