"""Counting entries: whatever vanished unread is told, once and in the right number, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wampgate.bridge.stream_ids import START, StreamId
from wampgate.bridge.stream_progress import ABSENT, Missed, StreamProgress, StreamState, stream_state


class Stream:
    """A stream as Redis keeps it."""

    def __init__(self) -> None:
        self.entries: list[int] = []
        self.last = 0
        self.added = 0

    def add(self, count: int) -> None:
        for _ in range(count):
            self.last += 1
            self.added += 1
            self.entries.append(self.last)

    def trim(self, length: int) -> None:
        self.entries = self.entries[max(0, len(self.entries) - length) :]

    def delete(self, place: int) -> None:
        if self.entries:
            del self.entries[place % len(self.entries)]

    def state(self, *, counts: bool = True) -> StreamState:
        first = StreamId(self.entries[0], 0) if self.entries else None
        return StreamState(len(self.entries), StreamId(self.last, 0), first, self.added if counts else None)

    def after(self, offset: StreamId, count: int) -> list[int]:
        return [entry for entry in self.entries if StreamId(entry, 0) > offset][:count]


class Reader:
    """Reads a stream and keeps what it is told is missing."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.seen: set[int] = set()
        self.told: list[Missed] = []
        self.progress = StreamProgress(stream.state().last)
        self.compare()

    def note(self, missed: Missed | None) -> None:
        if missed is not None:
            self.told.append(missed)

    def compare(self) -> None:
        self.note(self.progress.compare(self.stream.state()))

    def read(self, count: int) -> None:
        found = self.stream.after(self.progress.offset, count)
        for entry in found:
            self.note(self.progress.read(StreamId(entry, 0)))
            self.seen.add(entry)
        if not found:
            self.note(self.progress.read_all())

    def restart(self) -> None:
        self.progress = StreamProgress(self.progress.offset, self.progress.added, self.progress.agreed)
        self.compare()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 8)),
        st.tuples(st.just("trim"), st.integers(0, 5)),
        st.tuples(st.just("delete"), st.integers(0, 9)),
        st.tuples(st.just("read"), st.integers(1, 5)),
        st.tuples(st.just("compare"), st.just(0)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=500)
@given(st.integers(0, 3), STEPS)
def test_what_vanished_unread_is_told_exactly(before: int, steps: list[tuple[str, int]]) -> None:
    stream = Stream()
    stream.add(before)
    reader = Reader(stream)
    for what, number in steps:
        if what in ("compare", "restart"):
            getattr(reader, what)()
        else:
            getattr(reader if what == "read" else stream, what)(number)
    reader.compare()
    while stream.after(reader.progress.offset, 1):
        reader.read(3)
    reader.read(1)
    reader.compare()
    reader.read(1)
    vanished = set(range(before + 1, stream.last + 1)) - reader.seen
    assert sum(missed.count or 0 for missed in reader.told) == len(vanished)
    assert not any(missed.reset for missed in reader.told)
    if vanished:
        assert min(missed.since for missed in reader.told) < StreamId(min(vanished), 0)
    assert reader.progress.offset == StreamId(stream.last, 0)
    assert reader.progress.added == stream.added


def test_trimming_is_told_before_what_follows_it() -> None:
    stream = Stream()
    reader = Reader(stream)
    stream.add(3)
    reader.read(2)
    stream.add(10)
    stream.trim(4)
    reader.compare()
    assert reader.told == [Missed(START, 7)]


def test_a_stream_that_was_deleted_is_read_from_its_beginning() -> None:
    progress = StreamProgress(StreamId(9, 0), 9)
    assert progress.compare(ABSENT) == Missed(StreamId(9, 0), None, reset=True)
    assert progress.offset == START
    again = Stream()
    again.add(2)
    assert progress.compare(again.state()) is None
    assert [progress.read(StreamId(entry, 0)) for entry in (1, 2)] == [None, None]
    assert progress.added == 2


def test_a_stream_that_began_anew_behind_the_offset_is_told() -> None:
    """Redis was restarted without what it held, and new entries came before anyone looked."""
    progress = StreamProgress(StreamId(9, 0), 9)
    state = StreamState(1, StreamId(20, 0), StreamId(20, 0), 1)
    assert progress.compare(state) == Missed(StreamId(9, 0), None, reset=True)
    assert progress.compare(state) is None
    assert progress.read(StreamId(20, 0)) is None
    assert progress.added == 1


def test_without_a_count_the_oldest_entry_tells() -> None:
    stream = Stream()
    stream.add(5)
    progress = StreamProgress(StreamId(2, 0))
    assert progress.compare(stream.state(counts=False)) is None
    stream.trim(2)
    assert progress.compare(stream.state(counts=False)) == Missed(StreamId(2, 0), None)
    assert StreamProgress().compare(stream.state(counts=False)) is None
    assert StreamProgress(StreamId(5, 0)).compare(stream.state(counts=False)) is None


def test_an_answer_of_redis() -> None:
    reply = [b"length", 2, b"last-generated-id", b"5-1", b"entries-added", 7, b"first-entry", [b"4-0", [b"a", b"b"]]]
    assert stream_state(reply) == StreamState(2, StreamId(5, 1), StreamId(4, 0), 7)
    old = [b"length", 0, b"last-generated-id", b"5-1", b"first-entry", None]
    assert stream_state(old) == StreamState(0, StreamId(5, 1), None, None)


@pytest.mark.parametrize(
    "reply", [[], [b"length"], [b"length", b"x", b"last-generated-id", b"5-1", b"first-entry", None], [1, 2], [[], []]]
)
def test_an_answer_of_something_else(reply: list[object]) -> None:
    with pytest.raises(ValueError, match="not known here"):
        stream_state(reply)
