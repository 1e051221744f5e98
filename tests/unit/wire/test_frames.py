"""A server's WebSocket frames, at each of the three forms of a length (RFC 6455, section 5.2)."""

from __future__ import annotations

import pytest

from wampgate.wire.frames import BINARY, TEXT, websocket_frame


@pytest.mark.parametrize("first", [TEXT, BINARY])
@pytest.mark.parametrize(
    ("length", "header"),
    [
        (0, b"\x00"),
        (1, b"\x01"),
        (125, b"\x7d"),
        (126, b"\x7e\x00\x7e"),
        (65535, b"\x7e\xff\xff"),
        (65536, b"\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
        (70000, b"\x7f\x00\x00\x00\x00\x00\x01\x11\x70"),
    ],
)
def test_a_frame_has_the_shortest_length(first: int, length: int, header: bytes) -> None:
    data = b"x" * length
    assert websocket_frame(first, data) == bytes((first,)) + header + data


def test_frames_are_final_uncompressed_and_of_their_kind() -> None:
    assert (TEXT, BINARY) == (0b1000_0001, 0b1000_0010)
