"""WAMP Advanced Profile, "Subscription Meta API", on a running router over every serializer and transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conformance.watching import Ears, refused, watched_configuration, without_created
from raw_wamp import random_name
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from raw_wamp import Wamp

NONE = "wamp.error.no_such_subscription"
CREATED, SUBSCRIBED, UNSUBSCRIBED, DELETED = (
    f"wamp.subscription.on_{what}" for what in ("create", "subscribe", "unsubscribe", "delete")
)


@pytest.fixture(scope="module")
def router() -> Iterator[RouterProcess]:
    with RouterProcess(watched_configuration()) as process:
        yield process


def test_the_broker_announces_it(alice: Wamp) -> None:
    assert alice.welcome["roles"]["broker"]["features"]["subscription_meta_api"] is True


def test_a_subscription_s_life_is_told_in_order(alice: Wamp, bob: Wamp, carol: Wamp) -> None:
    ears = Ears(alice, CREATED, SUBSCRIBED, UNSUBSCRIBED, DELETED)
    topic = random_name()
    subscription = bob.subscribe(topic, match="prefix")
    carol.subscribe(topic, match="prefix")
    bob.unsubscribe(subscription)
    carol.unsubscribe(subscription)
    (first, (creator, details)), *others = ears.heard()
    assert (first, creator) == (CREATED, bob.session)
    assert without_created(details) == {"id": subscription, "uri": topic, "match": "prefix"}
    assert others == [
        (SUBSCRIBED, [bob.session, subscription]),
        (SUBSCRIBED, [carol.session, subscription]),
        (UNSUBSCRIBED, [bob.session, subscription]),
        (UNSUBSCRIBED, [carol.session, subscription]),
        (DELETED, [carol.session, subscription]),
    ]


def test_who_leaves_is_removed_and_then_gone(alice: Wamp, enter: Callable[..., Wamp]) -> None:
    ears = Ears(alice, UNSUBSCRIBED, DELETED, "wamp.session.on_leave")
    bob = enter("bob")
    subscription = bob.subscribe(random_name())
    bob.leave()
    assert ears.heard_of(bob.session) == [
        (UNSUBSCRIBED, [bob.session, subscription]),
        (DELETED, [bob.session, subscription]),
        ("wamp.session.on_leave", [bob.session, "bob", "client"]),
    ]


def test_list(alice: Wamp, bob: Wamp) -> None:
    ids = {match: bob.subscribe(random_name(), match=match) for match in ("exact", "prefix", "wildcard")}
    lists = alice.call("wamp.subscription.list")
    assert set(lists) == {"exact", "prefix", "wildcard"}
    for match, number in ids.items():
        assert number in lists[match]


def test_lookup(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    exact, prefix = bob.subscribe(topic), bob.subscribe(topic, match="prefix")
    assert alice.call("wamp.subscription.lookup", [topic]) == exact
    assert alice.call("wamp.subscription.lookup", [topic, {"match": "exact"}]) == exact
    assert alice.call("wamp.subscription.lookup", [topic, {"match": "prefix"}]) == prefix
    assert alice.call("wamp.subscription.lookup", [topic, {"match": "wildcard"}]) is None
    assert alice.call("wamp.subscription.lookup", [random_name()]) is None


def test_match_is_irrespective_of_the_policy(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    root = topic.rpartition(".")[0]
    ids = {
        bob.subscribe(topic),
        bob.subscribe(topic[:-3], match="prefix"),
        bob.subscribe(f"{root}.", match="wildcard"),
    }
    assert set(alice.call("wamp.subscription.match", [topic])) >= ids
    assert alice.call("wamp.subscription.match", ["org.elsewhere"]) is None


def test_get(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    subscription = bob.subscribe(f"{topic}..x", match="wildcard")
    details = alice.call("wamp.subscription.get", [subscription])
    assert without_created(details) == {"id": subscription, "uri": f"{topic}..x", "match": "wildcard"}
    bob.unsubscribe(subscription)
    assert refused(alice, "wamp.subscription.get", subscription) == NONE


def test_subscribers(alice: Wamp, bob: Wamp, carol: Wamp) -> None:
    topic = random_name()
    subscription = bob.subscribe(topic)
    carol.subscribe(topic)
    assert set(alice.call("wamp.subscription.list_subscribers", [subscription])) == {bob.session, carol.session}
    assert alice.call("wamp.subscription.count_subscribers", [subscription]) == 2
    carol.unsubscribe(subscription)
    assert alice.call("wamp.subscription.list_subscribers", [subscription]) == [bob.session]
    bob.unsubscribe(subscription)
    for name in ("list", "count"):
        assert refused(alice, f"wamp.subscription.{name}_subscribers", subscription) == NONE
