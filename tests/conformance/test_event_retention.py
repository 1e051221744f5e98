"""WAMP Advanced Profile, "Event Retention", on a running router over every serializer and transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from raw_wamp import EVENT, SERIALIZERS, SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE, UNSUBSCRIBED, WampError, random_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Message, Wamp


def retained(peer: Wamp, topic: str, **options: Any) -> tuple[int, list[Message]]:
    """Subscribe with retained events; the subscription, and what came with it."""
    request = peer.next_request()
    peer.send(SUBSCRIBE, request, {"get_retained": True, **options}, topic)
    answer = peer.receive()
    # Nothing may come before it.
    assert answer[:2] == [SUBSCRIBED, request], answer
    return answer[2], peer.events()


def args_of(events: list[Message]) -> list[Any]:
    return [event[4] for event in events]


def test_the_broker_announces_it(alice: Wamp) -> None:
    assert alice.welcome["roles"]["broker"]["features"]["event_retention"] is True


def test_the_retained_event_comes_right_after_subscribed(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    publication = bob.publish(topic, [21.5], {"unit": "°C"}, retain=True)
    bob.publish(topic, ["passing"])
    subscription, events = retained(alice, topic)
    assert events == [[EVENT, subscription, publication, {"retained": True}, [21.5], {"unit": "°C"}]]


def test_retain_is_false_by_default(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    bob.publish(topic, ["not kept"])
    bob.publish(topic, ["not kept either"], retain=False)
    assert retained(alice, topic)[1] == []


def test_get_retained_is_false_by_default(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    bob.publish(topic, ["kept"], retain=True)
    alice.subscribe(topic)
    alice.subscribe(topic, get_retained=False)
    assert alice.events() == []


def test_the_most_recent_one(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    for number in range(3):
        bob.publish(topic, [number], retain=True)
    assert args_of(retained(alice, topic)[1]) == [[2]]


def test_whoever_would_not_have_received_it_does_not_now(alice: Wamp, bob: Wamp, carol: Wamp) -> None:
    topic = random_name()
    bob.publish(topic, ["for all"], retain=True)
    bob.publish(topic, ["for carol"], retain=True, eligible_authid=["carol"])
    assert args_of(retained(alice, topic)[1]) == [["for all"]]
    assert args_of(retained(carol, topic)[1]) == [["for carol"]]
    # "If they were subscribing when it was published": the publisher itself was excluded.
    assert retained(bob, topic)[1] == []
    bob.publish(topic, ["for bob too"], retain=True, exclude_me=False)
    assert args_of(bob.events()) == args_of(retained(bob, topic)[1]) == [["for bob too"]]


def test_lists_of_sessions_leave_what_is_retained_as_it_was(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    bob.publish(topic, ["for all"], retain=True)
    bob.publish(topic, ["not for alice"], retain=True, exclude=[alice.session])
    assert args_of(retained(alice, topic)[1]) == [["for all"]]


def test_a_pattern_gets_the_events_of_all_topics_it_matches(alice: Wamp, bob: Wamp) -> None:
    root = random_name()
    for name in ("b.x", "a.x", "c.y"):
        bob.publish(f"{root}.{name}", [name], retain=True)
    _, events = retained(alice, f"{root}.", match="prefix")
    assert [(event[3], event[4]) for event in events] == [
        ({"retained": True, "topic": f"{root}.{name}"}, [name]) for name in ("b.x", "a.x", "c.y")
    ]
    _, events = retained(alice, f"{root}..x", match="wildcard")
    assert args_of(events) == [["b.x"], ["a.x"]]


def test_a_disclosed_publisher_stays_disclosed(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    bob.publish(topic, [1], retain=True, disclose_me=True)
    bob.leave()
    ((*_, details, _),) = retained(alice, topic)[1]
    assert details == {
        "retained": True,
        "publisher": bob.session,
        "publisher_authid": "bob",
        "publisher_authrole": "client",
    }


def test_no_event_without_a_right_to_subscribe(alice: Wamp) -> None:
    with pytest.raises(WampError) as error:
        alice.subscribe("organization.7", get_retained=True)
    assert error.value.uri == "wamp.error.not_authorized"
    assert alice.events() == []


def test_an_empty_event_clears(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    bob.publish(topic, [1], retain=True)
    bob.publish(topic, retain=True)
    assert retained(alice, topic)[1] == []


def test_newer_events_follow_and_none_after_unsubscribed(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    bob.publish(topic, [0], retain=True)
    request = alice.next_request()
    alice.send(SUBSCRIBE, request, {"get_retained": True}, topic)
    subscription = alice.receive()[2]
    for number in range(1, 20):
        bob.publish(topic, [number], retain=True)
    request = alice.next_request()
    alice.send(UNSUBSCRIBE, request, subscription)
    bob.publish(topic, ["after"], retain=True)
    received = []
    while (message := alice.receive())[0] != UNSUBSCRIBED:
        received.append(message[4][0])
    assert received[:20] == list(range(20))
    assert received[20:] in ([], ["after"])
    assert alice.events() == []


@pytest.mark.parametrize("other", SERIALIZERS)
def test_what_came_in_one_serialization_goes_out_in_any(
    alice: Wamp, join: Callable[..., Wamp], other: str, serializer: str
) -> None:
    topic = random_name()
    publisher = join("bob", other)
    data: Any = b"\x00\xff binary"
    text = "\0AP8gYmluYXJ5"
    publisher.publish(topic, [text if other == "json" else data, "é", None, {"a": [1]}], retain=True)
    ((*_, args),) = retained(alice, topic)[1]
    assert args == [text if serializer == "json" else data, "é", None, {"a": [1]}]
