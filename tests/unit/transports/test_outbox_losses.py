"""What a slow reader of topics whose events may be lost is sent on a real socket, and what it is told it was not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.transports.connected import AS_JSON, AS_MSGPACK, HANDSHAKE, Wired, frames_of
from unit.transports.slow_realm import LIMIT, SlowRealm, gaps_of, messages_of

from wampgate.core.private import GAP
from wampgate.core.session import State
from wampgate.wire.messages import Subscribed
from wampgate.wire.payload import NO_PAYLOAD
from wampgate.wire.serializers import MSGPACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unit.transports.connected import Wire


@pytest.fixture
def wired() -> Iterator[Wired]:
    wired = Wired()
    yield wired
    wired.close()


@pytest.fixture
def slow(wired: Wired) -> SlowRealm:
    return SlowRealm(wired)


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def numbers_of(messages: list[Any], subscription: int) -> list[int]:
    return [message[4][0] for message in messages if message[0] == 36 and message[1] == subscription]


# --- drop ---


def test_what_is_dropped_is_announced_before_what_follows(slow: SlowRealm) -> None:
    wire = slow.reader()
    slow.fill(wire)
    subscription = slow.subscribe(wire, "drop.a")
    for number in range(40):
        slow.wall_clock.now = 1_700_000_000.5 + number
        slow.publish("drop.a", number, 1000)
        assert wire.waiting <= LIMIT
    assert not wire.end.was_cut
    messages = messages_of(slow.read(wire))
    numbers = numbers_of(messages, subscription)
    dropped = 40 - len(numbers)
    # The oldest went, the newest are all there, in order.
    assert 20 < dropped < 35
    assert numbers == list(range(dropped, 40))
    gap = next(gap for gap in gaps_of(slow.realm, wire.session, messages) if gap["topic"] == "drop.a")
    assert gap == {
        "topic": "drop.a",
        "match": "exact",
        "since": "2023-11-14T22:13:20.500Z",
        "why": "slow_reader",
        "dropped": dropped,
    }
    told = slow.realm.gaps.subscription_of(wire.session)
    place = next(n for n, message in enumerate(messages) if message[1] == told)
    assert all(message[1] != subscription for message in messages[:place])
    assert slow.realm.counters["slow_reader_dropped"] == sum(
        gap["dropped"] for gap in gaps_of(slow.realm, wire.session, messages)
    )
    # And the direct way is open again, with nothing left over.
    slow.publish("drop.a", 40)
    assert numbers_of(messages_of(wire.client.recv(1000)), subscription) == [40]


def test_one_gap_stands_for_many_losses(slow: SlowRealm) -> None:
    """Once events have to go, half of what may wait becomes free: no announcement for each of them."""
    wire = slow.reader()
    slow.fill(wire)
    slow.subscribe(wire, "drop.a")
    for number in range(200):
        slow.publish("drop.a", number, 1000)
    messages = messages_of(slow.read(wire))
    assert len([gap for gap in gaps_of(slow.realm, wire.session, messages) if gap["topic"] == "drop.a"]) == 1


def test_what_may_not_be_dropped_stays_in_its_order(slow: SlowRealm) -> None:
    wire = slow.reader("plain.a", "drop.")
    slow.fill(wire)
    for number in range(60):
        slow.publish("drop.a", number, 1000)
        if number % 10 == 0:
            slow.publish("plain.a", number, 10)
            slow.answer(wire, number + 1, 10)
    messages = messages_of(slow.read(wire))
    plain = slow.subscribe(wire, "plain.a")
    kept = [(message[0], message[1]) for message in messages if message[0] == 50 or message[1] == plain]
    assert kept == [pair for number in range(0, 60, 10) for pair in ((36, plain), (50, number + 1))]
    assert numbers_of(messages, plain) == list(range(0, 60, 10))
    dropped = [gap for gap in gaps_of(slow.realm, wire.session, messages) if gap["topic"] == "drop."]
    assert dropped[0]["match"] == "prefix"


def test_who_can_not_be_told_is_cut_off(slow: SlowRealm) -> None:
    wire = slow.reader(hears=False)
    slow.fill(wire)
    for number in range(40):
        slow.publish("drop.filling", number, 1000)
    assert wire.end.was_cut == (
        f"more than {LIMIT} bytes waited for it, and it can't be told of a gap: it has no subscription to wampgate.gap"
    )
    assert slow.realm.counters["slow_reader_dropped"] == 0


def test_who_does_not_know_yet_by_which_subscription_is_cut_off(slow: SlowRealm, wired: Wired) -> None:
    """An event of a subscription that a client doesn't know ends the session of a stock client."""
    wire = slow.reader(hears=False)
    slow.fill(wire)
    subscription = slow.subscribe(wire, GAP)
    wired.turn(Subscribed(1, subscription), NO_PAYLOAD, (wire.session,))
    for number in range(40):
        slow.publish("drop.filling", number, 1000)
    assert "can't be told" in wire.end.was_cut


def test_who_no_longer_listens_when_it_is_to_be_told_is_cut_off(slow: SlowRealm) -> None:
    wire = slow.reader()
    slow.fill(wire)
    for number in range(40):
        slow.publish("drop.filling", number, 1000)
    assert not wire.end.was_cut
    subscription = slow.realm.gaps.subscription_of(wire.session)
    assert subscription is not None
    slow.realm.broker.unsubscribe(wire.session, subscription)
    slow.read(wire)
    assert wire.end.was_cut.startswith("events were dropped, and it can't be told")


def test_what_may_not_be_dropped_can_still_be_too_much(slow: SlowRealm) -> None:
    wire = slow.reader("plain.a")
    slow.fill(wire)
    count = 0
    while not wire.end.was_cut:
        slow.publish("drop.filling", count, 100)
        slow.publish("plain.a", count, 1000)
        count += 1
        assert count < 100
    assert wire.end.was_cut == f"more than {LIMIT} bytes waited for it that may not be dropped"
    assert count > 15
    assert wire.waiting == 0


def test_many_topics_are_told_in_one(slow: SlowRealm) -> None:
    wire = slow.reader(limit=3000)
    slow.fill(wire)
    for number in range(250):
        slow.subscribe(wire, f"drop.{number}")
    for number in range(250):
        slow.wall_clock.now += 1
        slow.publish(f"drop.{number}", number, 1000)
    messages = messages_of(slow.read(wire))
    gaps = gaps_of(slow.realm, wire.session, messages)
    assert len(gaps) == 101
    assert gaps[-1]["topic"] == ""
    assert gaps[-1]["match"] == "prefix"
    assert sum(gap["dropped"] for gap in gaps) == slow.realm.counters["slow_reader_dropped"]
    filling = slow.subscribe(wire, "drop.filling")
    others = [message for message in messages if message[4] and message[1] != filling]
    told = sum(gap["dropped"] for gap in gaps if gap["topic"] != "drop.filling")
    assert len(others) + told == 250


# --- revocation ---


def test_a_topic_that_is_taken_away_is_not_told_of(slow: SlowRealm) -> None:
    wire = slow.reader()
    slow.fill(wire)
    gone, kept = slow.subscribe(wire, "drop.secret"), slow.subscribe(wire, "drop.a")
    for number in range(40):
        slow.publish("drop.secret", number, 1000)
        slow.publish("drop.a", number, 1000)
    slow.realm.broker.unsubscribe(wire.session, gone)
    slow.realm.requests._deliver.retract(wire.session, gone)
    messages = messages_of(slow.read(wire))
    assert numbers_of(messages, gone) == []
    assert {gap["topic"] for gap in gaps_of(slow.realm, wire.session, messages)} == {"drop.a", "drop.filling"}
    numbers = numbers_of(messages, kept)
    assert numbers[-1] == 39
    assert "secret" not in str(messages)


# --- latest ---


def test_of_each_key_the_latest_waits(slow: SlowRealm) -> None:
    wire = slow.reader()
    slow.fill(wire)
    subscription = slow.subscribe(wire, "latest.")
    for number in range(300):
        slow.publish("latest.a" if number % 2 else "latest.b", number, 500, key=number % 3)
    # Six keys: two topics, three values.
    assert not wire.end.was_cut
    messages = messages_of(slow.read(wire))
    assert numbers_of(messages, subscription) == list(range(294, 300))
    assert slow.realm.counters["slow_reader_replaced"] == 294
    assert slow.realm.counters["slow_reader_dropped"] == 0


def test_latest_is_no_loss_that_has_to_be_told(slow: SlowRealm) -> None:
    wire = slow.reader(hears=False)
    slow.fill(wire)
    slow.subscribe(wire, "latest.a")
    for number in range(300):
        slow.publish("latest.a", number, 500)
    assert not wire.end.was_cut


def test_too_many_keys_are_too_much(slow: SlowRealm) -> None:
    wire = slow.reader("latest.a", hears=False)
    number = 0
    while not wire.end.was_cut:
        slow.publish("latest.a", number, 500, key=number)
        number += 1
        assert number < 1000
    assert wire.end.was_cut == f"more than {LIMIT} bytes waited for it"


# --- time ---


def stall(wired: Wired, seconds: float) -> None:
    wired.clock.now += seconds
    wired.deadlines.run_due()


def test_who_takes_nothing_is_not_cut_off_while_all_may_be_lost(slow: SlowRealm, wired: Wired) -> None:
    wire = slow.reader("latest.a")
    slow.fill(wire)
    subscription = slow.subscribe(wire, "drop.a")
    for number in range(5):
        slow.publish("drop.a", number, 100)
        slow.publish("latest.a", number, 100)
    for _ in range(5):
        stall(wired, 10)
        assert not wire.end.was_cut
    assert 0 < wire.waiting < 300  # the latest one
    slow.publish("drop.a", 5, 100)
    messages = messages_of(slow.read(wire))
    assert numbers_of(messages, subscription) == [5]
    (gap,) = [gap for gap in gaps_of(slow.realm, wire.session, messages) if gap["topic"] == "drop.a"]
    assert gap["dropped"] == 5
    assert [message for message in messages if message[0] == 36][-1][4][0] == 5
    assert len(wired.deadlines) == 0


def test_pings_that_wait_are_no_reason_to_cut_off(slow: SlowRealm, wired: Wired) -> None:
    wire = slow.reader()
    slow.fill(wire)
    wire.outbox.write(b"\x89\x00")
    stall(wired, 10)
    stall(wired, 10)
    assert not wire.end.was_cut
    assert b"\x89\x00" in slow.read(wire)


@pytest.mark.parametrize("what", ["event", "answer", "close"])
def test_who_takes_nothing_is_cut_off_if_anything_must_arrive(slow: SlowRealm, wired: Wired, what: str) -> None:
    wire = slow.reader("plain.a")
    slow.fill(wire)
    if what == "event":
        slow.publish("plain.a", 1)
    elif what == "answer":
        slow.answer(wire, 1)
    else:
        wire.outbox.close(1012, "shutdown")
        wired.turn.flush()
    stall(wired, 9.9)
    before = wire.end.was_cut
    stall(wired, 0.2)
    assert (before, wire.end.was_cut) == ("", "it read nothing for 10 s")


def test_who_takes_nothing_and_can_not_be_told_is_cut_off(slow: SlowRealm, wired: Wired) -> None:
    wire = slow.reader(hears=False)
    slow.fill(wire)
    stall(wired, 10)
    assert wire.end.was_cut.startswith("it read nothing for 10 s, and it can't be told")


def test_what_is_half_sent_decides_as_well(slow: SlowRealm, wired: Wired) -> None:
    """The socket takes part of an answer and nothing waits behind it: that must arrive, so it has its time."""
    strict, lenient = slow.reader(), slow.reader("drop.a")
    slow.answer(strict, 1, 1_000_000)
    slow.publish("drop.a", 1, 1_000_000)
    assert strict.outbox.full
    assert lenient.outbox.full
    stall(wired, 10)
    assert (bool(strict.end.was_cut), bool(lenient.end.was_cut)) == (True, False)


# --- endings ---


def test_a_session_that_is_over_is_told_nothing(slow: SlowRealm, wired: Wired) -> None:
    wire = slow.reader()
    slow.fill(wire)
    for number in range(40):
        slow.publish("drop.filling", number, 1000)
    wire.session.state = State.CLOSING
    slow.realm.leave(wire.session)
    slow.answer(wire, 7)
    messages = messages_of(slow.read(wire))
    assert messages[-1][:2] == [50, 7]
    assert not wire.end.was_cut


def test_what_is_released_is_told_of_first(slow: SlowRealm) -> None:
    wire = slow.reader()
    slow.fill(wire)
    subscription = slow.subscribe(wire, "drop.a")
    for number in range(40):
        slow.publish("drop.a", number, 1000)
    wire.outbox.release()
    wire.end.transport.loseConnection()
    messages = messages_of(slow.read(wire))
    (gap,) = [gap for gap in gaps_of(slow.realm, wire.session, messages) if gap["topic"] == "drop.a"]
    assert gap["dropped"] + len(numbers_of(messages, subscription)) == 40


def test_other_serializers_are_told_too(slow: SlowRealm) -> None:
    wire = slow.reader("drop.a", encoding=AS_MSGPACK)
    for number in range(100):
        slow.publish("drop.a", number, 1000)
    data = slow.read(wire).removeprefix(HANDSHAKE)
    payloads = [frame[4 if frame[1] == 126 else 2 :] for frame in frames_of(data)]
    told = slow.realm.gaps.subscription_of(wire.session)
    assert told is not None
    gaps = [frame for frame in payloads if b"slow_reader" in frame]
    assert len(gaps) >= 1
    assert len(payloads) > len(gaps)
    assert MSGPACK.encode_value("dropped") in gaps[0]


# --- all of it ---

TOPICS = ("plain.a", "drop.a", "drop.b", "latest.a")

steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(0, 3), st.integers(0, 3000)),
        st.tuples(st.just("publish"), st.integers(1, 3), st.integers(0, 6000)),
        st.tuples(st.just("burst"), st.integers(1, 3), st.integers(500, 1500)),
        st.tuples(st.just("answer"), st.just(0), st.integers(0, 2000)),
        st.tuples(st.just("read"), st.just(0), st.integers(1, 30_000)),
        st.tuples(st.just("stall"), st.just(0), st.just(0)),
    ),
    min_size=10,
    max_size=50,
)


class Told:
    """Goes through what one reader got, and sees that it and what it was told of is all that was sent."""

    def __init__(self, realm: Any, wire: Wire, sent: dict[int, list[tuple[int, float]]]) -> None:
        self.gap_subscription = realm.gaps.subscription_of(wire.session)
        self.patterns = {topic.topic: topic.id for topic in realm.broker.subscriptions()}
        self.sent = {subscription: list(events) for subscription, events in sent.items()}
        self.gaps = 0

    def take(self, message: Any) -> None:
        subscription = message[1]
        if subscription == self.gap_subscription:
            gap = message[5]
            missing = self.sent[self.patterns[gap["topic"]]]
            assert gap["since"] == iso(missing[0][1])
            assert len(missing) >= gap["dropped"] > 0
            del missing[: gap["dropped"]]
            self.gaps += 1
        else:
            number, _ = self.sent[subscription].pop(0)
            assert message[4][0] == number


def play(wired: Wired, slow: SlowRealm, sequence: list[tuple[str, int, int]]) -> tuple[bool, int, int]:
    """One reader's life; whether it was cut off, how many gaps and replacements there were."""
    wire = slow.reader(*TOPICS)
    ids = [slow.subscribe(wire, topic) for topic in TOPICS]
    latest = ids[3]
    sent: dict[int, list[tuple[int, float]]] = {subscription: [] for subscription in ids}
    answers: list[int] = []
    data = b""
    before = slow.realm.counters["slow_reader_replaced"]
    for number, (what, topic, size) in enumerate(sequence):
        must_stay = sum(
            len(frame)
            for _, frame, perishable in (wire.outbox.waiting.parts() if wire.outbox.waiting else ())
            if perishable is None or perishable.key is not None
        )
        if what in ("publish", "burst"):
            for place in range(12 if what == "burst" else 1):
                slow.wall_clock.now += 1
                slow.publish(TOPICS[topic], number * 100 + place, size, key=place % 2)
                sent[ids[topic]].append((number * 100 + place, slow.wall_clock.now))
                if topic in (0, 3):
                    must_stay += size + 200
        elif what == "answer":
            slow.answer(wire, number + 1, size)
            answers.append(number + 1)
            must_stay += size + 200
        elif what == "stall":
            waits = wire.outbox.waiting
            congestion = wire.outbox._congestion
            strict = congestion is not None and congestion.strict
            strict = strict or (waits is not None and any(part[2] is None for part in waits.parts()))
            stall(wired, 10)
            if wire.end.was_cut:
                assert strict
                return True, 0, 0
        else:
            data += read_some(wired, wire, size)
        if wire.end.was_cut:
            # Never as long as dropping would have been enough.
            assert must_stay > LIMIT
            return True, 0, 0
        assert wire.waiting <= LIMIT or len(wire.outbox.waiting or ()) == 1
    data += slow.read(wire)
    told = Told(slow.realm, wire, sent)
    messages = messages_of(data)
    keyed = [message for message in messages if message[0] == 36 and message[1] == latest]
    for message in messages:
        if message[0] == 36 and message[1] != latest:
            told.take(message)
    assert [message[1] for message in messages if message[0] == 50] == answers
    for subscription in ids[:3]:
        assert told.sent[subscription] == [], "neither received nor announced"
    numbers = [message[4][0] for message in keyed]
    assert numbers == sorted(set(numbers))
    last = {number % 100 % 2: number for number, _ in sent[latest]}
    assert set(last.values()) <= set(numbers), "the latest of a key is missing"
    replaced = slow.realm.counters["slow_reader_replaced"] - before
    assert len(numbers) + replaced == len(sent[latest])
    assert wire.waiting == 0
    return False, told.gaps, replaced


def read_some(wired: Wired, wire: Wire, size: int) -> bytes:
    """Read at most so much, and let the router go on."""
    data = b""
    for _ in range(10):
        wired.reactor.iterate(0)
        try:
            wire.client.setblocking(False)
            data += wire.client.recv(max(1, size - len(data)))
        except BlockingIOError:
            break
        if len(data) >= size:
            break
    wired.spin()
    return data


def test_what_is_received_and_what_is_announced_is_all_that_was_sent() -> None:
    wired = Wired()
    slow = SlowRealm(wired)
    seen = {"cut": 0, "gaps": 0, "replaced": 0, "whole": 0}

    @settings(max_examples=2 * settings().max_examples)
    @given(sequence=steps)
    def all_told(sequence: list[tuple[str, int, int]]) -> None:
        try:
            cut, gaps, replaced = play(wired, slow, sequence)
        finally:
            wired.retire()
            slow.empty()
        seen["cut"] += cut
        seen["gaps"] += gaps
        seen["replaced"] += replaced
        seen["whole"] += not cut and not gaps

    try:
        all_told()
    finally:
        wired.close()
    assert min(seen.values()) >= 5, seen


def test_a_long_life_of_a_slow_reader(wired: Wired) -> None:
    """Thousands of events past a reader that never catches up: told of each gap, cut off never."""
    slow = SlowRealm(wired)
    sequence = [("burst", 1, 1000), ("read", 0, 9000), ("burst", 3, 400), ("burst", 2, 800), ("stall", 0, 0)] * 40
    cut, gaps, replaced = play(wired, slow, sequence)
    assert not cut
    assert gaps > 20
    assert replaced > 100


def test_frames_are_the_same_as_of_any_other_event(slow: SlowRealm) -> None:
    wire = slow.reader("drop.a")
    slow.publish("drop.a", 1)
    data = wire.client.recv(1000)
    (message,) = messages_of(data)
    assert message[:2] == [36, slow.subscribe(wire, "drop.a")]
    assert message[3:] == [{}, [1, ""]]
    assert AS_JSON.serializer.name == "json"


def test_announcements_that_are_long_are_no_reason_to_cut_off(slow: SlowRealm, wired: Wired) -> None:
    """What tells of gaps doesn't fit the socket at once; its reader then takes nothing for a while."""
    wire = slow.reader(limit=2000)
    slow.fill(wire)
    topics = [f"drop.{'t' * 900}{number}" for number in range(99)]
    for topic in topics:
        slow.subscribe(wire, topic)
        slow.publish(topic, 1, 1500)
    data = b""

    def told() -> bool:
        nonlocal data
        if wire.outbox.waiting is not None and wire.outbox.waiting.missed is not None:
            data += wire.read()
        return wire.outbox.waiting is not None and wire.outbox.waiting.missed is None

    wired.until(told)
    assert wire.outbox.full
    stall(wired, 10)
    stall(wired, 10)
    assert not wire.end.was_cut
    messages = messages_of(data + slow.read(wire))
    assert len(gaps_of(slow.realm, wire.session, messages)) > 95
