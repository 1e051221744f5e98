"""How each topic is treated: what a slow reader of it meets, what is kept of it. The most specific options decide."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

from wampgate.core.matching import covers, overlaps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wampgate.core.decisions import Decision
    from wampgate.core.slow_readers import SlowReaders
    from wampgate.wire.messages import Match

_CACHED: Final = 10_000
"""So many topics' options are kept; clients choose the topics, so the number needs a bound."""


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """What is kept of each topic ("Event History").

    Attributes:
        count: so many events at most.
        bytes: so many bytes of payload, topic and what an event takes besides.
        age_seconds: no longer than this.
        store: where it is kept beside the memory: the name of a history store; empty for nowhere.
        since_membership: whether what predates the asker's membership is hidden from it.
    """

    count: int = 1_000
    bytes: int = 1 << 20
    age_seconds: float = 86_400.0
    store: str = ""
    since_membership: bool = False


@dataclass(frozen=True, slots=True)
class TopicOptions:
    """How the topics of one pattern are treated.

    Attributes:
        uri, match: which topics.
        slow_readers: what a reader meets for which too much waits.
        latest_by: for ``latest``, the keyword argument whose value tells events
            of a topic apart; None if all events of a topic are of one kind.
        history: what is kept of each topic; None for nothing.
        retain: whether a publication may ask to be kept for those who subscribe later.
    """

    uri: str
    match: Match
    slow_readers: SlowReaders = "cut_off"
    latest_by: str | None = None
    history: HistoryOptions | None = None
    retain: bool = True


class Topics:
    """The topic options of one realm."""

    def __init__(self, options: Iterable[TopicOptions] = ()) -> None:
        self._options = tuple(options)
        self._options_by_topic: dict[str, TopicOptions | None] = {}

    def become(self, other: Topics) -> None:
        """Say from now on what other options say: whoever asks these, need not be told of the change."""
        self._options = other._options
        self._options_by_topic.clear()

    def __len__(self) -> int:
        return len(self._options)

    def __iter__(self) -> Iterator[TopicOptions]:
        return iter(self._options)

    def of(self, topic: str) -> TopicOptions | None:
        """The options that decide for a topic; None where none were given.

        Of several that match, those whose pattern is covered by all others'; where
        two overlap and neither covers the other, the first one in the list.
        """
        try:
            return self._options_by_topic[topic]
        except KeyError:
            if len(self._options_by_topic) >= _CACHED:
                self._options_by_topic.clear()
            options = self._options_by_topic[topic] = self._decide(topic)
            return options

    def concerning(self, topic: str, match: Match) -> list[TopicOptions]:
        """The options of any topic that a pattern could match."""
        return [options for options in self._options if overlaps(options.uri, options.match, topic, match)]

    def keep(self, topic: str, match: Match) -> bool:
        """Whether every topic that a pattern could match has a history."""
        if match == "exact":
            options = self.of(topic)
            return options is not None and options.history is not None
        concerned = self.concerning(topic, match)
        # More specific ones decide before those that reach as far as the pattern: they must keep something too.
        return any(
            kept.history is not None
            and covers(kept.uri, kept.match, topic, match)
            and all(other.history is not None or _narrower(kept, other) for other in concerned if other is not kept)
            for kept in concerned
        )

    def since_membership(self, topic: str, match: Match) -> bool:
        """Whether what predates a membership is hidden on any topic that a pattern could match."""
        return any(
            options.history is not None and options.history.since_membership
            for options in self.concerning(topic, match)
        )

    def visible_since(self, topic: str, match: Match, decision: Decision) -> float:
        """What is older than this is hidden from who may subscribe by a decision; seconds since 1970."""
        if decision.since is None or not self.since_membership(topic, match):
            return -inf
        return decision.since

    def _decide(self, topic: str) -> TopicOptions | None:
        matching = [options for options in self._options if covers(options.uri, options.match, topic, "exact")]
        return next((options for options in matching if not any(_narrower(other, options) for other in matching)), None)


def _narrower(one: TopicOptions, other: TopicOptions) -> bool:
    """Whether one pattern is more specific than another."""
    return covers(other.uri, other.match, one.uri, one.match) and not covers(one.uri, one.match, other.uri, other.match)
