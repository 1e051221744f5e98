"""What publishes from inside: with an id of its own, and past those who are on another topic."""

from __future__ import annotations

from typing import Any

import pytest
from unit.core.routed import RULES, Peer, RealmUnderTest, Routed, rule

from wampgate.core.errors import RequestRefused
from wampgate.core.interfaces import Principal
from wampgate.core.local import LocalPublisher
from wampgate.core.topics import HistoryOptions, TopicOptions


class Bridged:
    """A realm with a bridge's publisher, and users of organizations 7 and 8."""

    def __init__(self) -> None:
        rules = (*RULES, rule("bridge", ["publish"], "organization.", "prefix"), rule("monitor", ["subscribe"], ""))
        self.under_test = RealmUnderTest(rules=rules)
        self.routed = Routed(self.under_test)
        self.publisher = LocalPublisher(self.under_test.realm, Principal("bridge", "bridge", "bridge", "router"))
        self.under_test.add_user("joe", "7")
        self.under_test.add_user("ann", "7", "8")

    def user(self, name: str, *topics: str, match: str = "exact") -> Peer:
        peer = self.routed.peer().join(f"the token of {name}")
        return self.subscribe(peer, *topics, match=match)

    def subscribe(self, peer: Peer, *topics: str, match: str = "exact") -> Peer:
        for topic in topics:
            (answer,) = peer.ask(32, {"match": match}, topic)
            assert answer[0] == 33, answer
        return peer


@pytest.fixture
def bridged() -> Bridged:
    return Bridged()


def events(peer: Peer) -> list[Any]:
    return [message[4] for message in peer.heard() if message[0] == 36]


def test_a_publication_id_of_its_own(bridged: Bridged) -> None:
    joe = bridged.user("joe", "organization.7")
    assert bridged.publisher.publish("organization.7", [1], publication=4711) == 4711
    (event,) = joe.heard()
    assert event[2] == 4711
    assert bridged.publisher.publish("organization.7", [2]) != bridged.publisher.publish("organization.7", [2])


def test_who_is_on_an_excluded_topic_hears_nothing(bridged: Bridged) -> None:
    joe = bridged.user("joe", "organization.7")
    ann = bridged.user("ann", "organization.7", "organization.8")
    below = bridged.user("ann", "organization.7")
    bridged.subscribe(below, "organization.8.", match="prefix")
    bridged.publisher.publish("organization.7", ["to 7 but not 8"], exclude_subscribers=["organization.8"])
    assert (events(joe), events(ann), events(below)) == (
        [["to 7 but not 8"]],
        [],
        [["to 7 but not 8"]],
    )
    bridged.publisher.publish("organization.7", ["x"], exclude_subscribers=["organization.8.x"])
    assert (events(joe), events(ann), events(below)) == ([["x"]], [["x"]], [])


def test_what_is_not_for_the_subscribers_of_a_topic_is_not_kept_even_if_there_are_none() -> None:
    under_test = RealmUnderTest(
        rules=(*RULES, rule("bridge", ["publish"], "organization.", "prefix")),
        topics=[TopicOptions("organization.", "prefix", history=HistoryOptions())],
    )
    Routed(under_test)
    realm = under_test.realm
    publisher = LocalPublisher(realm, Principal("bridge", "bridge", "bridge", "router"))
    publisher.publish("organization.7", ["secret to 8"], exclude_subscribers=["organization.8"])
    publisher.publish("organization.7", ["for all"])
    assert realm.history is not None
    kept = realm.history.window("organization.7", "exact").backwards()
    assert [list(event.payload().args) for event in kept] == [["for all"]]


def test_who_listens_to_everything_is_on_no_topic_in_particular(bridged: Bridged) -> None:
    backend = bridged.routed.peer().join("the ticket of backend")
    bridged.subscribe(backend, "organization.", match="prefix")
    bridged.publisher.publish("organization.7", [1], exclude_subscribers=["organization.8"])
    assert events(backend) == [[1]]


def test_excluded_sessions_and_topics_together(bridged: Bridged) -> None:
    joe, other = bridged.user("joe", "organization.7"), bridged.user("joe", "organization.7")
    ann = bridged.user("ann", "organization.7", "organization.8")
    bridged.publisher.publish(
        "organization.7", [1], exclude=[joe.session.id], exclude_subscribers=["organization.8", "no.one"]
    )
    assert (events(joe), events(other), events(ann)) == ([], [[1]], [])


def test_only_where_its_rules_allow(bridged: Bridged) -> None:
    for topic in ("com.example.news", "wamp.session.kill", "a..b", ""):
        with pytest.raises(RequestRefused):
            bridged.publisher.publish(topic, [1], publication=1)
