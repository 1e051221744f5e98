"""One Redis: what comes from there by rules, and what goes there."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Literal

from twisted.internet.defer import Deferred, ensureDeferred, succeed

from wampgate.bridge.outcomes import Outcomes
from wampgate.bridge.redis_sender import RedisSender
from wampgate.bridge.redis_source import RedisSource
from wampgate.bridge.redis_url import parse_redis_url
from wampgate.tls import trust_root_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.internet.base import ReactorBase

    from wampgate.bridge.out import OutRule
    from wampgate.bridge.rules import Rule
    from wampgate.bridge.templates import TopicPattern
    from wampgate.core.histogram import Histogram
    from wampgate.core.interfaces import InterestWatcher, Outlet, Publisher, SessionEnder

Subscribe = Literal["all", "wanted"]
"""Whether a bridge reads all that its rules name, or only what someone here subscribes to."""


class RedisBridge:
    """Publishes what comes on Redis, and sends there what is published, by rules.

    Whatever comes, it never raises and never stops.

    Args:
        reactor: Twisted's.
        name: for the log.
        url: ``redis://`` or ``rediss://``, with user and password if need be.
        rules: what to read and where it goes; see :mod:`wampgate.bridge.dialects`.
        publisher: may publish on :meth:`topics` and nowhere else.
        sessions: ends sessions, for rules with ``disconnects``; None if none may.
        out: what to send.
        subscribe: how much of what the rules name is read; for ``wanted``, :attr:`interest` has to be told.
        interrupted: told that something may have been lost, and since when (in seconds since 1970),
            once the bridge reads again; also if it could not read from its start on.
        ca_file: PEM certificates to trust for ``rediss``; None for the platform's.
        ping_seconds: how often Redis is asked whether it is alive. It is given up
            after twice as long at most.

    Attributes:
        name: as it was given.
        counters: how often what happened; the names stand in ``docs/redis.md``.
        out_counters: the same for the way out.

    Raises:
        ValueError: the URL, the CA file or ping_seconds can't be used.
    """

    kind: Final = "redis"
    """What an operator is told that it is."""

    def __init__(
        self,
        reactor: ReactorBase,
        name: str,
        url: str,
        rules: Sequence[Rule],
        publisher: Publisher,
        *,
        sessions: SessionEnder | None = None,
        out: Sequence[OutRule] = (),
        subscribe: Subscribe = "all",
        interrupted: Callable[[float], None] | None = None,
        ca_file: str | None = None,
        ping_seconds: float = 2.0,
    ) -> None:
        if not 0 < ping_seconds < float("inf"):
            raise ValueError(f"ping_seconds is {ping_seconds}; it is a number of seconds above 0")
        self.name = name
        self.counters: Counter[str] = Counter()
        self.out_counters: Counter[str] = Counter()
        self._rules = tuple(rules)
        address, trust_root = parse_redis_url(url), trust_root_of(ca_file)
        self._source = RedisSource(
            reactor,
            name,
            address,
            self._rules,
            everything=subscribe == "all",
            outcomes=Outcomes(name, publisher, self.counters, sessions),
            interrupted=interrupted or _untold,
            trust_root=trust_root,
            ping_seconds=ping_seconds,
            counters=self.counters,
        )
        self._sender = None
        if out:
            self._sender = RedisSender(
                reactor,
                name,
                address,
                out,
                trust_root=trust_root,
                ping_seconds=ping_seconds,
                counters=self.out_counters,
            )

    @property
    def ready(self) -> bool:
        """Whether what is wanted is read and what is published is sent, now; False while Redis is away."""
        return (not self._rules or self._source.ready) and (self._sender is None or self._sender.ready)

    @property
    def event_seconds(self) -> Histogram:
        """How long messages took from being read to being published; one of sixteen is timed."""
        return self._source.event_seconds

    @property
    def lag_seconds(self) -> float:
        """For how long nothing is read; 0 while it is. What was published meanwhile is lost, and told as a gap."""
        return self._source.lag_seconds if self._rules else 0.0

    @property
    def interest(self) -> InterestWatcher:
        """Has to be told what is subscribed to here, where only what is wanted is read."""
        return self._source.interest

    @property
    def outlet(self) -> Outlet | None:
        """Takes what is published; None if nothing leaves by this bridge."""
        return None if self._sender is None else self._sender.take

    def topics(self) -> list[TopicPattern]:
        """What the rules can publish to, each once."""
        return list(dict.fromkeys(pattern for rule in self._rules for pattern in rule.topics()))

    def start(self, since: float | None = None) -> Deferred[None]:
        """Begin to work; fires at once, whether there is a Redis or not. Never fails.

        Args:
            since: when another bridge ended whose place this one takes, in seconds since 1970: from then on something
                may have been lost; None if none was there.
        """
        if self._rules:
            self._source.start(since)
        if self._sender is not None:
            self._sender.start()
        return succeed(None)

    def stop(self) -> Deferred[None]:
        """Read no more, and send no more than what waits; fires when the connections are closed. Never fails."""
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        await self._source.stop()
        if self._sender is not None:
            await self._sender.stop()


def _untold(_since: float) -> None:
    """Nobody has to be told."""
