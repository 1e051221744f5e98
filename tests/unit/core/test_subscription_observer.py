"""What an observer of subscriptions hears, when, and in which order ("Subscription Meta API")."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from unit.core.routed import RealmUnderTest, Routed

if TYPE_CHECKING:
    from unit.core.routed import Peer

    from wampgate.core.broker import Subscription
    from wampgate.core.session import Session


class Observer:
    """Writes down what it hears, and what the session had been sent by then."""

    def __init__(self, routed: Routed) -> None:
        self.heard: list[tuple[str, int, str]] = []
        self.sent: list[list[int]] = []
        self.holds: list[set[str]] = []
        self._routed = routed

    def created(self, session: Session, subscription: Subscription) -> None:
        self._hear("created", session, subscription)

    def subscribed(self, session: Session, subscription: Subscription) -> None:
        self._hear("subscribed", session, subscription)

    def unsubscribed(self, session: Session, subscription: Subscription) -> None:
        assert session not in subscription.subscribers
        self._hear("unsubscribed", session, subscription)

    def deleted(self, session: Session, subscription: Subscription) -> None:
        assert not subscription.subscribers
        self._hear("deleted", session, subscription)

    def _hear(self, what: str, session: Session, subscription: Subscription) -> None:
        self.heard.append((what, session.id, subscription.topic))
        (peer,) = (peer for peer in self._routed.peers if peer.session is session)
        self.sent.append([message[0] for message in peer.messages])
        self.holds.append(
            {other.topic for other in self._routed.realm.realm.broker.subscriptions() if session in other.subscribers}
        )

    def take(self) -> list[tuple[str, int, str]]:
        heard, self.heard = self.heard, []
        return heard


@pytest.fixture
def routed() -> Routed:
    return Routed()


@pytest.fixture
def observer(routed: Routed) -> Observer:
    observer = routed.realm.realm.broker.observer = Observer(routed)
    return observer


def subscribe(peer: Peer, topic: str) -> int:
    return int(peer.ask(32, {}, topic)[0][2])


def test_the_whole_life_of_a_subscription(routed: Routed, observer: Observer) -> None:
    one, two = routed.peer().join(), routed.peer().join()
    first = subscribe(one, "com.example.a")
    assert observer.take() == [
        ("created", one.session.id, "com.example.a"),
        ("subscribed", one.session.id, "com.example.a"),
    ]
    subscribe(two, "com.example.a")
    assert observer.take() == [("subscribed", two.session.id, "com.example.a")]
    subscribe(two, "com.example.a")
    assert observer.take() == []
    one.ask(34, first)
    assert observer.take() == [("unsubscribed", one.session.id, "com.example.a")]
    two.ask(34, first)
    assert observer.take() == [
        ("unsubscribed", two.session.id, "com.example.a"),
        ("deleted", two.session.id, "com.example.a"),
    ]
    two.ask(34, first)
    assert observer.take() == []


def test_the_subscriber_has_its_answer_before_anyone_hears_of_it(routed: Routed, observer: Observer) -> None:
    subscribe(routed.peer().join(), "com.example.a")
    assert observer.sent == [[2, 33], [2, 33]]


def test_who_leaves_has_lost_all_before_any_of_it_is_told(routed: Routed, observer: Observer) -> None:
    """Else the event about the first would be delivered by the second to a session that is gone."""
    peer = routed.peer().join()
    for name in "abc":
        subscribe(peer, f"com.example.{name}")
    observer.take()
    observer.holds.clear()
    peer.leave()
    assert observer.take() == [
        (what, peer.session.id, f"com.example.{name}") for name in "abc" for what in ("unsubscribed", "deleted")
    ]
    assert observer.holds == [set()] * 6


def test_what_is_taken_away_is_told_likewise(observer: Observer, routed: Routed) -> None:
    peer = routed.peer().join(routed.realm.add_user("joe", "7"))
    subscribe(peer, "organization.7")
    observer.take()
    routed.realm.memory.remove_membership("joe", "7")
    routed.realm.memberships.forget(["joe"])
    routed.realm.realm.reconsider(peer.session)
    assert [what for what, _, _ in observer.take()] == ["unsubscribed", "deleted"]


def test_an_observer_may_go_while_it_is_told(routed: Routed, observer: Observer) -> None:
    """Nobody listens any more once the last one who did has unsubscribed."""
    broker = routed.realm.realm.broker

    class Watcher:
        def begun(self, topic: str, match: str) -> None:
            pass

        def ended(self, topic: str, match: str) -> None:
            broker.observer = None

    broker.watch(Watcher())
    peer = routed.peer().join()
    subscribe(peer, "com.example.a")
    observer.take()
    peer.leave()
    assert observer.take() == []


def test_a_subscription_is_found_by_its_pattern_and_knows_since_when_it_is() -> None:
    routed = Routed(RealmUnderTest())
    broker = routed.realm.realm.broker
    broker._wall_clock = lambda: 1234.5
    peer = routed.peer().join()
    subscribe(peer, "com.example.a")
    subscription = broker.lookup("com.example.a", "exact")
    assert subscription is not None
    assert (subscription.created, subscription.topic, subscription.match) == (1234.5, "com.example.a", "exact")
    assert broker.lookup("com.example.a", "prefix") is None
    assert broker.lookup("com.example.b", "exact") is None
