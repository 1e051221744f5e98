"""Publication ids of stream entries: the same everywhere, never one for two entries, and a way back to the place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.bridge.outcomes import following_publication
from wampgate.bridge.stream_ids import START, StreamId, entry_of, publication_of, stream_id
from wampgate.wire.messages import MAX_ID

ANY = st.builds(StreamId, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
USUAL = st.builds(StreamId, st.integers(1_577_836_800_001, 1_577_836_800_000 + 2**41 - 1), st.integers(0, 2047))


@given(ANY, st.text(max_size=8))
def test_every_entry_has_a_wamp_id(entry: StreamId, stream: str) -> None:
    publication = publication_of(stream, entry)
    assert 1 <= publication <= MAX_ID
    assert publication == publication_of(stream, entry)


@given(USUAL, st.text(max_size=8))
def test_the_way_back(entry: StreamId, stream: str) -> None:
    assert entry_of(stream, publication_of(stream, entry)) == entry


@given(st.lists(ANY | USUAL, min_size=2, max_size=20, unique=True))
def test_no_two_entries_of_a_stream_share_an_id(entries: list[StreamId]) -> None:
    assert len({publication_of("news", entry) for entry in entries}) == len(entries)


@pytest.mark.parametrize(
    "entry",
    [
        StreamId(0, 1),
        StreamId(1, 0),
        StreamId(1_577_836_800_000, 0),
        StreamId(1_700_000_000_000, 2048),
        StreamId(2**63, 0),
    ],
)
def test_what_does_not_fit_tells_no_place(entry: StreamId) -> None:
    assert entry_of("news", publication_of("news", entry)) is None


def test_entries_of_one_millisecond_in_two_streams_differ() -> None:
    entry = StreamId(1_700_000_000_000, 0)
    assert publication_of("news", entry) != publication_of("chat", entry)


def test_the_ids_of_a_published_version_stay() -> None:
    """Clients keep positions: an id means the same for good."""
    assert publication_of("news", StreamId(1_700_000_000_000, 5)) == 250190233600341
    assert publication_of("news", StreamId(1, 0)) == 5389029415827484
    assert following_publication(250190233600341, 1) == 4436890972057644


@given(ANY)
def test_texts(entry: StreamId) -> None:
    assert stream_id(str(entry)) == entry
    assert stream_id(str(entry).encode()) == entry
    assert entry >= START


@pytest.mark.parametrize(
    "text", ["", "1", "1-", "-1", "1-2-3", " 1-2", "1-2\n", "$", "+", "a-b", "1-18446744073709551616", "-1-0"]
)
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(ValueError, match="id of a stream's entry"):
        stream_id(text)
