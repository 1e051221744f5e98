"""Reads from one Redis by pub/sub what is wanted, as long as there is one.

What is published while there is no connection is lost, as is the way of Redis
pub/sub; ``ready`` tells when, and ``interrupted`` afterwards.
"""

from __future__ import annotations

from time import monotonic, time
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger

from wampgate.bridge.redis_link import RedisLink
from wampgate.bridge.redis_subscriber import RedisSubscriber
from wampgate.bridge.wanted import Wanted
from wampgate.core.histogram import Histogram

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from twisted.internet.base import DelayedCall, ReactorBase

    from wampgate.bridge.outcomes import Outcomes
    from wampgate.bridge.redis_url import RedisAddress
    from wampgate.bridge.rules import Rule, SubscriptionKind
    from wampgate.core.interfaces import InterestWatcher
    from wampgate.tls import TrustRoot

_TIMED: Final = 15
"""The first of every sixteen messages is timed."""

_BOUNDS: Final = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1.0)
"""From ten microseconds on: pub/sub tells no time of publication, so that this is the router's own share alone."""

log = Logger()


class RedisSource:
    """Messages from one Redis.

    Args:
        reactor: Twisted's.
        name: the bridge's, for the log.
        address: where Redis is.
        rules: what to read.
        everything: whether all of it is read; else only what :attr:`interest` is told of.
        outcomes: takes each message.
        interrupted: told that messages may have been lost, and since when (in seconds since 1970), once
            the source reads again.
        trust_root: whose certificates to trust, for ``rediss``.
        ping_seconds: how often to ask whether Redis is alive; it has as long to answer.
        counters: what happens to the connection is counted here.

    Attributes:
        event_seconds: how long messages took from being read to being handed on; one of sixteen is timed.

    Raises:
        ValueError: the address can't be connected to with TLS.
    """

    def __init__(
        self,
        reactor: ReactorBase,
        name: str,
        address: RedisAddress,
        rules: Sequence[Rule],
        *,
        everything: bool,
        outcomes: Outcomes,
        interrupted: Callable[[float], None],
        trust_root: TrustRoot,
        ping_seconds: float,
        counters: Counter[str],
    ) -> None:
        self._reactor = reactor
        self._name = name
        self._rules = rules
        self._outcomes = outcomes
        self._interrupted = interrupted
        self._counters = counters
        self.event_seconds = Histogram(_BOUNDS)
        self._link = RedisLink(
            reactor,
            name,
            address,
            self,
            what="reading from",
            loss="What is published there meanwhile is lost",
            trust_root=trust_root,
            ping_seconds=ping_seconds,
            counters=counters,
        )
        self._connection: RedisSubscriber | None = None
        self._heard_at = time()
        self._timer: DelayedCall | None = None
        self._wanted = Wanted(
            rules, everything=everything, now=reactor.seconds, changed=self._changed, unreadable=self._unreadable
        )

    @property
    def ready(self) -> bool:
        """Whether what was wanted when the connection came is read, now."""
        return self._link.ready

    @property
    def lag_seconds(self) -> float:
        """For how long nothing was heard, while nothing is read; 0 while it is."""
        return 0.0 if self.ready else max(0.0, time() - self._heard_at)

    @property
    def interest(self) -> InterestWatcher:
        """Is to be told what is subscribed to here."""
        return self._wanted

    def start(self, since: float | None = None) -> None:
        """Begin to read. Does nothing if that was done.

        Args:
            since: from when on something may have been missed, in seconds since 1970; None for this moment.
        """
        self._heard_at = time() if since is None else since
        self._link.start()

    def stop(self) -> Deferred[None]:
        """Read no more; fires when all is at rest."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return self._link.stop()

    # --- the connection's user ---

    def connection(self) -> RedisSubscriber:
        """See :meth:`wampgate.bridge.redis_link.User.connection`."""
        granted = {f"&{name}" for rule in self._rules for name, _ in rule.subscriptions()}
        return RedisSubscriber(self._received, self._wanted.confirmed, sorted(granted))

    async def prepare(self, connection: RedisSubscriber) -> None:
        """See :meth:`wampgate.bridge.redis_link.User.prepare`."""
        subscriptions = self._wanted.subscriptions()
        if subscriptions:
            await connection.subscribe(subscriptions)
        else:
            await connection.greet()

    def came(self, connection: RedisSubscriber) -> None:
        """See :meth:`wampgate.bridge.redis_link.User.came`."""
        self._connection = connection
        self._changed()
        self._interrupted(self._heard_at)

    def went(self, connection: RedisSubscriber) -> None:
        """See :meth:`wampgate.bridge.redis_link.User.went`."""
        self._connection = None
        self._heard_at = connection.heard_at

    # --- what is wanted ---

    def _unreadable(self, rule: Rule, pattern: str) -> None:
        self._counters["unreadable_pattern"] += 1
        if self._counters["unreadable_pattern"] == 1:
            log.warn(
                "bridge {name}: {rule}: someone subscribes to the pattern {pattern!r}. Sharded channels have no "
                "patterns: of this rule, only those of topics that are subscribed to exactly are read.",
                name=self._name,
                rule=rule.label,
                pattern=pattern,
            )

    def _changed(self) -> None:
        # Those who subscribe in one turn are read for by one command.
        self._wake(0.0)

    def _wake(self, seconds: float) -> None:
        if self._connection is None:
            return
        due = self._reactor.seconds() + seconds
        if self._timer is not None:
            if self._timer.getTime() <= due:
                return
            self._timer.cancel()
        self._timer = self._reactor.callLater(seconds, self._follow)

    def _follow(self) -> None:
        """Bring Redis' subscriptions in line with what is wanted."""
        self._timer = None
        connection = self._connection
        if connection is None:
            return
        added, removed = self._wanted.take_changes()
        if added:
            ensureDeferred(self._sent(connection, connection.subscribe(added)))
        if removed:
            ensureDeferred(self._sent(connection, connection.unsubscribe(removed)))
        expiry = self._wanted.next_expiry()
        if expiry is not None:
            self._wake(max(0.0, expiry - self._reactor.seconds()))

    async def _sent(self, connection: RedisSubscriber, answered: object) -> None:
        try:
            await answered  # type: ignore[misc]  # a coroutine
        except Exception as error:  # noqa: BLE001 - whatever it is, what is read is no longer what is wanted
            connection.abort(str(error) or type(error).__name__)

    def _received(self, kind: SubscriptionKind, name: bytes, channel: bytes, message: bytes) -> None:
        counters = self._counters
        counters["received"] += 1
        # One of so many is timed: two looks at the clock for each would be seen in what a message costs.
        begun = monotonic() if counters["received"] & _TIMED == 1 else 0.0
        for rule in self._wanted.rules_for(kind, name):
            self._outcomes.take(rule, channel, message)
        if begun:
            self.event_seconds.observe(monotonic() - begun)
