"""Recovering equals a naive memory: random publications, lists, ages, evictions, patterns and positions."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.core import stored_events
from wampgate.core.history import History, HistoryBounds
from wampgate.core.matching import covers
from wampgate.core.recipients import narrowing
from wampgate.core.stored_events import OVERHEAD
from wampgate.core.topics import HistoryOptions, TopicOptions, Topics
from wampgate.wire.messages import PublishOptions
from wampgate.wire.payload import Payload
from wampgate.wire.serializers import CBOR, JSON, MSGPACK

if TYPE_CHECKING:
    from wampgate.wire.messages import Match

TOPICS = ("org.1", "org.1.a", "org.1.b", "org.2.a", "com.x")
PATTERNS: tuple[tuple[str, Match], ...] = (
    *((topic, "exact") for topic in TOPICS),
    ("org.", "prefix"),
    ("org.1", "prefix"),
    ("", "prefix"),
    ("org..a", "wildcard"),
    ("..", "wildcard"),
    ("com.x", "wildcard"),
)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def history_of(*options: TopicOptions, clock: Clock | None = None, bounds: HistoryBounds | None = None) -> History:
    return History(Topics(options), now=clock or Clock(), bounds=bounds or HistoryBounds(), epoch="e")


def kept(uri: str = "", match: Match = "prefix", **history: Any) -> TopicOptions:
    return TopicOptions(uri, match, history=HistoryOptions(**history))


def take(history: History, topic: str, publication: int, options: PublishOptions, payload: Payload) -> None:
    """As the broker does."""
    kept = history.options(topic)
    if kept is not None:
        history.published(None, topic, publication, options, payload, kept=kept)


def publish(history: History, topic: str, publication: int, *args: Any, **options: Any) -> None:
    take(history, topic, publication, PublishOptions(**options), Payload(args))


def publications(history: History, topic: str, match: Match, after: int | None, epoch: str | None = None) -> Any:
    window = history.window(topic, match)
    sequence = window.position(after, epoch)
    return None if sequence is None else [event.publication for event in window.after(sequence)]


# --- the oracle ---


@dataclass
class Entry:
    topic: str
    publication: int
    at: float
    size: int
    kept: bool = True


@dataclass
class Oracle:
    """Every event that ever was, in order; what is not kept any more is marked. Nothing is clever here."""

    count: int
    bytes: int
    age: float
    entries: list[Entry] = field(default_factory=list)

    def publish(self, topic: str, publication: int, now: float, size: int) -> None:
        self.entries.append(Entry(topic, publication, now, size))
        self.trim(now, (topic,))

    def trim(self, now: float, topics: tuple[str, ...]) -> None:
        for topic in topics:
            mine = [entry for entry in self.entries if entry.topic == topic and entry.kept]
            while mine and (
                len(mine) > self.count or sum(entry.size for entry in mine) > self.bytes or mine[0].at < now - self.age
            ):
                mine.pop(0).kept = False

    def recover(self, topic: str, match: Match, after: int | None) -> list[int] | None:
        """What follows a position, None if any of it is gone; None as position is the very beginning."""
        matching = [entry for entry in self.entries if covers(topic, match, entry.topic, "exact")]
        begin = 0
        if after is not None:
            places = [place for place, entry in enumerate(matching) if entry.publication == after]
            if not places:
                return None
            begin = places[0] + 1
        if all(entry.kept for entry in matching[begin:]):
            return [entry.publication for entry in matching[begin:]]
        return None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from(TOPICS), st.integers(0, 60)),
        st.tuples(st.just("twice"), st.sampled_from(TOPICS), st.sampled_from(TOPICS)),
        st.tuples(st.just("wait"), st.integers(1, 40), st.none()),
        st.tuples(st.just("recover"), st.sampled_from(PATTERNS), st.integers(-1, 40)),
    ),
    max_size=60,
)


@given(steps=STEPS, count=st.integers(1, 6), room=st.integers(1, 5))
def test_recovering_equals_the_oracle(steps: list[Any], count: int, room: int) -> None:
    clock = Clock()
    limit = room * (OVERHEAD + 40)
    history = history_of(kept(count=count, bytes=limit, age_seconds=60.0), clock=clock)
    oracle = Oracle(count, limit, 60.0)
    number = 0
    for kind, what, more in steps:
        if kind == "publish":
            number += 1
            payload = Payload(["x" * more])
            take(history, what, number, PublishOptions(), payload)
            oracle.publish(what, number, clock.now, sum(map(len, payload.parts(MSGPACK))) + len(what) + OVERHEAD)
        elif kind == "twice" and what != more:
            # One publication to several topics, as a bridge's entry for several rooms makes.
            number += 1
            for topic in (what, more):
                publish(history, topic, number)
                oracle.publish(topic, number, clock.now, 1 + len(topic) + OVERHEAD)
        elif kind == "wait":
            clock.now += what
        elif kind == "recover":
            (topic, match), back = what, more
            oracle.trim(clock.now, tuple(uri for uri in TOPICS if covers(topic, match, uri, "exact")))
            after = None if back < 0 else number - back
            found = publications(history, topic, match, after, "e")
            right = oracle.recover(topic, match, after)
            # Never a part of it: an answer is the whole, and a position is only given up for a reason.
            if found is not None:
                assert found == right
            elif right is not None:
                assert after is not None
                assert is_gone(oracle, topic, match, after)


def is_gone(oracle: Oracle, topic: str, match: Match, after: int) -> bool:
    """Whether the position itself was trimmed from its topics, by an event that is not the last one gone there."""
    return all(
        not entry.kept
        for entry in oracle.entries
        if entry.publication == after and covers(topic, match, entry.topic, "exact")
    )


@given(st.lists(st.sampled_from(TOPICS), max_size=40), st.integers(1, 4))
def test_whatever_is_evicted_nothing_is_missing_in_silence(topics: list[str], places: int) -> None:
    history = history_of(kept(), bounds=HistoryBounds(topics=places))
    done: list[tuple[str, int]] = []
    for number, topic in enumerate(topics, 1):
        publish(history, topic, number)
        done.append((topic, number))
        assert len(history) <= places
        for pattern, match in PATTERNS:
            matching = [(uri, event) for uri, event in done if covers(pattern, match, uri, "exact")]
            for place, (_, after) in enumerate(matching):
                found = publications(history, pattern, match, after)
                assert found in (None, [event for _, event in matching[place + 1 :]])
    # What was published last is always there.
    for topic, number in done[-1:]:
        assert publications(history, topic, "exact", number) == []


# --- single promises ---


def test_the_position_is_any_kept_event() -> None:
    history = history_of(kept())
    for number in range(1, 6):
        publish(history, "a", number)
    assert publications(history, "a", "exact", 3) == [4, 5]
    assert publications(history, "a", "exact", 5) == []
    assert publications(history, "a", "exact", 6) is None
    assert publications(history, "b", "exact", 3) is None


def test_the_last_event_that_went_is_still_a_position() -> None:
    clock = Clock()
    history = history_of(kept(age_seconds=10), clock=clock)
    publish(history, "a", 1)
    publish(history, "a", 2)
    clock.now += 11
    # A topic that was quiet for long has lost nothing that its reader lacks.
    assert publications(history, "a", "exact", 2) == []
    assert publications(history, "a", "exact", 1) is None
    publish(history, "a", 3)
    assert publications(history, "a", "exact", 2) == [3]


def test_an_epoch_stands_for_its_beginning_until_something_is_gone() -> None:
    history = history_of(kept(count=2))
    assert publications(history, "a", "exact", None, "e") == []
    publish(history, "a", 1)
    publish(history, "a", 2)
    assert publications(history, "a", "exact", None, "e") == [1, 2]
    assert publications(history, "a", "exact", None, "another") is None
    assert publications(history, "a", "exact", None, "e+e") is None
    assert publications(history, "a", "exact", None) is None
    publish(history, "a", 3)
    assert publications(history, "a", "exact", None, "e") is None


def test_a_pattern_that_reaches_topics_without_history_is_never_whole() -> None:
    history = history_of(kept("org.", "prefix"), TopicOptions("org.secret", "exact"), kept("org.a.", "prefix"))
    publish(history, "org.a.x", 1)
    publish(history, "org.b", 2)
    assert publications(history, "org.a.", "prefix", 1) == []
    assert publications(history, "org.", "prefix", 1) is None
    assert publications(history, "", "prefix", 1) is None
    assert publications(history, "org..x", "wildcard", 1) == []


def test_a_hole_in_one_topic_is_a_hole_in_the_pattern() -> None:
    history = history_of(kept(count=1))
    publish(history, "org.a", 1)
    publish(history, "org.b", 2)
    publish(history, "org.b", 3)
    assert publications(history, "org.a", "exact", 1) == []
    assert publications(history, "org.", "prefix", 1) is None
    assert publications(history, "org.", "prefix", 2) == [3]


@pytest.mark.parametrize("options", [{"exclude": [1]}, {"eligible": [1]}, {"eligible": []}])
def test_what_is_for_single_sessions_is_not_kept(options: dict[str, Any]) -> None:
    history = history_of(kept())
    publish(history, "a", 1, **options)
    assert len(history) == 0


def test_lists_that_hold_for_sessions_to_come_are_kept() -> None:
    history = history_of(kept())
    publish(history, "a", 1, exclude_authid=["joe"], eligible_authrole=["member"], exclude=[], acknowledge=True)
    (event,) = history.window("a", "exact").backwards()
    assert event.audience == PublishOptions(exclude_authid=["joe"], eligible_authrole=["member"])


@pytest.mark.parametrize(
    "options",
    [
        {"exclude_authid": ["x" * 100_000]},
        {"eligible_authrole": ["x"] * 1_000},
        {"ppt_scheme": "x_own", "ppt_keyid": "x" * 100_000},
        {"enc_algo": "cryptobox", "enc_key": "x" * 100_000},
    ],
    ids=lambda options: next(iter(options)),
)
def test_whatever_a_publisher_chooses_counts(options: dict[str, Any]) -> None:
    """Else a history would keep a thousand lists of a megabyte and call it 500 bytes each."""
    history = history_of(kept(bytes=250_000))
    for publication in range(10):
        publish(history, "a", publication, **options)
    assert 100_000 < history.bytes <= 250_000
    assert len(list(history.window("a", "exact").backwards())) <= 2


def test_a_long_list_is_gone_through_once_for_all_who_read(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[PublishOptions] = []

    def counted(options: PublishOptions) -> Any:
        asked.append(options)
        return narrowing(options)

    monkeypatch.setattr(stored_events, "narrowing", counted)
    history = history_of(kept())
    publish(history, "a", 1, exclude_authid=["joe"])
    (event,) = history.window("a", "exact").backwards()
    readers = [SimpleNamespace(principal=SimpleNamespace(authid=name)) for name in ("joe", "ann", "joe", "sue")]
    assert [event.is_for(reader) for reader in readers] == [False, True, False, True]  # type: ignore[arg-type]  # a name is all that is looked at
    assert len(asked) == 1


@pytest.mark.parametrize("serializer", [JSON, MSGPACK, CBOR], ids=lambda serializer: serializer.name)
def test_payloads_are_kept_as_they_came(serializer: Any) -> None:
    args, kwargs = [1, "ü", b"\0\xff", None, 1.5], {"k": [b"x", {}]}
    message = [16, 1, {}, "a", args, kwargs]
    data = serializer.encode_value(message)
    _, payload = serializer.decode(data)
    history = history_of(kept())
    take(history, "a", 1, PublishOptions(), payload)
    (event,) = history.window("a", "exact").backwards()
    assert event.serializer is serializer
    assert event.parts == payload.parts(serializer)
    assert list(event.payload().args) == args
    assert event.payload().kwargs == kwargs


def test_what_comes_from_inside_is_kept_without_loss() -> None:
    history = history_of(kept(age_seconds=1e9))
    assert history.remember("a", [b"\0\xff", "\0text"], {"x": 1.5}, publication=7, at=5e5)
    (event,) = history.window("a", "exact").backwards()
    assert event.payload().args == [b"\0\xff", "\0text"]
    assert event.payload().kwargs == {"x": 1.5}
    assert event.timestamp == "1970-01-06T18:53:20.000Z"


def test_what_a_source_publishes_again_is_kept_once() -> None:
    history = history_of(kept())
    for number in (1, 2, 3):
        history.remember("a", [number], publication=number)
    publish(history, "a", 3, 3)
    publish(history, "a", 4, 4)
    assert publications(history, "a", "exact", 1) == [2, 3, 4]
    # Across topics nobody knows what came before the first one that was remembered.
    assert publications(history, "", "prefix", 1) is None
    assert publications(history, "", "prefix", 3) == [4]


def test_remembered_events_are_bounded_like_all_others() -> None:
    clock = Clock()
    history = history_of(kept(count=2, age_seconds=100), clock=clock)
    assert not history.remember("a", [0], publication=1, at=clock.now - 101)
    assert [history.remember("a", [n], publication=n, at=clock.now - 50) for n in (2, 3, 4)] == [True] * 3
    assert publications(history, "a", "exact", 1) is None
    assert publications(history, "a", "exact", 2) == [3, 4]
    assert not history_of().remember("a", [0], publication=1)


def test_all_topics_together_are_bounded_in_bytes() -> None:
    history = history_of(kept(), bounds=HistoryBounds(bytes=50_000))
    for number in range(1, 1001):
        publish(history, f"topic.{number % 7}", number, "x" * 100)
        assert history.bytes <= 50_000
    assert history.counters["history_topics_evicted"] > 0
    assert publications(history, "topic.6", "exact", 1000) == []


def test_what_is_too_old_goes_without_anyone_asking() -> None:
    clock = Clock()
    history = history_of(kept(age_seconds=10), clock=clock)
    publish(history, "a", 1, "x" * 100)
    clock.now += 11
    history.expire()
    assert history.bytes == 0
    assert history.counters["history_trimmed"] == 1
