"""Where a realm's events come from, and what that forbids: two sources of one topic, and histories with holes."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple, Self

from wampgate.config.bridges import RedisBridge
from wampgate.config.section import Section
from wampgate.config.streams import RedisStreamsBridge, stream_of
from wampgate.config.topics import TopicOptions
from wampgate.core.matching import covers, overlaps
from wampgate.wire.messages import Match


def topics_of_two_sources(bridges: Sequence[Section]) -> str | None:
    """Two sources, one of them a stream, that may publish on the same topic; None if there are none.

    Nobody could say in which order events of two streams came, and what came from
    elsewhere would be missing in a stream that serves as history.
    """
    sources = [source for bridge in bridges for source in _sources(bridge)]
    for one, other in combinations(sources, 2):
        if (one.stream or other.stream) and one.name != other.name and one.meets(other):
            return f"{one.name} and {other.name}, which both may publish on {one.topic}"
    return None


def histories_with_holes(topics: Sequence[TopicOptions], bridges: Sequence[Section]) -> str | None:
    """A history of topics of which a bridge reads nothing while nobody subscribes; None if there is none.

    Such a history would lack events, and say of itself that it is whole.
    """
    for bridge in bridges:
        if isinstance(bridge, RedisBridge) and bridge.subscribe == "wanted":
            for source in _sources(bridge):
                kept = _kept(topics, source)
                if kept is not None:
                    return f"{kept.uri!r} with a history, and {source.name}, which may publish on {source.topic}"
    return None


class _Source(NamedTuple):
    """Whence events come, and the topic or template of topics where they go."""

    name: str
    stream: bool
    topic: str
    match: Match

    def meets(self, other: Self) -> bool:
        """Whether both may publish on the same topic."""
        return overlaps(*self.pattern(), *other.pattern())

    def pattern(self) -> tuple[str, Match]:
        """The topic as a pattern: each variable of a template is one whole component."""
        if "{" not in self.topic:
            return self.topic, self.match
        return ".".join("" if "{" in component else component for component in self.topic.split(".")), "wildcard"


def _sources(bridge: Section) -> Iterator[_Source]:
    name = f"bridge {getattr(bridge, 'name', '')!r}"
    for topic in getattr(bridge, "topics", ()):
        yield _Source(name, False, topic.uri, topic.match)
    for rule in getattr(bridge, "rules", ()):
        stream = isinstance(bridge, RedisStreamsBridge)
        source = f"stream {stream_of(rule)!r} of {name}" if stream else name
        for template in (rule.topic, getattr(rule, "broadcast_topic", None)):
            if template is not None:
                yield _Source(source, stream, template, "exact")


def _kept(topics: Sequence[TopicOptions], source: _Source) -> TopicOptions | None:
    """The options by which a topic of a source has a history; None if none has one."""
    concerned = [options for options in topics if overlaps(options.uri, options.match, *source.pattern())]
    silent = [options for options in concerned if options.history is None and _reach_all(options, source)]
    return next(
        (
            options
            for options in concerned
            if options.history is not None and not any(_decide_before(other, options) for other in silent)
        ),
        None,
    )


def _reach_all(options: TopicOptions, source: _Source) -> bool:
    return covers(options.uri, options.match, *source.pattern())


def _decide_before(one: TopicOptions, other: TopicOptions) -> bool:
    """Whether the first are the more specific ones, which decide."""
    return covers(other.uri, other.match, one.uri, one.match) and not covers(one.uri, one.match, other.uri, other.match)
