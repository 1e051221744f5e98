"""One Redis, its rules, and the publisher that they speak through."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from wampgate.bridge.decoding import MAX_SIZE
from wampgate.bridge.redis_source import RedisSource
from wampgate.bridge.redis_url import parse_redis_url
from wampgate.bridge.rules import BridgedEvent, Dropped, Undecodable
from wampgate.core.errors import RequestRefused
from wampgate.tls import trust_root_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twisted.internet.base import ReactorBase

    from wampgate.bridge.rules import RedisSubscription, Rule
    from wampgate.bridge.templates import TopicPattern
    from wampgate.core.interfaces import Publisher

_SHOWN: Final = 100
"""How many characters of a channel's name a log line shows."""

log = Logger()


class RedisBridge:
    """Publishes what comes on Redis, by rules. Whatever comes, it never raises and never stops.

    Args:
        reactor: Twisted's.
        name: for the log.
        url: ``redis://`` or ``rediss://``, with user and password if need be.
        rules: what to read and where it goes; see :mod:`wampgate.bridge.dialects`.
        publisher: may publish on :meth:`topics` and nowhere else.
        ca_file: PEM certificates to trust for ``rediss``; None for the platform's.
        ping_seconds: how often Redis is asked whether it is alive. It is given up
            after twice as long at most.

    Attributes:
        counters: how often what happened; the names stand in ``docs/redis.md``.

    Raises:
        ValueError: the URL, the CA file or ping_seconds can't be used.
    """

    def __init__(
        self,
        reactor: ReactorBase,
        name: str,
        url: str,
        rules: Sequence[Rule],
        publisher: Publisher,
        *,
        ca_file: str | None = None,
        ping_seconds: float = 2.0,
    ) -> None:
        if not 0 < ping_seconds < float("inf"):
            raise ValueError(f"ping_seconds is {ping_seconds}; it is a number of seconds above 0")
        self.counters: Counter[str] = Counter()
        self._name = name
        self._rules = tuple(rules)
        self._publisher = publisher
        self._logged: set[tuple[str, str]] = set()
        self._rules_by_subscription = _by_subscription(self._rules)
        self._source = RedisSource(
            reactor,
            name,
            parse_redis_url(url),
            list(_subscriptions(self._rules)),
            self._received,
            trust_root=trust_root_of(ca_file),
            ping_seconds=ping_seconds,
            counters=self.counters,
        )

    @property
    def ready(self) -> bool:
        """Whether every rule's channels are subscribed to, now; False while Redis is away."""
        return self._source.ready

    def topics(self) -> list[TopicPattern]:
        """What the rules can publish to: ``(uri, "exact")`` or ``(prefix, "prefix")``, each once."""
        return list(dict.fromkeys(pattern for rule in self._rules for pattern in rule.topics()))

    def start(self) -> Deferred[None]:
        """Begin to read; fires at once, whether there is a Redis or not. Never fails."""
        self._source.start()
        return succeed(None)

    def stop(self) -> Deferred[None]:
        """Read no more; fires when the connection is closed. Never fails."""
        return self._source.stop()

    def _received(self, name: bytes, pattern: bool, channel: bytes, message: bytes) -> None:
        self.counters["received"] += 1
        for rule in self._rules_by_subscription.get((name, pattern), ()):
            try:
                self._translate(rule, channel.decode(), message)
            except UnicodeDecodeError:
                self._drop(rule, Dropped("channel_mismatch", "the channel is not UTF-8"), channel)
            except Undecodable as error:
                self._drop(rule, error.dropped, channel)
            except Exception:  # noqa: BLE001 - our own fault; one message must not take the bridge down
                self._fail(rule)

    def _translate(self, rule: Rule, channel: str, message: bytes) -> None:
        if len(message) > MAX_SIZE:
            raise Undecodable("too_large", f"more than {MAX_SIZE >> 20} MiB")
        for outcome in rule.translate(channel, message):
            if isinstance(outcome, BridgedEvent):
                self._publish(outcome)
            else:
                self._drop(rule, outcome, channel.encode())

    def _publish(self, event: BridgedEvent) -> None:
        try:
            self._publisher.publish(event.topic, event.args, event.kwargs)
        except RequestRefused as error:
            raise Undecodable("refused", f"the router refused to publish: {error}") from None
        self.counters["published"] += 1

    def _drop(self, rule: Rule, dropped: Dropped, channel: bytes) -> None:
        self.counters[dropped.kind] += 1
        if self._is_first(rule, dropped.kind):
            log.warn(
                "bridge {name}: {rule}: dropped a message on {channel!r}: {detail}. "
                "More of this kind ({kind}) are counted, not logged.",
                name=self._name,
                rule=rule.label,
                channel=channel.decode(errors="backslashreplace")[:_SHOWN],
                detail=dropped.detail,
                kind=dropped.kind,
            )

    def _fail(self, rule: Rule) -> None:
        self.counters["failed"] += 1
        if self._is_first(rule, "failed"):
            log.failure("bridge {name}: {rule}: a message could not be handled", name=self._name, rule=rule.label)

    def _is_first(self, rule: Rule, kind: str) -> bool:
        key = (rule.label, kind)
        if key in self._logged:
            return False
        self._logged.add(key)
        return True


def _subscriptions(rules: Iterable[Rule]) -> dict[RedisSubscription, None]:
    """What to subscribe to, each once and in the rules' order."""
    return dict.fromkeys(subscription for rule in rules for subscription in rule.subscriptions())


def _by_subscription(rules: Iterable[Rule]) -> dict[tuple[bytes, bool], list[Rule]]:
    rules_by_subscription: dict[tuple[bytes, bool], list[Rule]] = {}
    for rule in rules:
        for name, pattern in rule.subscriptions():
            rules_by_subscription.setdefault((name.encode(), pattern), []).append(rule)
    return rules_by_subscription
