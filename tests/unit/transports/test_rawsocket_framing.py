"""RawSocket's bytes without a connection: every handshake, every kind of prefix, the length that is agreed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_rawsocket import handshake, raw_frame

from wampgate.wire import rawsocket
from wampgate.wire.frames import (
    CONTROL,
    LONGEST,
    MESSAGE,
    PING,
    PONG,
    as_binary,
    as_rawsocket,
    as_text,
    rawsocket_frame,
)
from wampgate.wire.rawsocket import HandshakeRefused, InvalidFrame, frames_of, prefix_of, read_handshake, split_prefix
from wampgate.wire.serializers import CBOR, JSON, MSGPACK

SERIALIZER_BY_NUMBER = {1: JSON, 2: MSGPACK, 3: CBOR}


@pytest.mark.parametrize("length", range(16))
@pytest.mark.parametrize("number", range(16))
def test_every_handshake(number: int, length: int) -> None:
    request = handshake(number, length)
    if number not in SERIALIZER_BY_NUMBER:
        with pytest.raises(HandshakeRefused) as refused:
            read_handshake(request)
        assert refused.value.answer == b"\x7f\x10\0\0"
    elif length < 2:
        with pytest.raises(HandshakeRefused) as refused:
            read_handshake(request)
        assert refused.value.answer == b"\x7f\x20\0\0"
    else:
        taken = read_handshake(request)
        assert taken == (number, SERIALIZER_BY_NUMBER[number], 2 ** (9 + length))


@given(st.integers(1, 0xFFFF), st.integers(0, 15), st.integers(0, 15))
def test_reserved_bits_come_first(reserved: int, number: int, length: int) -> None:
    with pytest.raises(HandshakeRefused) as refused:
        read_handshake(handshake(number, length, reserved))
    assert refused.value.answer == b"\x7f\x30\0\0"


@given(st.integers(1, LONGEST))
def test_what_is_said_of_a_limit_is_no_more_than_it_and_more_than_half(limit: int) -> None:
    said = rawsocket.sayable(limit)
    assert said & (said - 1) == 0
    assert 512 <= said <= LONGEST
    if limit >= 512:
        assert limit / 2 < said <= limit
    answer = rawsocket.acceptance(said, 2)
    assert answer[::2] == b"\x7f\0"
    assert 2 ** (9 + (answer[1] >> 4)) == said
    assert answer[1] & 0x0F == 2


@given(st.sampled_from((MESSAGE, PING, PONG)), st.binary(max_size=2000))
def test_frames_are_read_as_they_are_written(kind: int, data: bytes) -> None:
    frame = rawsocket_frame(kind, data)
    assert frame == raw_frame(kind, data)
    assert split_prefix(prefix_of(frame, 0)[0]) == (kind, len(data))


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_joined_frames_come_apart_again(messages: list[bytes]) -> None:
    frames = [as_rawsocket(message) for message in messages]
    assert frames_of(b"".join(frames)) == frames


def test_16_mib_and_their_neighbours() -> None:
    data = bytes(LONGEST)
    assert as_rawsocket(data)[:4] == b"\x08\0\0\0"
    assert as_rawsocket(data[1:])[:4] == b"\0\xff\xff\xff"
    assert split_prefix(0x08000000) == (MESSAGE, LONGEST)
    assert split_prefix(0x00FFFFFF) == (MESSAGE, LONGEST - 1)
    # It has no frame; whoever looks at its length sees that nobody takes it.
    assert len(as_rawsocket(data + b"x")) == LONGEST + 5


@given(st.integers(0, 2**32 - 1))
def test_a_prefix_is_right_or_refused(prefix: int) -> None:
    right = prefix >> 28 == 0 and prefix >> 24 & 7 < 3 and (not prefix >> 27 & 1 or not prefix & 0xFFFFFF)
    if right:
        kind, length = split_prefix(prefix)
        assert raw_frame(kind, length=length)[:4] == prefix.to_bytes(4, "big")
    else:
        with pytest.raises(InvalidFrame):
            split_prefix(prefix)


@given(st.binary(max_size=300))
def test_control_frames_are_told_from_messages_in_either_framing(data: bytes) -> None:
    assert not {frame[0] for frame in (as_text(data), as_binary(data), as_rawsocket(data))} & CONTROL
    assert {rawsocket_frame(PING, data)[0], rawsocket_frame(PONG, data)[0], 0x88, 0x89, 0x8A} == CONTROL
