"""The log's bounds: so many lines of a kind, so long, and nothing in them that a terminal or a reader would obey."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.core.routed import Clock

from wampgate.core.log_lines import LENGTH, Sparing, clipped, printable


def test_so_many_lines_of_a_kind_and_then_their_number() -> None:
    clock = Clock()
    sparing = Sparing(clock, lines=3, seconds=10)
    assert [sparing.take("a") for _ in range(5)] == [0, 0, 0, None, None]
    assert sparing.take("b") == 0
    clock.now += 9.9
    assert sparing.take("a") is None
    clock.now += 0.1
    assert [sparing.take("a") for _ in range(4)] == [3, 0, 0, None]


def test_a_quiet_time_does_not_save_lines_up() -> None:
    clock = Clock()
    sparing = Sparing(clock, lines=2, seconds=10)
    clock.now += 1000
    assert [sparing.take("a") for _ in range(3)] == [0, 0, None]


@given(st.lists(st.floats(0, 5), max_size=200))
def test_every_line_is_written_or_counted(pauses: list[float]) -> None:
    clock = Clock()
    sparing = Sparing(clock, lines=2, seconds=10)
    written = counted = 0
    for pause in pauses:
        clock.now += pause
        left_out = sparing.take("a")
        if left_out is not None:
            written += 1
            counted += left_out
    # A little more than the period: the sums of fractions before it may be a rounding short of it.
    clock.now += 10.001
    last = sparing.take("a")
    assert last is not None
    assert written + counted + last == len(pauses)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"),
        ("ünïcode 日本", "ünïcode 日本"),
        ("a\r\nb", r"a\r\nb"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x85\u2028\u202e\x9b", r"\x85\u2028\u202e\x9b"),
        ("\ud800", r"\ud800"),
        ("\x00", r"\x00"),
    ],
)
def test_control_characters_are_escaped(text: str, written: str) -> None:
    assert printable(text) == written


@given(st.text())
def test_whatever_a_client_sends_fits_in_a_line(text: str) -> None:
    assert printable(text).isprintable()


def test_long_values_are_cut_and_say_so() -> None:
    assert clipped("x" * LENGTH) == "x" * LENGTH
    assert clipped("x" * 100_000) == "x" * LENGTH + "… (100000 characters)"
