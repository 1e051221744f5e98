"""permessage-deflate by itself: which offers are accepted, what is compressed, what is read again, and what is not."""

from __future__ import annotations

import random
import tracemalloc
import zlib
from contextlib import suppress
from typing import Any

import pytest
from autobahn.twisted.websocket import WebSocketServerProtocol
from hypothesis import given
from hypothesis import strategies as st
from raw_deflate import deflated, inflated
from unit.transports.connected import AS_JSON, AS_MSGPACK, event

from wampgate.transports.deflate import (
    COMPRESSED,
    UNREAD,
    Agreement,
    Compression,
    CorruptMessage,
    Deflated,
    MessageTooLong,
    agreement,
    inflate,
)
from wampgate.wire.messages import Abort, Challenge, Welcome
from wampgate.wire.payload import NO_PAYLOAD

BOTH = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
LIMIT = 100_000


def offers(header: str) -> list[tuple[str, dict[str, list[Any]]]]:
    """Offers as Autobahn reads them."""
    unmade = WebSocketServerProtocol.__new__(WebSocketServerProtocol)
    parsed: list[tuple[str, dict[str, list[Any]]]] = unmade._parseExtensionsHeader(header)  # type: ignore[no-untyped-call]  # Autobahn's
    return parsed


# --- offers ---


@pytest.mark.parametrize(
    ("header", "window", "answer"),
    [
        ("permessage-deflate", 15, BOTH),
        ("permessage-deflate; client_max_window_bits", 15, BOTH),
        ("PerMessage-Deflate; Client_Max_Window_Bits=10; server_no_context_takeover", 15, BOTH),
        ("permessage-deflate; client_no_context_takeover; server_no_context_takeover", 15, BOTH),
        ("permessage-deflate; server_max_window_bits=15", 15, f"{BOTH}; server_max_window_bits=15"),
        ('permessage-deflate; server_max_window_bits="15"', 15, f"{BOTH}; server_max_window_bits=15"),
        ("permessage-deflate; server_max_window_bits=14", 12, f"{BOTH}; server_max_window_bits=12"),
        ("permessage-deflate; server_max_window_bits=12", 12, f"{BOTH}; server_max_window_bits=12"),
        ("permessage-deflate; server_max_window_bits=11", 9, f"{BOTH}; server_max_window_bits=9"),
        ("permessage-deflate; server_max_window_bits=9", 9, f"{BOTH}; server_max_window_bits=9"),
        # The first one that can be accepted is.
        ("permessage-deflate; server_max_window_bits=9, permessage-deflate", 9, f"{BOTH}; server_max_window_bits=9"),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", 15, BOTH),
        ("permessage-bzip2, x-webkit-deflate-frame, permessage-deflate", 15, BOTH),
    ],
)
def test_what_is_accepted(header: str, window: int, answer: str) -> None:
    assert agreement(offers(header), Compression()) == Agreement(window, answer)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "permessage-bzip2",
        "permessage-deflate2",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=09",
        "permessage-deflate; server_max_window_bits=\uff11\uff15",
        "permessage-deflate; server_max_window_bits=+9",
        "permessage-deflate; server_max_window_bits=9=9",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; unknown",
        "permessage-deflate; unknown=1",
        "permessage-deflate;",
        ";",
        "=,=;=,;;",
    ],
)
def test_what_is_declined(header: str) -> None:
    assert agreement(offers(header), Compression()) is None


@given(st.text('permsagd-flt; swindo_cxkvzb=,"0123456789\x00é', max_size=80))
def test_no_offer_is_too_odd(header: str) -> None:
    agreed = agreement(offers(header), Compression())
    assert agreed is None or agreed.header.startswith(BOTH)


@given(asked=st.none() | st.integers(9, 15), configured=st.integers(9, 15))
def test_no_window_is_larger_than_what_either_side_wants(asked: int | None, configured: int) -> None:
    header = "permessage-deflate" + (f"; server_max_window_bits={asked}" if asked else "")
    agreed = agreement(offers(header), Compression(window_bits=configured))
    assert agreed is not None
    assert 9 <= agreed.window <= min(asked or 15, configured)
    assert agreed.window in Compression(window_bits=configured).windows


def test_there_are_few_windows_however_many_clients_ask_for() -> None:
    for configured in range(9, 16):
        assert len(Compression(window_bits=configured).windows) <= 3


# --- what leaves ---

WORDS = [f"{number:x}" * 3 for number in range(200)]


def text_of(size: int, seed: int = 0) -> str:
    chosen = random.Random(seed)
    text = ""
    while len(text) < size:
        text += chosen.choice(WORDS)
    return text[:size]


def payload_of(frame: bytes) -> bytes:
    return frame[{126: 4, 127: 10}.get(frame[1], 2) :]


@pytest.mark.parametrize("plain", [AS_JSON, AS_MSGPACK], ids=["json", "msgpack"])
@pytest.mark.parametrize("window", [9, 12, 15])
def test_what_is_compressed_reads_as_the_plain_frame(plain: Any, window: int) -> None:
    encoding = Deflated(plain, Compression(), window)

    @given(size=st.integers(0, 3000) | st.integers(60_000, 70_000), seed=st.integers(0, 99))
    def compare(size: int, seed: int) -> None:
        message = event(1, 2, text_of(size, seed))
        frame, expected = encoding.frame(*message), plain.frame(*message)
        if len(payload_of(expected)) < 1024:
            assert frame == expected
        else:
            assert frame[0] == expected[0] | COMPRESSED
            assert len(frame) < len(expected)
            assert inflated(payload_of(frame), window=window) == payload_of(expected)

    compare()
    assert encoding.count > 10


def test_from_which_size_on() -> None:
    encoding = Deflated(AS_JSON, Compression(smallest=2000), 15)
    empty = len(payload_of(AS_JSON.frame(*event(1, 2))))
    assert encoding.frame(*event(1, 2, "x" * (1999 - empty)))[0] == 0x81
    assert encoding.frame(*event(1, 2, "x" * (2000 - empty)))[0] == 0xC1
    assert encoding.count == 1


@pytest.mark.parametrize("size", range(110, 140))
def test_the_smallest_size_of_all(size: int) -> None:
    encoding = Deflated(AS_JSON, Compression(smallest=128), 15)
    plain = AS_JSON.frame(*event(1, 2, "x" * size))
    frame = encoding.frame(*event(1, 2, "x" * size))
    assert (frame[0] == 0xC1) is (len(payload_of(plain)) >= 128)
    if frame[0] == 0xC1:
        assert inflated(payload_of(frame)) == payload_of(plain)


def test_what_does_not_get_shorter_leaves_as_it_is() -> None:
    message = event(1, 2)[0], type(event(1, 2)[1])([random.Random(1).randbytes(5000)])
    encoding = Deflated(AS_MSGPACK, Compression(), 15)
    assert encoding.frame(*message) == AS_MSGPACK.frame(*message)


def test_what_belongs_to_a_login_is_never_compressed() -> None:
    encoding = Deflated(AS_JSON, Compression(), 15)
    long = {"secret": "x" * 5000}
    for message in (
        Challenge("ticket", long),
        Welcome(1, long),
        Abort(long, "wamp.error.x"),
    ):
        assert encoding.frame(message, NO_PAYLOAD) == AS_JSON.frame(message, NO_PAYLOAD)


def test_no_message_is_compressed_with_the_help_of_another() -> None:
    encoding = Deflated(AS_JSON, Compression(), 15)
    alone = encoding.frame(*event(1, 2, text_of(4000)))
    for seed in range(5):
        encoding.frame(*event(1, 2, text_of(4000, seed)))
    assert encoding.frame(*event(1, 2, text_of(4000))) == alone


def test_the_level_is_zlibs() -> None:
    message = event(1, 2, text_of(50_000))
    plain = payload_of(AS_JSON.frame(*message))
    sent = {level: payload_of(Deflated(AS_JSON, Compression(level=level), 15).frame(*message)) for level in (1, 3, 9)}
    assert sent == {level: deflated(plain, level=level) for level in sent}
    assert len(set(sent.values())) == 3


# --- what comes in ---


@given(
    data=st.binary(max_size=3000) | st.integers(0, 5000).map(lambda size: text_of(size).encode()),
    level=st.integers(0, 9),
    window=st.integers(9, 15),
)
def test_messages_are_read(data: bytes, level: int, window: int) -> None:
    assert inflate(deflated(data, level=level, window=window), LIMIT) == data


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 131_072, 1 << 20, 3_000_001])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_long_messages_are_read(size: int, level: int) -> None:
    for data in (b"x" * size, random.Random(1).randbytes(size), text_of(size).encode()):
        assert inflate(deflated(data, level=level), size) == data
        with pytest.raises(MessageTooLong):
            inflate(deflated(data, level=level), size - 1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xf2\x48\xcd\xc9\xc9\x07\x00", b"Hello"),
        (b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", b"Hello"),
        (b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", b"Hello"),
        (b"\xf3\x48\xcd\xc9\xc9\x07\x00", b"Hello"),
        (b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", b"Hello"),
        (b"\x00", b""),
    ],
    ids=["one block", "stored", "final block", "final block alone", "two blocks", "empty"],
)
def test_the_examples_of_rfc_7692(data: bytes, message: bytes) -> None:
    assert inflate(data, LIMIT) == message


@pytest.mark.parametrize("size", range(65_520, 65_545))
def test_a_stream_that_ends_where_a_step_does(size: int) -> None:
    # A stored block of so many bytes is 5 longer; the stream's end comes in one step or in the next.
    data = random.Random(size).randbytes(size)
    ended = zlib.compress(data, 0, -15)
    assert inflate(ended, 70_000) == data
    assert inflate(ended + b"\x00", 70_000) == data
    with pytest.raises(CorruptMessage):
        inflate(ended + b"\x00" * 2, 70_000)


def test_of_a_bomb_little_more_is_made_than_the_limit() -> None:
    bomb = deflated(b"\0" * (64 << 20), level=9)
    tracemalloc.start()
    try:
        with pytest.raises(MessageTooLong):
            inflate(bomb, 1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (1 << 20) + 500_000


def corrupt() -> list[tuple[str, bytes]]:
    whole = deflated(text_of(3000).encode())
    stream = zlib.compressobj(6, zlib.DEFLATED, -15)
    stream.compress(whole[:50] * 40)
    stream.flush(zlib.Z_SYNC_FLUSH)
    later = stream.compress(whole[:50] * 40) + stream.flush(zlib.Z_SYNC_FLUSH)
    return [
        ("no deflate data", b"\xff" * 20),
        ("refers to the message before", later[:-4]),
        ("the first half", whole[: len(whole) // 2]),
        ("all but its last byte", whole[:-1]),
        ("nothing, not even the beginning of an empty block", b""),
        ("stored, and its length reaches into the tail", b"\x00\x04\x00\xfb\xff"),
        ("something behind the last block", b"\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00"),
        ("two zeros behind the last block", b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00\x00"),
        ("ended again and again", b"\x03\x00" * 200_000),
        ("a megabyte behind its end", b"\x03\x00" + bytes(1 << 20)),
    ]


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in corrupt()])
def test_what_is_no_whole_message_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptMessage):
        inflate(data, LIMIT)


@given(st.integers(1, 2000), st.floats(0, 1, exclude_max=True))
def test_a_message_that_is_cut_short_is_never_taken_for_a_whole_one(size: int, place: float) -> None:
    whole = deflated(text_of(size).encode())
    with pytest.raises(CorruptMessage):
        inflate(whole[: int(place * len(whole))], LIMIT)


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    with suppress(CorruptMessage, MessageTooLong):
        assert len(inflate(data, LIMIT)) <= LIMIT


def test_what_is_half_there_is_not_inflated() -> None:
    whole = deflated(b"x" * 100_000)
    UNREAD.start_decompress_message()
    assert UNREAD.decompress_message_data(whole, max_output_len=1) == whole
    UNREAD.end_decompress_message()
