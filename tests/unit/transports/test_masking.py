"""Unmasking gives what the specification's own loop gives, whichever way is taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.transports import masking
from wampgate.transports.masking import by_arithmetic, unmasked

MASK = b"\x01\x80\xff\x5a"
LENGTHS = [0, 1, 3, 4, 5, 199, 200, 201, 1023, 1024, 1025, 1028, 1029, 65_535, 65_536, 300_001]


def loop(data: bytes, mask: bytes) -> bytes:
    """RFC 6455, section 5.3, word for word."""
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


@given(
    before=st.binary(max_size=20),
    mask=st.binary(min_size=4, max_size=4),
    payload=st.binary(max_size=700),
    behind=st.binary(max_size=20),
)
def test_both_ways_unmask_as_the_specification_says(before: bytes, mask: bytes, payload: bytes, behind: bytes) -> None:
    data = before + mask + payload + behind
    begin = len(before) + 4
    end = begin + len(payload)
    assert unmasked(data, begin, end) == by_arithmetic(data, begin, end) == loop(payload, mask)


@pytest.mark.parametrize("length", LENGTHS)
def test_every_length_is_unmasked_whole(length: int) -> None:
    payload = bytes(index * 7 % 256 for index in range(length))
    data = b"\x82\xff" + MASK + payload + b"the next frame"
    assert unmasked(data, 6, 6 + length) == loop(payload, MASK)
    assert by_arithmetic(data, 6, 6 + length) == loop(payload, MASK)


def test_what_came_is_left_as_it_was() -> None:
    data = MASK + b"x" * 1000
    unmasked(data, 4, 1004)
    assert data == MASK + b"x" * 1000


def test_without_the_c_function_the_arithmetic_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_BY_ARITHMETIC", 1 << 63)
    monkeypatch.setattr(masking, "_lib", None)
    assert unmasked(MASK + b"y" * 70_000, 4, 70_004) == loop(b"y" * 70_000, MASK)
