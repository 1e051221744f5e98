"""How topics are treated: the sections of router.json for what slow readers meet and what is kept."""

from typing import Annotated, ClassVar, TypeAlias

from msgspec import Meta

from wampgate.config.histories import MEMORY, Age, EventCount, Histories, HistoryBytes, HistoryStoreName
from wampgate.config.section import Check, Section, Unique
from wampgate.config.values import Count
from wampgate.core.slow_readers import SlowReaders
from wampgate.core.uri import is_pattern
from wampgate.wire.messages import Match

Argument: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=256, description="a keyword argument's name, of 1 to 256 characters")
]


class History(Section, frozen=True, kw_only=True):
    """What is kept of each topic, for clients that come back: the newest events, as many as all bounds allow.

    Attributes:
        count: so many events of a topic.
        bytes: so many bytes of a topic; an event counts its payload, its topic and 500 more.
        age_seconds: no longer than this.
        store: where it is kept: ``memory``, which ends with the process, or the name of one of
            the realm's ``history.stores``.
        since_membership: whether what predates a user's membership is hidden from the user.
    """

    count: EventCount = 1_000
    bytes: HistoryBytes = 2**20
    age_seconds: Age = 86_400.0
    store: HistoryStoreName = MEMORY
    since_membership: bool = False


class TopicOptions(Section, frozen=True, kw_only=True):
    """How the topics of one pattern are treated; of several that match, the most specific decides.

    Attributes:
        uri: the topic, or a pattern of topics.
        match: how ``uri`` is to be read.
        slow_readers: what becomes of events that wait for a reader that is too slow:
            ``cut_off``: it is cut off; ``drop``: they are dropped and it is told on
            ``wampgate.gap``; ``latest``: a later one of the same key replaces them.
        latest_by: for ``latest``, the keyword argument whose value is the key; null if
            the topic itself is.
        history: what is kept of each topic; null for nothing.
        retain: whether a publication may ask to be kept for those who subscribe later.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "uri",
            ("uri", "match"),
            "a URI (or pattern) that fits match",
            lambda uri, match: None if is_pattern(uri, match) else f"what is none for {match}",
        ),
        Check(
            "latest_by",
            ("latest_by", "slow_readers"),
            'null unless slow_readers is "latest"',
            lambda name, how: None if name is None or how == "latest" else f'a name beside "{how}"',
        ),
    )

    uri: str
    match: Match = "exact"
    slow_readers: SlowReaders = "cut_off"
    latest_by: Argument | None = None
    history: History | None = None
    retain: bool = True


class Retention(Section, frozen=True, kw_only=True):
    """What the retained events of a realm may take, in memory; beyond a bound the oldest are forgotten.

    Attributes:
        events: so many in all.
        bytes: so many bytes in all; an event counts its payload, its topic and 500 more.
        events_per_publisher: so many of one authid, or of one address where nobody has a name.
        bytes_per_publisher: so many bytes of one authid, likewise.
        age_seconds: no longer than this; null for as long as the bounds let it.
        events_per_subscribe: so many, the newest, for one SUBSCRIBE with a pattern.
        bytes_per_subscribe: so many bytes of them, but at least one event.
    """

    events: Count = 10_000
    bytes: HistoryBytes = 2**26
    events_per_publisher: Count = 1_000
    bytes_per_publisher: HistoryBytes = 2**23
    age_seconds: Age | None = None
    events_per_subscribe: Count = 100
    bytes_per_subscribe: HistoryBytes = 2**18


Options: TypeAlias = Annotated[
    tuple[TopicOptions, ...], Meta(description="a list of topic options", extra={"unique": Unique(("uri", "match"))})
]


def unknown_history_store(topics: tuple[TopicOptions, ...], histories: Histories) -> str | None:
    """Which history store a topic names that there isn't; None if there are all."""
    known = {MEMORY, *(store.name for store in histories.stores)}
    unknown = [
        topic.history.store for topic in topics if topic.history is not None and topic.history.store not in known
    ]
    return unknown[0] if unknown else None
