"""What becomes of what rules make: published, ended, counted, logged once, and told to a stream when it is poison."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from twisted.logger import globalLogPublisher

from wampgate.bridge.decoding import MAX_SIZE
from wampgate.bridge.dialects.anycable import AnyCableRule
from wampgate.bridge.dialects.plain import PlainRule
from wampgate.bridge.dialects.plain_stream import PlainStreamRule
from wampgate.bridge.dialects.python_socketio import PythonSocketIoRule
from wampgate.bridge.dialects.rooms import RoomOptions
from wampgate.bridge.outcomes import Outcomes, following_publication
from wampgate.bridge.rules import Dropped
from wampgate.core.errors import RequestRefused, uri
from wampgate.wire.messages import MAX_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wampgate.core.interfaces import EndBy
    from wampgate.wire.messages import Match
    from wampgate.wire.payload import Payload


OWN = "organization.{organization}"
PLAIN = PlainRule("channel.{organization}", OWN)
STREAM = PlainStreamRule("news", OWN)
ANY = AnyCableRule()


class Kept:
    """A publisher and ender of sessions that keeps what it is asked for."""

    def __init__(self) -> None:
        self.published: list[tuple[str, Any, Any]] = []
        self.ended: list[tuple[str, ...]] = []
        self.refused: frozenset[str] = frozenset()
        self.broken = False

    def publish(
        self,
        topic: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        exclude: Sequence[int] | None = None,
        exclude_subscribers: Sequence[str] = (),
        publication: int | None = None,
        encoded: Payload | None = None,
    ) -> int:
        if self.broken:
            raise ZeroDivisionError
        if topic in self.refused:
            raise RequestRefused(uri.NOT_AUTHORIZED, "not there")
        self.published.append((topic, (list(args), dict(kwargs or {})), (exclude, exclude_subscribers, publication)))
        return publication or 1

    def end(self, by: EndBy, value: str) -> int:
        self.ended.append((by, value))
        return 2

    def end_subscribers(self, uri: str, match: Match) -> int:
        self.ended.append((uri, match))
        return 3


class Given:
    """Outcomes, their counters, and the log's lines."""

    def __init__(self, lines: list[Any]) -> None:
        self.kept = Kept()
        self.counters: Counter[str] = Counter()
        self.outcomes = Outcomes("test", self.kept, self.counters, self.kept)
        self.lines = lines


@pytest.fixture
def given() -> Iterator[Given]:
    lines: list[Any] = []

    def observe(event: Any) -> None:
        if event.get("log_namespace", "").startswith("wampgate"):
            lines.append(event)

    globalLogPublisher.addObserver(observe)
    yield Given(lines)
    globalLogPublisher.removeObserver(observe)


def test_an_event_is_published(given: Given) -> None:
    assert given.outcomes.take(PLAIN, b"channel.7", b'{"a":1}') is None
    assert given.kept.published == [("organization.7", ([], {"a": 1}), ((), (), None))]
    assert given.counters == {"published": 1}
    assert given.lines == []


def test_poison_is_told_counted_and_logged_once(given: Given) -> None:
    for _ in range(3):
        poison = given.outcomes.take(PLAIN, b"channel.7", b'{"password":"c4nary"')
        assert poison is not None
        assert poison.kind == "undecodable"
    assert given.counters == {"undecodable": 3}
    (line,) = given.lines
    assert "c4nary" not in str(line)
    assert (line["source"], line["kind"]) == ("channel.7", "undecodable")


def test_what_is_not_for_the_rule_is_no_poison(given: Given) -> None:
    assert given.outcomes.take(PLAIN, b"channel.7.8", b"{}") is None
    assert given.counters == {"channel_mismatch": 1}


@pytest.mark.parametrize(
    ("channel", "message", "kind"),
    [(b"\xff", b"{}", "channel_mismatch"), (b"channel.7", b" " * (MAX_SIZE + 1), "too_large")],
)
def test_messages_that_no_rule_sees(given: Given, channel: bytes, message: bytes, kind: str) -> None:
    poison = given.outcomes.take(PLAIN, channel, message)
    assert poison is not None
    assert poison.kind == kind


def test_entries_are_limited_as_a_whole(given: Given) -> None:
    fields = {b"%d" % number: b"x" * (MAX_SIZE // 4) for number in range(4)}
    poison = given.outcomes.take_entry(STREAM, "news", fields)
    assert poison is not None
    assert poison.kind == "too_large"


def test_a_refused_event_is_poison_and_the_others_go_on(given: Given) -> None:
    given.kept.refused = frozenset({"organization.7"})
    batch = b'[{"stream":"organization.7","data":"1"},{"stream":"organization.8","data":"2"}]'
    poison = given.outcomes.take_entry(ANY, "__anycable__", {b"payload": batch})
    assert poison == Dropped("refused", "the router refused to publish: not there")
    assert [topic for topic, _, _ in given.kept.published] == ["organization.8"]
    assert given.counters == {"refused": 1, "published": 1}


def test_our_own_fault_is_told_and_never_raised(given: Given) -> None:
    given.kept.broken = True
    for _ in range(2):
        poison = given.outcomes.take(PLAIN, b"channel.7", b"{}")
        assert poison is not None
        assert poison.kind == "failed"
    assert given.counters == {"failed": 2}
    assert len(given.lines) == 1


def test_publication_ids_of_an_entrys_events(given: Given) -> None:
    streams = (b"organization.7", b"user.7", b"organization.7")
    batch = b"[" + b",".join(b'{"stream":"%s","data":"1"}' % stream for stream in streams) + b"]"
    for _ in range(2):
        given.outcomes.take_entry(ANY, "__anycable__", {b"payload": batch}, 4711)
    ids = [more[2] for _, _, more in given.kept.published]
    assert ids == [4711, following_publication(4711, 1)] * 2
    assert len({following_publication(4711, number) for number in range(1000)}) == 1000
    assert all(1 <= following_publication(MAX_ID, number) <= MAX_ID for number in range(1000))


DISCONNECT = b'{"method":"disconnect","sid":"SID"}'


@pytest.mark.parametrize(
    ("rule", "sid", "ended", "count"),
    [
        (PythonSocketIoRule(options=RoomOptions(disconnects=True)), b"4711", ("session", "4711"), 2),
        (
            PythonSocketIoRule(options=RoomOptions(disconnects=True)),
            b"organization.7",
            ("organization.7", "exact"),
            3,
        ),
        (
            PythonSocketIoRule(room="user:{user}", topic="user.{user}", options=RoomOptions(disconnects=True)),
            b"user:joe",
            ("user", "joe"),
            2,
        ),
    ],
)
def test_kills(given: Given, rule: PythonSocketIoRule, sid: bytes, ended: tuple[str, ...], count: int) -> None:
    assert given.outcomes.take(rule, b"socketio", DISCONNECT.replace(b"SID", sid)) is None
    assert given.kept.ended == [ended]
    assert given.counters == {"killed": count}


def test_a_bridge_that_may_not_end_sessions(given: Given) -> None:
    rule = PythonSocketIoRule(options=RoomOptions(disconnects=True))
    outcomes = Outcomes("test", given.kept, given.counters)
    outcomes.take(rule, b"socketio", DISCONNECT.replace(b"SID", b"4711"))
    assert given.kept.ended == []
    assert given.counters == {"disconnect_ignored": 1}
