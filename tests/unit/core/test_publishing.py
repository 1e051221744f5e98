"""The broker through the router: who gets which event, in which order, with which details, and who is told no."""

from __future__ import annotations

from typing import Any

import pytest
from unit.core.routed import Peer, RealmUnderTest, Routed, rule

from wampgate.core.limits import SessionLimits
from wampgate.wire.messages import MAX_ID

TOPIC = "com.example.topic"


@pytest.fixture
def routed() -> Routed:
    return Routed()


def subscribed(peer: Peer, topic: str = TOPIC, match: str = "exact") -> int:
    ((code, request, subscription),) = peer.ask(32, {"match": match}, topic)
    assert (code, request) == (33, peer.request)
    return int(subscription)


def events(peer: Peer) -> list[Any]:
    """What arrived since one last looked: (subscription, details, args) of each EVENT."""
    return events_in(peer.heard())


def events_in(heard: list[Any]) -> list[Any]:
    assert all(message[0] == 36 for message in heard), heard
    return [(message[1], message[3], *[*message[4:5], []][:1]) for message in heard]


def error(heard: list[Any], code: int, request: int) -> str:
    assert len(heard) == 1, heard
    assert heard[0][:3] == [8, code, request]
    assert heard[0][3] == {}
    return str(heard[0][4])


def test_an_event_reaches_every_subscriber_but_the_publisher(routed: Routed) -> None:
    one, two, publisher = (routed.peer().join() for _ in range(3))
    subscription = subscribed(one)
    assert subscribed(two) == subscription == subscribed(publisher)
    assert publisher.ask(16, {}, TOPIC, ["hello", {"a": 1}], {"k": [None]}) == []
    (event,) = one.heard()
    assert event[:2] == [36, subscription]
    assert 1 <= event[2] <= MAX_ID
    assert event[3:] == [{}, ["hello", {"a": 1}], {"k": [None]}]
    assert two.heard() == [event]
    assert publisher.heard() == []


def test_the_publisher_may_include_itself(routed: Routed) -> None:
    publisher = routed.peer().join()
    subscribed(publisher)
    heard = publisher.ask(16, {"exclude_me": False, "acknowledge": True}, TOPIC, [1])
    assert [message[0] for message in heard] == [36, 17]
    assert heard[0][2] == heard[1][2]


def test_only_what_is_acknowledged_is_answered(routed: Routed) -> None:
    publisher = routed.peer().join()
    ((code, request, publication),) = publisher.ask(16, {"acknowledge": True}, TOPIC)
    assert (code, request) == (17, 1)
    assert 1 <= publication <= MAX_ID
    assert publisher.ask(16, {}, TOPIC) == []
    assert publisher.ask(16, {}, "not a uri") == []
    assert publisher.ask(16, {}, "com.forbidden") == []
    assert error(publisher.ask(16, {"acknowledge": True}, "not a uri"), 16, 5) == "wamp.error.invalid_uri"
    assert error(publisher.ask(16, {"acknowledge": True}, "com.forbidden"), 16, 6) == "wamp.error.not_authorized"


@pytest.mark.parametrize("topic", ["", ".", "a.", "a..b", "a b", "a\n", "a#b", "x" * 1025, "a\0b"])
def test_a_bad_uri_is_an_error_and_no_end(routed: Routed, topic: str) -> None:
    peer = routed.peer().join()
    for code, options in ((32, {}), (16, {"acknowledge": True}), (48, {}), (64, {})):
        assert error(peer.ask(code, options, topic), code, peer.request) == "wamp.error.invalid_uri"
    assert subscribed(peer) > 0


def test_no_event_before_subscribed_and_none_after_unsubscribed(routed: Routed) -> None:
    peer, publisher = routed.peer().join(), routed.peer().join()
    publisher.ask(16, {}, TOPIC, ["before"])
    subscription = subscribed(peer)
    publisher.ask(16, {}, TOPIC, ["between"])
    assert [event[2] for event in events(peer)] == [["between"]]
    assert peer.ask(34, subscription) == [[35, peer.request]]
    publisher.ask(16, {}, TOPIC, ["after"])
    assert peer.heard() == []
    assert error(peer.ask(34, subscription), 34, peer.request) == "wamp.error.no_such_subscription"


def test_a_second_subscription_is_the_first(routed: Routed) -> None:
    peer, publisher = routed.peer().join(), routed.peer().join()
    assert subscribed(peer) == subscribed(peer)
    publisher.ask(16, {}, TOPIC, ["once"])
    assert len(events(peer)) == 1
    # Another match policy is another subscription, and the event comes under each.
    assert len({subscribed(peer), subscribed(peer, match="prefix"), subscribed(peer, match="wildcard")}) == 3
    publisher.ask(16, {}, TOPIC, ["thrice"])
    assert len(events(peer)) == 3


def test_no_one_unsubscribes_another(routed: Routed) -> None:
    peer, other = routed.peer().join(), routed.peer().join()
    subscription = subscribed(peer)
    assert error(other.ask(34, subscription), 34, 1) == "wamp.error.no_such_subscription"
    assert error(other.ask(34, 999), 34, 2) == "wamp.error.no_such_subscription"
    other.ask(16, {}, TOPIC)
    assert len(events(peer)) == 1


def test_a_subscription_s_id_is_not_used_again(routed: Routed) -> None:
    peer, other = routed.peer().join(), routed.peer().join()
    first = subscribed(peer)
    peer.ask(34, first)
    assert subscribed(other) != first


def test_patterns_tell_the_topic(routed: Routed) -> None:
    peer, publisher = routed.peer().join(), routed.peer().join()
    prefix = subscribed(peer, "com.example.", "prefix")
    wildcard = subscribed(peer, "com.example..b", "wildcard")
    publisher.ask(16, {}, "com.example.a.b", [1])
    assert events(peer) == [
        (prefix, {"topic": "com.example.a.b"}, [1]),
        (wildcard, {"topic": "com.example.a.b"}, [1]),
    ]


def test_events_keep_their_order(routed: Routed) -> None:
    peer, publisher = routed.peer().join(), routed.peer().join()
    subscribed(peer)
    for number in range(100):
        publisher.ask(16, {}, TOPIC, [number])
    assert [event[2] for event in events(peer)] == [[number] for number in range(100)]


# --- identity ---


def test_a_publisher_is_disclosed_if_it_asks(routed: Routed) -> None:
    peer = routed.peer().join()
    publisher = routed.peer().join(routed.realm.add_user("joe"))
    subscribed(peer)
    publisher.ask(16, {"disclose_me": True}, TOPIC)
    publisher.ask(16, {}, TOPIC)
    identity = {"publisher": publisher.session.id, "publisher_authid": "joe", "publisher_authrole": "member"}
    assert [event[1] for event in events(peer)] == [identity, {}]


def test_a_rule_may_disclose_always_or_never(routed: Routed) -> None:
    token = routed.realm.add_user("joe")
    peer, publisher = routed.peer().join(token), routed.peer().join(token)
    subscribed(peer, "com.example.open.x")
    subscribed(peer, "com.example.secret.x")
    publisher.ask(16, {}, "com.example.open.x")
    assert events(peer)[0][1]["publisher_authid"] == "joe"
    publisher.ask(16, {}, "com.example.secret.x")
    assert events(peer)[0][1] == {}
    heard = publisher.ask(16, {"disclose_me": True, "acknowledge": True}, "com.example.secret.x")
    assert error(heard, 16, publisher.request) == "wamp.error.option_disallowed.disclose_me"
    assert events(peer) == []


def test_no_identity_but_the_router_s(routed: Routed) -> None:
    peer, publisher = routed.peer().join(), routed.peer().join()
    subscribed(peer)
    forged = {
        "publisher": 1,
        "publisher_authid": "root",
        "publisher_authrole": "admin",
        "caller": 1,
        "topic": "x.y",
        "retained": True,
        "forward_for": [{"session": 1, "authid": "root", "authrole": "admin"}],
    }
    publisher.ask(16, forged, TOPIC)
    assert [event[1] for event in events(peer)] == [{}]


def test_lists_narrow_the_receivers(routed: Routed) -> None:
    joe, ann = (routed.peer().join(routed.realm.add_user(name)) for name in ("joe", "ann"))
    publisher = routed.peer().join()
    for peer in (joe, ann):
        subscribed(peer)
    publisher.ask(16, {"eligible_authid": ["joe"]}, TOPIC, [1])
    publisher.ask(16, {"exclude": [joe.session.id]}, TOPIC, [2])
    publisher.ask(16, {"eligible_authrole": ["admin"]}, TOPIC, [3])
    publisher.ask(16, {"eligible": []}, TOPIC, [4])
    assert [event[2] for event in events(joe)] == [[1]]
    assert [event[2] for event in events(ann)] == [[2]]


def test_lists_widen_nothing(routed: Routed) -> None:
    peer, publisher = routed.peer().join(), routed.peer().join()
    publisher.ask(16, {"eligible": [peer.session.id]}, TOPIC, ["not subscribed"])
    publisher.ask(16, {"eligible": [publisher.session.id]}, TOPIC, ["excluded as the publisher"])
    assert peer.heard() == publisher.heard() == []


# --- realms ---


def test_realms_are_worlds_of_their_own() -> None:
    routed = Routed(RealmUnderTest("one"), RealmUnderTest("two"))
    peers = [routed.peer().join(realm=name) for name in ("one", "two")]
    for peer in peers:
        subscribed(peer)
        subscribed(peer, "com.example.", "prefix")
    for sender, receiver in (peers, reversed(peers)):
        heard = sender.ask(16, {"exclude_me": False}, TOPIC, [sender.session.realm.name])
        assert [event[2] for event in events_in(heard)] == [[sender.session.realm.name]] * 2
        assert receiver.heard() == []
        receiver.ask(16, {"eligible": [sender.session.id], "exclude_me": False}, TOPIC)
        assert sender.heard() == []


# --- leaving ---


def test_a_session_that_leaves_takes_its_subscriptions_along(routed: Routed) -> None:
    peer, publisher = routed.peer().join(), routed.peer().join()
    for match in ("exact", "prefix", "wildcard"):
        subscribed(peer, match=match)
    peer.leave()
    publisher.ask(16, {}, TOPIC)
    assert peer.heard() == []
    assert len(routed.realm.realm.broker) == 0


# --- reserved URIs and rights ---


@pytest.mark.parametrize("ticket", [None, "the ticket of backend"])
@pytest.mark.parametrize("topic", ["wamp.session.on_join", "wampgate.revoked", "wamp", "wampgate"])
def test_nobody_from_outside_publishes_as_the_router(routed: Routed, ticket: str | None, topic: str) -> None:
    peer = routed.peer().join(ticket)
    heard = peer.ask(16, {"acknowledge": True}, topic)
    assert error(heard, 16, 1) == "wamp.error.not_authorized"


def test_a_pattern_that_covers_what_is_denied_is_denied(routed: Routed) -> None:
    peer = routed.peer().join(routed.realm.add_user("joe", "7"))
    for topic, match, allowed in (
        ("com.example.a.", "prefix", True),
        ("com.example.closed.x", "exact", False),
        ("com.example.closed.", "prefix", False),
        ("com.example.", "prefix", False),
        ("com.example..x", "wildcard", False),
        ("com.example.c", "prefix", False),
    ):
        heard = peer.ask(32, {"match": match}, topic)
        assert (heard[0][0] == 33) is allowed, (topic, match)


def test_every_refusal_is_recorded(routed: Routed) -> None:
    peer = routed.peer().join()
    peer.ask(32, {"match": "prefix"}, "com.other.")
    assert routed.records[-1] == (
        "refused",
        {"action": "subscribe", "uri": "com.other.", "match": "prefix", "because": "no rule allows it"},
    )
    assert routed.realm.realm.counters["refused"] == 1


def test_so_many_subscriptions_and_no_more() -> None:
    routed = Routed(RealmUnderTest(limits=SessionLimits(subscriptions=2, registrations=1, calls=1)))
    peer = routed.peer().join()
    kept = subscribed(peer, "com.example.a")
    subscribed(peer, "com.example.b")
    assert error(peer.ask(32, {}, "com.example.c"), 32, 3) == "wampgate.error.limit_exceeded"
    peer.ask(34, kept)
    subscribed(peer, "com.example.c")
    assert routed.realm.realm.counters["limit_subscriptions_per_session"] == 1


# --- decisions that take their time ---


def test_a_subscription_waits_for_the_store_and_others_go_on() -> None:
    routed = Routed(RealmUnderTest(cache_seconds=0.0))
    peer, other = routed.peer().join(routed.realm.add_user("joe", "7")), routed.peer().join()
    subscribed(other)
    routed.realm.store.slow = True
    assert peer.ask(32, {}, "organization.7") == []
    assert len(events_in(other.ask(16, {"exclude_me": False}, TOPIC, ["meanwhile"]))) == 1
    backend = routed.peer().join("the ticket of backend")
    backend.ask(16, {}, "organization.7", ["too early"])
    routed.answer()
    assert [message[0] for message in peer.heard()] == [33]
    backend.ask(16, {}, "organization.7", ["now"])
    assert [event[2] for event in events(peer)] == [["now"]]


@pytest.mark.parametrize("down", [True, False])
def test_what_can_t_be_decided_fails_and_what_is_denied_is_denied(down: bool) -> None:
    routed = Routed(RealmUnderTest(cache_seconds=0.0))
    peer = routed.peer().join(routed.realm.add_user("joe", "7"))
    if down:
        routed.realm.memory.go_down()
    reason = error(peer.ask(32, {}, "organization.8"), 32, 1)
    assert reason == ("wamp.error.authorization_failed" if down else "wamp.error.not_authorized")
    assert peer.session.established


def test_answers_to_a_session_that_left_are_nobody_s() -> None:
    routed = Routed(RealmUnderTest(cache_seconds=0.0))
    peer = routed.peer().join(routed.realm.add_user("joe", "7"))
    routed.realm.store.slow = True
    peer.ask(32, {}, "organization.7")
    peer.leave()
    routed.answer()
    assert peer.heard() == []
    assert routed.is_empty()


def test_subscriptions_keep_their_order_while_one_waits() -> None:
    routed = Routed(RealmUnderTest(cache_seconds=0.0))
    peer = routed.peer().join(routed.realm.add_user("joe", "7"))
    routed.realm.store.slow = True
    assert peer.ask(32, {}, "organization.7") == []
    assert peer.ask(32, {}, TOPIC) == []
    assert peer.ask(32, {}, "com.forbidden") == []
    routed.answer()
    assert [message[:3] for message in peer.heard()] == [[33, 1, 1], [33, 2, 2], [8, 32, 3]]


def test_a_full_inbox_stops_reading_until_it_is_half_empty() -> None:
    routed = Routed(RealmUnderTest(cache_seconds=0.0, limits=SessionLimits(inbox=4)))
    peer = routed.peer().join(routed.realm.add_user("joe", "7"))
    routed.realm.store.slow = True
    for number in range(4):
        assert not peer.paused
        peer.ask(32, {}, f"organization.7.{number}")
    assert peer.paused
    # What needs no decision passes by all the same.
    assert error(peer.ask(34, 99), 34, 5) == "wamp.error.no_such_subscription"
    # One answer serves all four, since the user is the same.
    routed.answer()
    assert not peer.paused
    assert [message[:2] for message in peer.heard()] == [[33, 1], [33, 2], [33, 3], [33, 4]]


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_reading_goes_on_whatever_the_limit(limit: int) -> None:
    routed = Routed(RealmUnderTest(cache_seconds=0.0, limits=SessionLimits(inbox=limit)))
    peer = routed.peer().join(routed.realm.add_user("joe", "7"))
    routed.realm.store.slow = True
    for _ in range(3):
        for number in range(limit):
            peer.ask(32, {}, f"organization.7.{number}")
        assert peer.paused
        while routed.waiting:
            routed.answer()
        assert not peer.paused
        assert len(peer.heard()) == limit


# --- request ids ---


def test_a_pending_request_id_may_not_come_again() -> None:
    routed = Routed(RealmUnderTest(cache_seconds=0.0))
    peer = routed.peer().join(routed.realm.add_user("joe", "7"))
    routed.realm.store.slow = True
    peer.ask(32, {}, "organization.7")
    heard = peer.say(34, 1, 5)
    assert [message[0] for message in heard] == [3]
    assert heard[0][2] == "wamp.error.protocol_violation"
    routed.answer()
    assert peer.heard() == []
    assert routed.is_empty()


def test_a_gap_is_taken_and_counted(routed: Routed) -> None:
    peer = routed.peer().join()
    for request in (1, 2, 4, 5, 7):
        assert peer.say(32, request, {}, TOPIC)[0][:2] == [33, request]
    assert routed.realm.realm.counters["request_id_gaps"] == 2
    assert peer.say(32, MAX_ID, {}, TOPIC)[0][:2] == [33, MAX_ID]


@pytest.mark.parametrize("request_id", [0, -1, MAX_ID + 1, 1.5, "1", None, True])
@pytest.mark.parametrize("code", [16, 32, 48, 64])
def test_an_id_out_of_range_is_a_violation(routed: Routed, code: int, request_id: object) -> None:
    peer = routed.peer().join()
    heard = peer.say(code, request_id, {}, TOPIC)
    assert (heard[0][0], heard[0][2]) == (3, "wamp.error.protocol_violation")


def test_rules_of_one_role_are_not_another_s() -> None:
    routed = Routed(RealmUnderTest(rules=[rule("guest", ["publish"], TOPIC), rule("member", ["subscribe"], TOPIC)]))
    guest, member = routed.peer().join(), routed.peer().join(routed.realm.add_user("joe"))
    assert error(guest.ask(32, {}, TOPIC), 32, 1) == "wamp.error.not_authorized"
    subscribed(member)
    assert error(member.ask(16, {"acknowledge": True}, TOPIC), 16, 2) == "wamp.error.not_authorized"
    guest.ask(16, {}, TOPIC)
    assert len(events(member)) == 1
