"""One connection's way out on a real socket: order, bounds, what can be taken back, and how it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from unit.transports.connected import AS_JSON, Wire, Wired, event, subscription_of

from wampgate.transports.outbox import OutboxLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = 4096
LIMITS = OutboxLimits(size=200_000, stalled=10)


@pytest.fixture
def wired() -> Iterator[Wired]:
    wired = Wired()
    yield wired
    wired.close()


@pytest.fixture
def slow(wired: Wired) -> Wire:
    """A peer that reads nothing unless the test does."""
    return wired.peer(limits=LIMITS, buffer=SMALL)


def send(wired: Wired, wire: Wire, subscription: int, number: int, text: str = "") -> bytes:
    """Deliver one event; its frame."""
    message, payload = event(subscription, number, text)
    wired.turn(message, payload, (wire.session,))
    wired.turn.flush()
    return AS_JSON.frame(message, payload)


def test_what_is_written_leaves_at_once(wired: Wired) -> None:
    wire = wired.peer()
    sent = send(wired, wire, 1, 1)
    assert wire.client.recv(1000) == sent


def test_a_full_socket_loses_and_reorders_nothing(wired: Wired, slow: Wire) -> None:
    sent = slow.fill()
    for number in range(30):
        sent += send(wired, slow, number % 3, number, "y" * 1000)
    assert slow.read_all(len(sent)) == sent
    # And the direct way is open again.
    assert not slow.outbox.full
    more = send(wired, slow, 1, 99)
    assert slow.client.recv(1000) == more


def test_what_waits_is_taken_back_at_frame_boundaries(wired: Wired, slow: Wire) -> None:
    sent = slow.fill()
    waiting = [send(wired, slow, number % 3, number, "y" * 500) for number in range(60)]
    slow.outbox.retract(1)
    left = b"".join(frame for frame in waiting if subscription_of(frame) != 1)
    assert slow.read_all(len(sent + left)) == sent + left
    assert slow.waiting == 0


def test_what_is_taken_back_makes_room(wired: Wired, slow: Wire) -> None:
    sent = slow.fill()
    for number in range(150):
        send(wired, slow, 1, number, "y" * 1000)
    slow.outbox.retract(1)
    kept = [send(wired, slow, 2, number, "y" * 1000) for number in range(150)]
    assert not slow.end.was_cut
    assert slow.read_all(len(sent) + sum(map(len, kept))) == sent + b"".join(kept)


def test_nothing_to_take_back(wired: Wired) -> None:
    wire = wired.peer()
    wire.outbox.retract(1)
    sent = send(wired, wire, 1, 1)
    assert wire.read_all(len(sent)) == sent


def test_what_was_half_sent_is_completed(wired: Wired, slow: Wire) -> None:
    """A frame of which a part has left is never taken back, or the stream would end within it."""
    sent = slow.fill()
    long = send(wired, slow, 1, 0, "z" * 60_000)
    first = slow.read_all(len(sent) + 10)
    slow.outbox.retract(1)
    last = send(wired, slow, 2, 1)
    assert len(first) < len(sent + long)
    assert first + slow.read_until_idle() == sent + long + last


def test_who_reads_nothing_is_cut_off_by_size(wired: Wired, slow: Wire) -> None:
    slow.fill()
    count = 0
    while not slow.end.was_cut:
        send(wired, slow, 1, count, "y" * 1000)
        count += 1
        assert slow.waiting <= LIMITS.size + 2000
        assert count < 1000
    assert slow.end.was_cut == "more than 200000 bytes waited for it"
    assert 190 <= count <= 200
    assert slow.waiting == 0
    send(wired, slow, 1, 0)  # and nothing is kept for it any more
    wired.until(lambda: slow.end.lost)


def test_one_message_always_has_a_place(wired: Wired, slow: Wire) -> None:
    sent = slow.fill()
    sent += send(wired, slow, 1, 1, "y" * 500_000)
    assert not slow.end.was_cut
    assert slow.read_all(len(sent)) == sent


def test_who_reads_nothing_is_cut_off_in_time(wired: Wired, slow: Wire) -> None:
    slow.fill()
    send(wired, slow, 1, 1)
    wired.clock.now += LIMITS.stalled - 0.1
    wired.deadlines.run_due()
    before = slow.end.was_cut
    wired.clock.now += 0.2
    wired.deadlines.run_due()
    assert (before, slow.end.was_cut) == ("", "it read nothing for 10 s")
    assert len(wired.deadlines) == 0


def test_who_reads_slowly_is_kept(wired: Wired, slow: Wire) -> None:
    slow.fill()
    for number in range(100):
        send(wired, slow, 1, number, "y" * 1500)
    for _ in range(5):
        wired.clock.now += LIMITS.stalled
        # Some 8 kB, so that the socket takes something.
        slow.read_all(8_000)
        wired.deadlines.run_due()
        if not slow.outbox.full:
            break
        assert not slow.end.was_cut


def test_the_deadline_ends_with_the_wait(wired: Wired, slow: Wire) -> None:
    sent = slow.fill()
    assert len(wired.deadlines) == 1
    slow.read_all(len(sent))
    assert len(wired.deadlines) == 0


def test_a_close_comes_behind_what_was_sent(wired: Wired, slow: Wire) -> None:
    sent = slow.fill()
    sent += send(wired, slow, 1, 1, "y" * 1000)
    slow.outbox.close(1008, "reason")
    wired.spin()
    assert slow.end.ended is None
    close = b"close 1008 reason"
    assert slow.read_all(len(sent) + len(close)) == sent + close
    assert slow.end.ended == (1008, "reason")


def test_a_close_at_once_if_nothing_waits(wired: Wired) -> None:
    wire = wired.peer()
    wire.outbox.close(1000, "")
    wired.spin()
    assert wire.end.ended == (1000, "")


def test_what_is_released_leaves_though_the_transport_is_to_close(wired: Wired, slow: Wire) -> None:
    sent = slow.fill()
    for number in range(20):
        sent += send(wired, slow, 1, number, "y" * 1000)
    slow.outbox.release()
    slow.end.transport.loseConnection()
    assert slow.read_all(len(sent)) == sent


def test_nothing_is_kept_for_a_connection_that_is_gone(wired: Wired, slow: Wire) -> None:
    slow.fill()
    send(wired, slow, 1, 1)
    slow.client.close()
    wired.until(lambda: slow.end.lost)
    slow.outbox.stopProducing()  # as the WebSocket does
    send(wired, slow, 1, 1)
    slow.outbox.retract(1)
    slow.outbox.pause()
    slow.outbox.resume()
    slow.outbox.finish(1000, "")
    assert slow.end.ended is None
    assert slow.waiting == 0
    assert len(wired.deadlines) == 0
