"""The product's own way with frames beside Autobahn's: the same messages, answers and ends, however the bytes arrive.

What may differ, and is all that may:

- A text that is not UTF-8, in a plain frame that has not come to its end, is refused by Autobahn at the first wrong
  byte, and by the product once the frame is whole. RFC 6455 (8.1) asks for no more; in between nothing is taken.
- What follows the fault that failed a connection is no one's: Autobahn drops the connection at once if it meets a
  second one, and otherwise waits for the answer to its close frame. It meets a second one, too, where it looks at
  the same fault again with the next piece: so the split decides, and either end is one of Autobahn's own.
"""

from __future__ import annotations

import random
import zlib
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_deflate import COMPRESSED, deflated, in_fragments
from raw_websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame
from unit.transports.frame_corpus import CODES, LAST, LIMIT, MASKS, NO_TEXT, close, corpus, in_frames
from unit.transports.frame_paths import SocketLine, Ways, WrappedLine

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from unit.transports.frame_paths import Outcome, Way

CORPUS = corpus()
SUBPROTOCOLS = ("wamp.2.json", "wamp.2.msgpack")

INVALID_PAYLOAD = 1007

SHORT = 300
"""A limit for messages that is less than what the second form of a length can say."""

FILLING = b"\0" * (LIMIT + 14)
"""Longer than any frame that is waited for, so that each comes to its end in it; what is left of it is no frame."""


@dataclass
class Course:
    """What has become of a connection.

    Attributes:
        put: after the bytes.
        waited: after the time in which a close frame has to be answered.
        lost: after the connection's end.
    """

    put: Outcome
    waited: Outcome
    lost: Outcome

    def steps(self) -> tuple[Outcome, Outcome, Outcome]:
        return self.put, self.waited, self.lost


def pieces_of(stream: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = [0, *sorted({cut for cut in cuts if 0 < cut < len(stream)}), len(stream)]
    return [stream[start:end] for start, end in pairwise(places)]


def differences(ours: Outcome, whole: Outcome, ends: Container[str]) -> list[str]:
    """In what an outcome differs from Autobahn's; ``ends`` are those that it may have."""
    found = [
        f"{what}: {getattr(ours, what)!r:.200} instead of {getattr(whole, what)!r:.200}"
        for what in ("took", "wrote", "behind")
        if getattr(ours, what) != getattr(whole, what)
    ]
    # A session may be over with its close frame, and has to be with its connection.
    if ours.over != whole.over and ours.closed_with is None:
        found.append(f"over: {ours.over}")
    if ours.ended not in ends:
        found.append(f"ended: {ours.ended!r} instead of {ends}")
    return found


def only_waits(ours: Outcome, whole: Outcome) -> bool:
    """Whether all that is missing is the refusal of a text that has not come to its end."""
    return (
        whole.closed_with == INVALID_PAYLOAD
        and (ours.took, ours.wrote, ours.behind) == (whole.took, whole.wrote[:-1], whole.behind)
        and not ours.ended
    )


class Comparing:
    """Compares both ways for one stream after the other, and counts what was seen.

    Args:
        limit: the longest message, in bytes.
        compression: whether it is agreed on; inflaters differ in the words of a close frame, and in
            whether they read on behind it, so that neither is compared then.

    Attributes:
        ways: what makes the connections.
        seen: outcomes, by the code of the close frame, and messages and pongs together.
    """

    def __init__(self, limit: int, *, compression: bool = False) -> None:
        self.ways = Ways(limit, compression=compression)
        self._compression = compression
        self.seen: Counter[str] = Counter()

    def compare(self, subprotocol: str, stream: bytes, splits: Sequence[Sequence[int]]) -> list[str]:
        """What differs, for any of the splits; empty if nothing does.

        The last of the splits is tried once more with bytes behind the stream by which no frame is incomplete.
        """
        found = self._compare(subprotocol, stream, b"", splits)
        return found + self._compare(subprotocol, stream, FILLING, splits[-1:])

    def _compare(self, subprotocol: str, stream: bytes, filling: bytes, splits: Sequence[Sequence[int]]) -> list[str]:
        whole = self._alone(subprotocol, [stream, filling])
        self._count(whole.put)
        found = []
        for cuts in splits:
            pieces = [*pieces_of(stream, cuts), filling]
            # The split decides about the end of a failed connection only.
            cut = self._alone(subprotocol, pieces) if cuts else whole
            for line in (SocketLine, WrappedLine) if cuts is splits[-1] else (SocketLine,):
                ours = self._course(self.ways.product(subprotocol, line), pieces)
                found += [
                    f"{name}, {len(pieces)} pieces, {line.__name__}, {what}"
                    for name, one, other, third in zip(
                        ("put", "waited", "lost"), ours.steps(), whole.steps(), cut.steps(), strict=True
                    )
                    if filling or not only_waits(one, other)
                    for what in differences(one, other, self._ends(name, other, third))
                ]
        return found

    def _alone(self, subprotocol: str, pieces: Iterable[bytes]) -> Course:
        return self._course(self.ways.alone(subprotocol), pieces)

    def _course(self, way: Way, pieces: Iterable[bytes]) -> Course:
        """Let bytes come, then time pass, then the connection end."""
        for piece in pieces:
            way.put(piece)
        put = way.look()
        self.ways.pass_time()
        steps = put, way.look(), way.lose()
        return Course(*(step.without_reason() for step in steps) if self._compression else steps)

    def _ends(self, step: str, whole: Outcome, cut: Outcome) -> Container[str]:
        """How a connection may have ended."""
        if not self._compression or whole.closed_with in (None, 1000):
            return {whole.ended, cut.ended}
        return {"", "closed", "aborted"} if step == "put" else {"closed", "aborted"}

    def _count(self, outcome: Outcome) -> None:
        self.seen[f"close {outcome.closed_with}"] += 1
        self.seen["messages"] += len(outcome.took)
        self.seen["pongs"] += sum(opcode == PONG for opcode, _ in outcome.wrote)


@pytest.fixture
def comparing(request: pytest.FixtureRequest) -> Iterator[Comparing]:
    comparing = Comparing(getattr(request, "param", LIMIT))
    with comparing.ways:
        yield comparing


def splits_of(stream: bytes, chance: random.Random) -> list[Sequence[int]]:
    """In one piece; byte by byte, or where that would take too long its ends; and anyhow."""
    size = len(stream)
    bytewise = range(size) if size <= 120 else [*range(20), *range(size - 40, size)]
    return [(), bytewise, [chance.randrange(size + 1) for _ in range(chance.randint(1, 5))]]


# --- the corpus ---


@pytest.mark.parametrize(
    ("comparing", "subprotocol"),
    [(LIMIT, "wamp.2.json"), (LIMIT, "wamp.2.msgpack"), (SHORT, "wamp.2.json")],
    indirect=["comparing"],
)
def test_the_corpus(comparing: Comparing, subprotocol: str) -> None:
    chance = random.Random(6455)
    found = [
        f"{name}, {stream[:40].hex()}: {difference}"
        for name, stream in CORPUS.items()
        for difference in comparing.compare(subprotocol, stream, splits_of(stream, chance))
    ]
    assert not found, f"{len(found)} differences: " + "\n".join(found[:10])
    # It must not hold because nothing happens.
    assert comparing.seen["messages"] > 1000
    assert comparing.seen["pongs"] > 1000
    for code in (None, 1000, 1002, 1007, 1008, 1009):
        assert comparing.seen[f"close {code}"] > 5, code


def test_a_text_that_is_none_is_refused_when_its_frame_is_whole(comparing: Comparing) -> None:
    """What may differ does so: the comparison above lets nothing else through under its name."""
    stream = frame(TEXT, b"x" * 50 + b"\xff" + b"y" * 50)
    early, late = comparing.ways.alone(SUBPROTOCOLS[0]), comparing.ways.product(SUBPROTOCOLS[0])
    for way in (early, late):
        way.put(stream[:80])
    assert (early.look().closed_with, late.look().closed_with) == (INVALID_PAYLOAD, None)
    assert only_waits(late.look(), early.look())
    late.put(stream[80:])
    assert late.look().wrote == early.look().wrote
    assert late.lose().over


# --- anything ---

TEXTS = st.text(max_size=30).map(lambda text: text.encode()) | st.sampled_from(NO_TEXT) | st.binary(max_size=140)
KINDS = st.sampled_from([TEXT, BINARY])
FRAMES = st.one_of(
    st.builds(frame, KINDS, TEXTS, mask=st.sampled_from(MASKS)),
    st.builds(lambda kind, size: frame(kind, b"x" * size), KINDS, st.sampled_from([0, 125, 126, 65_535, 65_536])),
    st.builds(
        lambda kind, parts, ping: in_frames(kind, *parts, between=frame(PING, ping)),
        KINDS,
        st.lists(TEXTS, min_size=1, max_size=4),
        st.binary(max_size=9),
    ),
    st.builds(frame, KINDS, st.just(LAST)),
    st.builds(frame, st.sampled_from([PING, PONG]), st.binary(max_size=125), mask=st.sampled_from(MASKS)),
    st.builds(frame, st.sampled_from([CONTINUATION, TEXT, BINARY]), TEXTS, fin=st.booleans()),
)
FAULTS = st.one_of(
    st.builds(close, st.just(1000), st.text(max_size=10).map(str.encode)),
    st.builds(close, st.sampled_from(CODES), st.binary(max_size=10)),
    st.builds(
        frame,
        st.integers(0, 15),
        st.binary(max_size=130),
        fin=st.booleans(),
        rsv=st.integers(0, 7),
        mask=st.sampled_from([None, *MASKS]),
        form=st.sampled_from(["shortest", "medium", "long"]),
    ),
    st.builds(frame, st.just(CLOSE), st.binary(max_size=4)),
    st.sampled_from([stream for stream in CORPUS.values() if len(stream) < 1000]),
    st.binary(max_size=40),
)
STREAMS = st.builds(
    lambda frames, fault, others: b"".join(frames) + fault + b"".join(others),
    st.lists(FRAMES, max_size=6),
    FAULTS | st.just(b""),
    st.lists(FRAMES, max_size=3),
)
CHANGES = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from(["flip", "cut", "add", "twice"]), st.integers(1, 255))
)


def changed(stream: bytes, changes: Sequence[tuple[float, str, int]]) -> bytes:
    """A stream with some of its bytes other than they were."""
    data = bytearray(stream)
    for where, what, value in changes:
        at = int(where * len(data))
        if what == "flip" and data:
            data[at] ^= value
        elif what == "cut":
            del data[at : at + value % 9]
        elif what == "add":
            data[at:at] = bytes([value])
        elif what == "twice":
            data[at:at] = data[at : at + value % 40]
    return bytes(data)


@pytest.mark.parametrize("comparing", [LIMIT, SHORT], indirect=True)
def test_anything(comparing: Comparing) -> None:
    @settings(max_examples=3 * settings().max_examples)
    @given(
        stream=STREAMS,
        changes=CHANGES.map(lambda changes: changes[:3]) | st.just([]),
        cuts=st.lists(st.floats(0, 1, exclude_max=True), max_size=8),
        subprotocol=st.sampled_from(SUBPROTOCOLS),
    )
    def same(stream: bytes, changes: list[tuple[float, str, int]], cuts: list[float], subprotocol: str) -> None:
        stream = changed(stream, changes)
        splits = [(), [int(cut * len(stream)) for cut in cuts]]
        if len(stream) < 300:
            splits.append(range(len(stream)))
        assert comparing.compare(subprotocol, stream, splits) == []

    same()
    assert comparing.seen["messages"] > 20
    for code in (1000, 1002, 1007):
        assert comparing.seen[f"close {code}"] > 0, code


# --- compressed messages ---


def compressed(opcode: int, data: bytes, pieces: int = 1) -> bytes:
    """A message that comes compressed, in one frame or several."""
    return in_fragments(opcode, deflated(data), pieces, rsv=COMPRESSED)


def dependent() -> bytes:
    """Two messages, the second of which can't be read without the first."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    texts = [compressor.compress(b"the same again") + compressor.flush(zlib.Z_SYNC_FLUSH) for _ in range(2)]
    return b"".join(frame(TEXT, text[:-4], rsv=COMPRESSED) for text in texts)


def finished(data: bytes) -> bytes:
    """A message whose sender ends the compressed stream (RFC 7692, 7.2.3.4)."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    return frame(TEXT, compressor.compress(data) + compressor.flush() + b"\0", rsv=COMPRESSED)


PLAIN = frame(TEXT, b"[1]")
COMPRESSED_STREAMS = {
    "one": compressed(TEXT, b"[1]"),
    "none": compressed(TEXT, b""),
    "letters": compressed(TEXT, "é€😀".encode() * 100, 7),
    "stored": frame(TEXT, deflated(b"[1]" * 40, level=0), rsv=COMPRESSED),
    "as long as may be": compressed(TEXT, b"x" * LIMIT) + PLAIN,
    "longer": compressed(TEXT, b"x" * (LIMIT + 1)) + PLAIN,
    "in pieces": compressed(TEXT, b"[1, 2, 3]" * 30, 5) + PLAIN,
    "plain, compressed, plain, compressed": (PLAIN + compressed(TEXT, b"[2]" * 50)) * 2,
    "finished": finished(b"[1]") + PLAIN,
    "dependent": dependent() + PLAIN,
    "no text": compressed(TEXT, b"abc\xff\xff") + PLAIN,
    "half a letter": compressed(TEXT, b"abc\xe2\x82") + PLAIN,
    "no compressed form": frame(TEXT, b"\xff\xff\xff", rsv=COMPRESSED) + PLAIN,
    "of the wrong kind": compressed(BINARY, b"[1]" * 20) + PLAIN,
    "a ping": frame(PING, b"x", rsv=COMPRESSED) + PLAIN,
    "a close frame": frame(CLOSE, b"\x03\xe8", rsv=COMPRESSED),
    "a continuation": frame(TEXT, b"a", fin=False, rsv=COMPRESSED) + frame(CONTINUATION, b"b", rsv=COMPRESSED) + PLAIN,
    "a continuation of what is not": frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b", rsv=COMPRESSED) + PLAIN,
    "a reserved frame": frame(3, b"x", rsv=COMPRESSED),
    "other reserved bits": frame(TEXT, b"a", rsv=6) + frame(TEXT, b"a", rsv=2),
    "a plain message within": in_frames(TEXT, b"[", b"]", between=compressed(TEXT, b"[1]")) + PLAIN,
    "within a plain message": in_fragments(TEXT, deflated(b"[1]" * 9), 2, rsv=COMPRESSED)[:20] + PLAIN,
}


@pytest.fixture
def inflating() -> Iterator[Comparing]:
    comparing = Comparing(LIMIT, compression=True)
    with comparing.ways:
        yield comparing


@pytest.mark.parametrize("name", COMPRESSED_STREAMS)
def test_compressed(inflating: Comparing, name: str) -> None:
    stream = COMPRESSED_STREAMS[name]
    assert inflating.compare(SUBPROTOCOLS[0], stream, splits_of(stream, random.Random(7692))) == []


@pytest.mark.parametrize("data", [b"", deflated(b"hello world hello")[:-3]], ids=["nothing", "cut short"])
def test_what_is_no_compressed_form_is_refused_where_autobahn_takes_part_of_it(
    inflating: Comparing, data: bytes
) -> None:
    """The one place where the product is stricter: half a message is none (RFC 7692, 7.2.2)."""
    alone, product = inflating.ways.alone(SUBPROTOCOLS[0]), inflating.ways.product(SUBPROTOCOLS[0])
    for way in (alone, product):
        way.put(frame(TEXT, data, rsv=COMPRESSED))
    assert len(alone.look().took) == 1
    assert (product.look().took, product.look().closed_with) == ([], INVALID_PAYLOAD)
    product.lose()


def test_plain_and_compressed_in_turns(inflating: Comparing) -> None:
    messages = st.one_of(
        st.builds(compressed, st.just(TEXT), st.text(max_size=200).map(str.encode), st.integers(1, 4)),
        st.builds(compressed, st.just(BINARY), st.binary(max_size=200), st.integers(1, 4)),
        FRAMES.filter(lambda data: len(data) < 1000),
    )

    @given(stream=st.lists(messages, max_size=8).map(b"".join), cuts=st.lists(st.floats(0, 1), max_size=8))
    def same(stream: bytes, cuts: list[float]) -> None:
        splits = [(), [int(cut * len(stream)) for cut in cuts]]
        assert inflating.compare(SUBPROTOCOLS[0], stream, splits) == []

    same()
    assert inflating.seen["messages"] > 20
