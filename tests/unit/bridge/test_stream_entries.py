"""Entries as Redis sends them, and that history and delivery give the same events the same ids."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.bridge.dialects.anycable import AnyCableRule
from wampgate.bridge.dialects.plain_stream import PlainStreamRule
from wampgate.bridge.outcomes import Outcomes
from wampgate.bridge.stream_entries import Entry, entries_of, events_of, rows_by_stream
from wampgate.bridge.stream_ids import StreamId

if TYPE_CHECKING:
    from collections.abc import Sequence

ID = StreamId(1_700_000_000_000, 0)
ANYCABLE = AnyCableRule("organization.{organization}", "organization.{organization}", channel="news")
PLAIN = PlainStreamRule("news", "all")


class Published:
    """A publisher that keeps topics and ids."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []

    def publish(self, topic: str, args: Sequence[Any] = (), kwargs: Any = None, **how: Any) -> int:
        self.events.append((topic, how["publication"]))
        return 1


def delivered(entry: Entry, *rules: Any) -> list[tuple[str, int]]:
    published = Published()
    outcomes = Outcomes("test", published, Counter())
    for index, rule in enumerate(rules):
        outcomes.take_entry(rule, entry.stream, entry.fields, entry.publication(index))
    return published.events


def remembered(entry: Entry, *rules: Any) -> list[tuple[str, int]]:
    return [(event.topic, publication) for event, publication in events_of(rules, entry)]


def test_all_events_of_an_entry_have_ids_of_their_own_and_the_same_in_the_history() -> None:
    messages = [{"stream": f"organization.{number % 3}", "data": json.dumps([number])} for number in range(50)]
    entry = Entry("news", ID, {b"payload": json.dumps(messages).encode()})
    events = remembered(entry, ANYCABLE, PLAIN)
    assert len(events) == 51
    assert len({publication for _, publication in events}) == 51
    assert delivered(entry, ANYCABLE, PLAIN) == events


@given(st.dictionaries(st.sampled_from([b"topic", b"payload", b"x"]), st.binary(max_size=40)))
def test_whatever_is_in_it(fields: dict[bytes, bytes]) -> None:
    entry = Entry("news", ID, fields)
    assert remembered(entry, ANYCABLE, PLAIN) == delivered(entry, ANYCABLE, PLAIN)


def test_what_is_too_large_is_in_neither() -> None:
    entry = Entry("news", ID, {b"payload": b'"' + b"x" * (1 << 20) + b'"'})
    assert remembered(entry, PLAIN) == delivered(entry, PLAIN) == []


def test_answers_of_redis() -> None:
    reply = [[b"news", [[b"5-1", [b"a", b"1", b"a", b"2", b"", b"\xff"]], [b"6-0", []]]]]
    rows = rows_by_stream(reply)
    assert entries_of("news", rows["news"]) == [
        Entry("news", StreamId(5, 1), {b"a": b"2", b"": b"\xff"}),
        Entry("news", StreamId(6, 0), {}),
    ]
    assert rows_by_stream(None) == {}
    assert entries_of("news", []) == []


@pytest.mark.parametrize("reply", [1, [1], [[b"\xff", []]], [[b"a"]], [[1, []]], [[b"a", [], 3]]])
def test_answers_of_something_else(reply: Any) -> None:
    with pytest.raises(ValueError, match="not known here"):
        rows_by_stream(reply)


@pytest.mark.parametrize(
    "rows", [1, [1], [[b"5-1"]], [[b"5-1", [b"a"]]], [[b"yesterday", []]], [[b"5-1", None]], [[None, []]]]
)
def test_rows_of_something_else(rows: Any) -> None:
    with pytest.raises(ValueError, match="not known here"):
        entries_of("news", rows)
