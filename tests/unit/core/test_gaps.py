"""A session is told what it missed, and only a session that has asked to be told."""

from __future__ import annotations

import pytest
from unit.core.routed import Peer, Routed

from wampgate.core.broker import Subscription
from wampgate.core.gaps import Gap, Missed
from wampgate.core.slow_readers import Perishable

SINCE = 1_769_860_800.25


@pytest.fixture
def routed() -> Routed:
    return Routed()


def listener(routed: Routed) -> tuple[Peer, int]:
    peer = routed.peer().join()
    ((_, _, subscription),) = peer.ask(32, {}, "wampgate.gap")
    return peer, subscription


def test_what_is_told(routed: Routed) -> None:
    peer, subscription = listener(routed)
    told = routed.realm.realm.tell_gap(
        peer.session, "com.example.", "prefix", since=SINCE, why="bridge_interrupted", dropped=None
    )
    ((code, topic, publication, details, args, kwargs),) = peer.heard()
    assert told
    assert (code, topic, details, args) == (36, subscription, {}, [])
    assert publication > 0
    assert kwargs == {
        "topic": "com.example.",
        "match": "prefix",
        "since": "2026-01-31T12:00:00.250Z",
        "why": "bridge_interrupted",
        "dropped": None,
    }


def test_nobody_else_is_told(routed: Routed) -> None:
    peer, _ = listener(routed)
    other, _ = listener(routed)
    assert routed.realm.realm.tell_gap(peer.session, "a", "exact", since=SINCE, why="slow_reader", dropped=3)
    assert len(peer.heard()) == 1
    assert other.heard() == []


def test_who_does_not_listen_is_not_told(routed: Routed) -> None:
    listener(routed)
    silent = routed.peer().join()
    assert not routed.realm.realm.tell_gap(silent.session, "a", "exact", since=SINCE, why="slow_reader")
    assert silent.heard() == []
    assert routed.realm.realm.gaps.subscription_of(silent.session) is None
    assert routed.realm.realm.gaps.announcement(silent.session, Gap("a", "exact", SINCE, "slow_reader")) is None


def test_nobody_makes_others_believe_in_a_gap(routed: Routed) -> None:
    listener(routed)
    ((code, _, _, _, error, *_),) = routed.peer().join().ask(16, {"acknowledge": True}, "wampgate.gap", [], {})
    assert (code, error) == (8, "wamp.error.not_authorized")


def lost(place: int, at: float) -> Perishable:
    return Perishable(Subscription(place, f"a.{place}", "exact", at), at, None)


def test_what_was_missed_is_added_up() -> None:
    missed = Missed()
    for place, at in ((1, 20.0), (2, 25.0), (1, 30.0)):
        missed.add(lost(place, at))
    assert missed.gaps() == [
        Gap("a.1", "exact", 20.0, "slow_reader", 2),
        Gap("a.2", "exact", 25.0, "slow_reader", 1),
    ]
    missed.forget(1)
    missed.forget(3)
    assert [gap.topic for gap in missed.gaps()] == ["a.2"]


def test_it_is_bounded_and_still_counts_all() -> None:
    missed = Missed()
    for place in range(1, 10_001):
        missed.add(lost(place, 10_000.0 - place))
    gaps = missed.gaps()
    assert len(gaps) == 101
    assert gaps[-1] == Gap("", "prefix", 0.0, "slow_reader", 9_900)
    assert sum(gap.dropped or 0 for gap in gaps) == 10_000
