"""The load generator notices every kind of damage: without this, "verified" would be a word."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks import load
from benchmarks.servers.limit import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.servers.interface import Running

# Not by its package's name: test folders are no packages.
from faulty_wire import FaultyWire

FANOUT = ("fanout", "--subscribers", "3", "--window", "8", "--concurrency", "1")
CALLS = ("calls", "--in-flight", "8", "--concurrency", "1")
SHORT = ("--warm", "0.1", "--seconds", "0.4", "--patience", "1")


@pytest.fixture
def limit(tmp_path: Path) -> Iterator[Running]:
    server = Limit("send")
    yield server.start(tmp_path)
    server.stop()


def changed(frame: bytes) -> bytes:
    """A frame with its last letter but four (inside the text, before ``"]]``) exchanged for another."""
    return frame[:-5] + bytes([frame[-5] ^ 1]) + frame[-4:]


DAMAGES = {
    "lost": lambda frames: frames[1:],
    "twice": lambda frames: [frames[0], *frames],
    "out of order": lambda frames: frames[::-1],
    "changed": lambda frames: [changed(frames[0]), *frames[1:]],
    "nonsense": lambda frames: [b"\x81\x02{}", *frames],
    "closed": lambda frames: [*frames, b"\x88\x02\x03\xe8"],
}


def run(limit: Running, marker: bytes, damage: str, options: tuple[str, ...]) -> load.Outcome:
    with FaultyWire(limit.port, marker, DAMAGES[damage]) as wire:
        return load.run(replace(limit, port=wire.port), (*options, *SHORT))


def test_an_intact_wire_is_no_fault(limit: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DAMAGES, "none", lambda frames: frames)
    assert run(limit, b"[36,", "none", FANOUT).operations > 0
    assert run(limit, b"[68,", "none", CALLS).operations > 0


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_events_are_noticed(limit: Running, damage: str) -> None:
    with pytest.raises(load.RunFailed, match="subscriber 0"):
        run(limit, b"[36,", damage, FANOUT)


# The callee joins first: what is lost or doubled on its way is a result that is missing or one too many.
@pytest.mark.parametrize("damage", sorted(set(DAMAGES) - {"out of order"}))
def test_damaged_invocations_are_noticed(limit: Running, damage: str) -> None:
    with pytest.raises(load.RunFailed):
        run(limit, b"[68,", damage, CALLS)


def test_the_last_event_is_missed_too(limit: Running) -> None:
    """A loss at the very end shows in no sequence number; the run must not end before all have arrived."""
    with (
        FaultyWire(limit.port, b"[36,", lambda frames: frames[:-1]) as wire,
        pytest.raises(load.RunFailed, match="missing"),
    ):
        load.run(
            replace(limit, port=wire.port), ("fanout", "--subscribers", "1", "--window", "5", "--rate", "13", *SHORT)
        )
