"""WAMP Basic Profile, "Publish and Subscribe", with the features of the Advanced Profile that the router announces."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from raw_wamp import SERIALIZERS, WampError, random_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Wamp

PAYLOADS: list[list[Any]] = [
    [],
    [["Hello, world!"]],
    [[], {"color": "orange", "sizes": [23, 42, 7]}],
    [[None, True, False, 0, -1, 2**53, -(2**53), 1.5, "", "é€😀", [], {}, [[{"a": [None]}]]], {"": None, "é": {}}],
    [["x" * 70_000]],
    [[2**64 - 1, -(2**63)]],
]


# --- "Subscribing and Unsubscribing" ---


def test_subscribe_and_unsubscribe(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    subscription = alice.subscribe(topic)
    assert 1 <= subscription <= 2**53
    publication = bob.publish(topic, ["one"])
    assert alice.event() == [36, subscription, publication, {}, ["one"]]
    alice.unsubscribe(subscription)
    bob.publish(topic, ["two"])
    assert alice.events() == []


def test_a_second_subscription_is_the_first_one(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    subscription = alice.subscribe(topic)
    assert alice.subscribe(topic) == subscription
    bob.publish(topic, ["once"])
    assert len(alice.events()) == 1


def test_subscribers_of_a_topic_share_its_subscription(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    assert alice.subscribe(topic) == bob.subscribe(topic)


def test_unsubscribing_what_one_does_not_hold(alice: Wamp, bob: Wamp) -> None:
    subscription = bob.subscribe(random_name())
    for unknown in (2**53, subscription):
        with pytest.raises(WampError) as error:
            alice.unsubscribe(unknown)
        assert error.value.uri == "wamp.error.no_such_subscription"
        assert error.value.message[1] == 34


def test_unsubscribing_twice(alice: Wamp) -> None:
    subscription = alice.subscribe(random_name())
    alice.unsubscribe(subscription)
    with pytest.raises(WampError) as error:
        alice.unsubscribe(subscription)
    assert error.value.uri == "wamp.error.no_such_subscription"


def test_what_is_not_allowed(alice: Wamp) -> None:
    for topic in ("com.elsewhere", "organization.7", "com.example"):
        with pytest.raises(WampError) as error:
            alice.subscribe(topic)
        assert error.value.uri == "wamp.error.not_authorized"
        with pytest.raises(WampError) as error:
            alice.publish(topic)
        assert error.value.uri == "wamp.error.not_authorized"


# --- "Publishing and Events" ---


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: repr(payload)[:40])
@pytest.mark.parametrize("receiver", SERIALIZERS)
def test_payloads_arrive_as_they_were_sent(
    alice: Wamp, join: Callable[..., Wamp], receiver: str, payload: list[Any]
) -> None:
    topic = random_name()
    bob = join("bob", receiver)
    subscription = bob.subscribe(topic)
    publication = alice.publish(topic, *payload)
    assert bob.event() == [36, subscription, publication, {}, *payload]


def test_empty_arguments_need_not_arrive(alice: Wamp, join: Callable[..., Wamp]) -> None:
    topic = random_name()
    for receiver in SERIALIZERS:
        bob = join("bob", receiver)
        bob.subscribe(topic)
        payloads: list[list[Any]] = [[[]], [[], {}], [["x"], {}]]
        for payload in payloads:
            alice.publish(topic, *payload)
            event = bob.event()[4:]
            assert (event + [[], {}][len(event) :]) == (payload + [[], {}][len(payload) :])


@pytest.mark.parametrize("receiver", ["msgpack", "cbor"])
def test_binary_payloads(alice: Wamp, join: Callable[..., Wamp], receiver: str) -> None:
    """ "Binary conversion of JSON Strings": what is binary for one is a string with NUL and Base64 for the other."""
    topic = random_name()
    bob, carol = join("bob", receiver), join("carol", "json")
    bob.subscribe(topic)
    carol.subscribe(topic)
    data = bytes(range(256))
    text = "\0" + base64.b64encode(data).decode()
    alice.publish(topic, [text if alice.serializer == "json" else data])
    assert bob.event()[4] == [data]
    assert carol.event()[4] == [text]


def test_publishing_without_acknowledge_is_silent(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    bob.subscribe(topic)
    alice.send(16, alice.next_request(), {}, topic, ["quiet"])
    alice.send(16, alice.next_request(), {"acknowledge": False}, topic, ["quiet"])
    alice.send(16, alice.next_request(), {}, "com.elsewhere", ["refused in silence"])
    assert alice.publish(topic, ["told"]) > 0
    assert [event[4] for event in bob.events()] == [["quiet"], ["quiet"], ["told"]]


def test_publications_have_ids_of_their_own(alice: Wamp, bob: Wamp, carol: Wamp) -> None:
    topic = random_name()
    bob.subscribe(topic)
    carol.subscribe(topic)
    published = [alice.publish(topic) for _ in range(20)]
    assert len(set(published)) == 20
    assert [event[2] for event in bob.events()] == published == [event[2] for event in carol.events()]


def test_events_keep_their_order(alice: Wamp, bob: Wamp, carol: Wamp) -> None:
    topic, other = random_name(), random_name()
    for peer in (bob, carol):
        peer.subscribe(topic)
        peer.subscribe(other)
    for number in range(200):
        alice.send(16, alice.next_request(), {}, other if number % 3 == 0 else topic, [number])
    alice.publish(topic, [200])
    for peer in (bob, carol):
        assert [event[4][0] for event in peer.events()] == list(range(201))


def test_an_event_comes_once_per_subscription(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    head = topic.rpartition(".")[0]
    ids = {
        bob.subscribe(topic),
        bob.subscribe(topic[:-2], match="prefix"),
        bob.subscribe("com.example.", match="prefix"),
        bob.subscribe(f"{head}.", match="wildcard"),
    }
    publication = alice.publish(topic)
    events = bob.events()
    assert {event[1] for event in events} == ids
    assert [event[2] for event in events] == [publication] * len(ids)


# --- "Publisher Exclusion" ---


def test_the_publisher_is_excluded_unless_it_asks(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    subscription = alice.subscribe(topic)
    bob.subscribe(topic)
    alice.publish(topic, ["not to me"])
    alice.publish(topic, ["not to me"], exclude_me=True)
    publication = alice.publish(topic, ["to me"], exclude_me=False)
    assert alice.events() == [[36, subscription, publication, {}, ["to me"]]]
    assert len(bob.events()) == 3


# --- "Publisher Identification" ---


def test_the_publisher_is_disclosed_if_it_asks(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    bob.subscribe(topic)
    alice.publish(topic)
    alice.publish(topic, disclose_me=True)
    anonymous, named = bob.events()
    assert anonymous[3] == {}
    assert named[3] == {"publisher": alice.session, "publisher_authid": "alice", "publisher_authrole": "client"}


def test_the_router_may_forbid_disclosure_or_demand_it(alice: Wamp, bob: Wamp) -> None:
    secret, open_ = random_name("com.example.secret"), random_name("com.example.open")
    bob.subscribe(secret)
    bob.subscribe(open_)
    with pytest.raises(WampError) as error:
        alice.publish(secret, disclose_me=True)
    assert error.value.uri == "wamp.error.option_disallowed.disclose_me"
    alice.publish(secret)
    alice.publish(open_)
    assert [event[3].get("publisher") for event in bob.events()] == [None, alice.session]


# --- "Subscriber Black- and Whitelisting" ---


@pytest.mark.parametrize(
    ("options", "receivers"),
    [
        ({}, "bob carol guest"),
        ({"exclude": ["bob"]}, "carol guest"),
        ({"exclude": []}, "bob carol guest"),
        ({"exclude_authid": ["bob", "carol"]}, "guest"),
        ({"exclude_authrole": ["client"]}, "guest"),
        ({"eligible": ["bob"]}, "bob"),
        ({"eligible": ["bob", "carol"], "exclude": ["bob"]}, "carol"),
        ({"eligible": []}, ""),
        ({"eligible_authid": ["carol"]}, "carol"),
        ({"eligible_authrole": ["client"]}, "bob carol"),
        ({"eligible_authrole": ["client"], "exclude_authid": ["carol"]}, "bob"),
        ({"eligible": ["bob"], "eligible_authid": ["carol"]}, ""),
    ],
    ids=str,
)
def test_black_and_white_lists(
    alice: Wamp, listeners: dict[str, Wamp], options: dict[str, list[str]], receivers: str
) -> None:
    topic = random_name()
    for peer in listeners.values():
        peer.subscribe(topic)
    sessions = {name: peer.session for name, peer in listeners.items()}
    told = {key: [sessions[n] for n in names] if "auth" not in key else names for key, names in options.items()}
    alice.publish(topic, **told)
    assert [name for name, peer in listeners.items() if peer.events()] == receivers.split()


@pytest.fixture
def listeners(bob: Wamp, carol: Wamp, join: Callable[..., Wamp]) -> dict[str, Wamp]:
    return {"bob": bob, "carol": carol, "guest": join(None)}


# --- "Pattern-based Subscription" ---


@pytest.mark.parametrize(
    ("pattern", "matched", "unmatched"),
    [
        (("T.a", "prefix"), ["T.a", "T.a.b", "T.ab", "T.ab.c"], ["T", "T.b", "T.b.a"]),
        (("T.a.", "prefix"), ["T.a.b", "T.a.b.c"], ["T.a", "T.ab"]),
        (("T..c", "wildcard"), ["T.b.c", "T.x.c"], ["T.c", "T.b.c.d", "T.b.x", "T.b"]),
        (("T.", "wildcard"), ["T.a", "T.b"], ["T", "T.a.b"]),
        (("T..", "wildcard"), ["T.a.b"], ["T.a", "T.a.b.c"]),
        (("T.a", "wildcard"), ["T.a"], ["T.b", "T.a.b"]),
        (("T.a", "exact"), ["T.a"], ["T", "T.a.b", "T.ab"]),
    ],
)
def test_patterns(alice: Wamp, bob: Wamp, pattern: tuple[str, str], matched: list[str], unmatched: list[str]) -> None:
    root = random_name()
    text, match = pattern
    subscription = bob.subscribe(text.replace("T", root, 1), match=match)
    for topic in [*matched, *unmatched]:
        alice.publish(topic.replace("T", root, 1), [topic])
    events = bob.events()
    assert [event[4][0] for event in events] == matched
    assert {event[1] for event in events} == {subscription}
    details = [{} if match == "exact" else {"topic": topic.replace("T", root, 1)} for topic in matched]
    assert [event[3] for event in events] == details


def test_the_same_text_with_another_match_is_another_subscription(alice: Wamp) -> None:
    topic = random_name()
    assert len({alice.subscribe(topic, match=match) for match in ("exact", "prefix", "wildcard")}) == 3


def test_a_pattern_is_as_restricted_as_what_it_matches(alice: Wamp) -> None:
    for pattern, match in (("com.", "prefix"), ("com.example", "prefix"), ("", "prefix"), ("com..x", "wildcard")):
        with pytest.raises(WampError) as error:
            alice.subscribe(pattern, match=match)
        assert error.value.uri == "wamp.error.not_authorized"
