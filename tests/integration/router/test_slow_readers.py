"""Slow readers: one that wakes up loses nothing, one that does not is cut off, and others notice nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from conftest import static_configuration
from raw_wamp import random_name
from raw_websocket import CLOSE, PING, Ended, frame
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from raw_wamp import Peer

KIB = 1024


@pytest.fixture(scope="module")
def patient() -> Iterator[RouterProcess]:
    """A router that keeps much for a slow reader."""
    with RouterProcess(static_configuration(limits={"outbox_bytes": 64 * KIB * KIB, "stalled_seconds": 60})) as process:
        yield process


@pytest.fixture(scope="module")
def strict() -> Iterator[RouterProcess]:
    """A router with the usual limits."""
    with RouterProcess(static_configuration()) as process:
        yield process


@pytest.fixture(scope="module")
def hasty() -> Iterator[RouterProcess]:
    """A router that keeps much for a slow reader, but gives up on one that reads nothing for a second."""
    with RouterProcess(static_configuration(limits={"outbox_bytes": 64 * KIB * KIB, "stalled_seconds": 1})) as process:
        yield process


def flood(publisher: Peer, topic: str, megabytes: float, size: int = 16 * KIB) -> int:
    """Publish numbered events; how many."""
    count = int(megabytes * KIB * KIB / size)
    for number in range(count):
        publisher.send(16, publisher.next_request(), {}, topic, [number, "x" * size])
        if number % 64 == 63:
            publisher.events()
    publisher.events()
    return count


def numbers(reader: Peer, count: int) -> list[int]:
    return [reader.event()[4][0] for _ in range(count)]


@pytest.mark.parametrize("serializer", ["json", "cbor"])
def test_a_reader_that_wakes_up_gets_everything_in_order(
    patient: RouterProcess, join: Callable[..., Peer], serializer: str
) -> None:
    topic = random_name()
    alice = join("alice", process=patient)
    slow = join("bob", serializer, process=patient, receive_buffer=4096)
    slow.subscribe(topic)
    count = flood(alice, topic, 10)
    assert numbers(slow, count) == list(range(count))
    # Direct sending goes on afterwards.
    count = flood(alice, topic, 0.1)
    assert numbers(slow, count) == list(range(count))


def test_small_events_behind_a_full_socket_keep_their_order(patient: RouterProcess, join: Callable[..., Peer]) -> None:
    topic = random_name()
    alice = join("alice", process=patient)
    slow = join("bob", process=patient, receive_buffer=4096)
    slow.subscribe(topic)
    first = flood(alice, topic, 6)
    second = flood(alice, topic, 0.2, size=50)
    received = numbers(slow, first // 2)
    third = flood(alice, topic, 0.2, size=50)
    received += numbers(slow, first - first // 2 + second + third)
    assert received == [*range(first), *range(second), *range(third)]


def test_pongs_and_replies_do_not_tear_frames_apart(patient: RouterProcess, join: Callable[..., Peer]) -> None:
    topic = random_name()
    alice = join("alice", process=patient)
    slow = join("bob", process=patient, receive_buffer=4096)
    slow.subscribe(topic)
    count = flood(alice, topic, 6)
    slow.send_bytes(b"".join(frame(PING, b"%d" % n) for n in range(100)))
    slow.send_bytes(slow.framed([48, slow.next_request(), {}, "com.example.nothing"]))
    flood(alice, topic, 0.1)
    received: list[Any] = []
    while not received or received[-1] != [8, 48]:
        message = slow.receive()
        received.append(message[4][0] if message[0] == 36 else message[:2])
    assert received[:count] == list(range(count))
    assert slow.pongs == [b"%d" % n for n in range(100)]


def test_goodbye_comes_after_what_was_sent_before(patient: RouterProcess, join: Callable[..., Peer]) -> None:
    topic = random_name()
    alice = join("alice", process=patient)
    slow = join("bob", process=patient, receive_buffer=4096)
    slow.subscribe(topic)
    count = flood(alice, topic, 6)
    slow.send(6, {}, "wamp.close.close_realm")
    time.sleep(0.2)
    assert numbers(slow, count) == list(range(count))
    assert slow.receive() == [6, {}, "wamp.close.goodbye_and_out"]
    assert slow.closed()[0] == 1000


def test_close_is_answered_behind_what_waits(patient: RouterProcess, join: Callable[..., Peer]) -> None:
    topic = random_name()
    alice = join("alice", process=patient)
    slow = join("bob", process=patient, receive_buffer=4096)
    slow.subscribe(topic)
    flood(alice, topic, 6)
    slow.send_frame(CLOSE, b"\x03\xe8")
    time.sleep(0.2)
    assert slow.closed()[0] == 1000
    assert slow.ended() < 1


def test_a_reader_that_does_not_wake_up_is_cut_off_and_costs_little(
    strict: RouterProcess, join: Callable[..., Peer]
) -> None:
    topic = random_name()
    alice, neighbour = join("alice", process=strict), join("carol", process=strict)
    slow = [join("bob", process=strict, receive_buffer=4096) for _ in range(4)]
    for reader in [neighbour, *slow]:
        reader.subscribe(topic)
    strict.forget_peak()
    before = strict.rss()
    slowest = 0.0
    for number in range(1280):
        start = time.monotonic()
        alice.publish(topic, [number, "x" * 16 * KIB])
        assert neighbour.event()[4][0] == number
        slowest = max(slowest, time.monotonic() - start)
    log = strict.wait_for_log("cut off ", count=4)
    assert "more than 1048576 bytes waited for it" in log
    # Four queues of 1 MiB each at most, of the 80 MiB that were meant for them.
    assert strict.peak_rss() - before < 10 * KIB * KIB
    assert slowest < 1
    for reader in slow:
        with pytest.raises((Ended, TimeoutError)):
            reader.closed()


def test_a_reader_that_takes_nothing_is_cut_off_in_time(hasty: RouterProcess, join: Callable[..., Peer]) -> None:
    topic = random_name()
    alice = join("alice", process=hasty)
    slow = join("bob", process=hasty, receive_buffer=4096)
    slow.subscribe(topic)
    start = time.monotonic()
    flood(alice, topic, 8)
    hasty.wait_for_log("it read nothing for 1 s", seconds=5)
    assert time.monotonic() - start > 1


def test_a_reader_that_reads_a_little_is_kept(hasty: RouterProcess, join: Callable[..., Peer]) -> None:
    topic = random_name()
    alice = join("alice", process=hasty)
    slow = join("bob", process=hasty, receive_buffer=4096)
    slow.subscribe(topic)
    count = flood(alice, topic, 12)
    received = []
    start = time.monotonic()
    while time.monotonic() - start < 3:
        received.append(slow.event()[4][0])
        time.sleep(0.01)
    received += numbers(slow, count - len(received))
    assert received == list(range(count))


def test_one_that_writes_and_never_reads_does_not_fill_the_router(
    strict: RouterProcess, join: Callable[..., Peer]
) -> None:
    """Replies to its own requests count as well."""
    mallory = join("bob", process=strict, receive_buffer=4096, timeout=5)
    strict.forget_peak()
    before = strict.rss()
    calls = b"".join(mallory.framed([48, n, {}, f"com.example.{'x' * 900}"]) for n in range(1, 200))
    with pytest.raises((OSError, Ended)):
        mallory.send_bytes(calls * 200)
    assert strict.peak_rss() - before < 6 * KIB * KIB
    assert join("alice", process=strict).publish(random_name()) > 0
