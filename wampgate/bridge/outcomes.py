"""What becomes of messages: events are published, sessions ended, and all else is counted and logged once per kind."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from twisted.logger import Logger

from wampgate.bridge.decoding import MAX_SIZE
from wampgate.bridge.rules import BridgedEvent, BridgedKill, Dropped, Undecodable
from wampgate.core.errors import RequestRefused
from wampgate.wire.messages import MAX_ID

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Mapping

    from wampgate.bridge.rules import Outcome, Publishing, Rule, StreamRule
    from wampgate.core.interfaces import Publisher, SessionEnder

_SHOWN: Final = 100
"""How many characters of a channel's name a log line shows."""

log = Logger()


class Outcomes:
    """Hands on what rules make of messages. Whatever comes, it never raises.

    Args:
        name: the bridge's, for the log.
        publisher: may publish on the rules' topics and nowhere else.
        counters: how often what happened; the names stand in ``docs/redis.md``.
        sessions: ends sessions; None if no rule may.
    """

    def __init__(
        self, name: str, publisher: Publisher, counters: Counter[str], sessions: SessionEnder | None = None
    ) -> None:
        self._name = name
        self._publisher = publisher
        self._counters = counters
        self._sessions = sessions
        self._logged: set[tuple[str, str]] = set()

    def take(self, rule: Rule, channel: bytes, message: bytes) -> Dropped | None:
        """Hand on what a rule makes of a message of pub/sub.

        Args:
            rule: the rule.
            channel: where it came.
            message: its bytes, of any length.

        Returns:
            Why nothing was made of it, if it is poison; else None.
        """

        def translate() -> Iterable[Outcome]:
            if len(message) > MAX_SIZE:
                raise _too_large()
            return rule.translate(_text(channel), message)

        return self._take(rule, channel, translate, None)

    def take_entry(
        self, rule: StreamRule, stream: str, fields: Mapping[bytes, bytes], publication: int | None = None
    ) -> Dropped | None:
        """Hand on what a rule makes of an entry of a stream.

        Args:
            rule: the rule.
            stream: the stream's key.
            fields: the entry's.
            publication: the publication id of the entry's first event; the further
                ones get those of :func:`following_publication`. None for random ones.

        Returns:
            Why nothing was made of it, or why an event of it was refused, if it is poison; else None.
        """

        def translate() -> Iterable[Outcome]:
            if sum(map(len, fields)) + sum(map(len, fields.values())) > MAX_SIZE:
                raise _too_large()
            return rule.translate_entry(stream, fields)

        return self._take(rule, stream.encode(), translate, publication)

    def _take(
        self, rule: Publishing, source: bytes, translate: Callable[[], Iterable[Outcome]], publication: int | None
    ) -> Dropped | None:
        poison: Dropped | None = None
        try:
            events = 0
            for outcome in translate():
                if isinstance(outcome, BridgedEvent):
                    poison = self._publish(rule, source, outcome, _nth(publication, events)) or poison
                    events += 1
                elif isinstance(outcome, BridgedKill):
                    self._kill(rule, source, outcome)
                else:
                    self.drop(rule, outcome, source)
        except Undecodable as error:
            poison = error.dropped
            self.drop(rule, poison, source)
        except Exception:  # noqa: BLE001 - our own fault; one message must not take the bridge down
            poison = self._fail(rule)
        return poison

    def _publish(self, rule: Publishing, source: bytes, event: BridgedEvent, publication: int | None) -> Dropped | None:
        try:
            self._publisher.publish(
                event.topic,
                event.args,
                event.kwargs,
                exclude=event.exclude,
                exclude_subscribers=event.exclude_subscribers,
                publication=publication,
                encoded=event.encoded,
            )
        except RequestRefused as error:
            refused = Dropped("refused", f"the router refused to publish: {error}")
            self.drop(rule, refused, source)
            return refused
        self._counters["published"] += 1
        return None

    def _kill(self, rule: Publishing, source: bytes, kill: BridgedKill) -> None:
        if self._sessions is None:
            self.drop(rule, Dropped("disconnect_ignored", "this bridge may not end sessions"), source)
            return
        if kill.subscribers is not None:
            ended = self._sessions.end_subscribers(*kill.subscribers)
        elif kill.user is not None:
            ended = self._sessions.end("user", kill.user)
        else:
            ended = self._sessions.end("session", str(kill.session))
        self._counters["killed"] += ended
        log.info(
            "bridge {name}: {rule}: a disconnect ended {ended} sessions", name=self._name, rule=rule.label, ended=ended
        )

    def drop(self, rule: Publishing, dropped: Dropped, source: bytes) -> None:
        """Count what was not handed on, and log the first of its kind.

        Args:
            rule: whose it was.
            dropped: what and why.
            source: the channel or stream.
        """
        self._counters[dropped.kind] += 1
        if self._is_first(rule, dropped.kind):
            log.warn(
                "bridge {name}: {rule}: dropped a message on {source!r}: {detail}. "
                "More of this kind ({kind}) are counted, not logged.",
                name=self._name,
                rule=rule.label,
                source=source.decode(errors="backslashreplace")[:_SHOWN],
                detail=dropped.detail,
                kind=dropped.kind,
            )

    def _fail(self, rule: Publishing) -> Dropped:
        self._counters["failed"] += 1
        if self._is_first(rule, "failed"):
            log.failure("bridge {name}: {rule}: a message could not be handled", name=self._name, rule=rule.label)
        return Dropped("failed", "a fault of wampgate's own; the log has the details")

    def _is_first(self, rule: Publishing, kind: str) -> bool:
        key = (rule.label, kind)
        if key in self._logged:
            return False
        self._logged.add(key)
        return True


def following_publication(publication: int, index: int) -> int:
    """The publication id of an entry's event: the same on every node and each time the entry is read.

    Args:
        publication: that of the entry's first event.
        index: which event of the entry, from 0; 0 is ``publication`` itself.
    """
    if not index:
        return publication
    digest = blake2b(f"{publication} {index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % MAX_ID + 1


def _nth(publication: int | None, index: int) -> int | None:
    return None if publication is None else following_publication(publication, index)


def _text(channel: bytes) -> str:
    try:
        return channel.decode()
    except UnicodeDecodeError:
        raise Undecodable("channel_mismatch", "the channel is not UTF-8") from None


def _too_large() -> Undecodable:
    return Undecodable("too_large", f"more than {MAX_SIZE >> 20} MiB")
