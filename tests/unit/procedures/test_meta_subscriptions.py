"""The "Subscription Meta API": what is there for whom, and in which order it is told of."""

from __future__ import annotations

from typing import Any

import pytest
from unit.core.routed import rule
from unit.procedures.observed import META, Listener, Observed, call, subscribe

NONE = "(wamp.error.no_such_subscription)"
BAD = "(wamp.error.invalid_argument)"
EVENTS = tuple(f"wamp.subscription.on_{what}" for what in ("create", "subscribe", "unsubscribe", "delete"))


@pytest.fixture
def observed() -> Observed:
    return Observed()


def test_list_by_match_policy(observed: Observed) -> None:
    joe, eve, backend = observed.user("joe"), observed.user("eve"), observed.backend()
    exact = subscribe(joe, "organization.7")
    prefix = subscribe(joe, "organization.8.", "prefix")
    wildcard = subscribe(backend, "com.example.a..x", "wildcard")
    foreign = subscribe(eve, "organization.9.news")
    whole = subscribe(backend, "com.", "prefix")
    everything = call(backend, "wamp.subscription.list")
    assert everything == {"exact": [exact, foreign], "prefix": [prefix, whole], "wildcard": [wildcard]}
    assert call(joe, "wamp.subscription.list") == {"exact": [exact], "prefix": [prefix], "wildcard": [wildcard]}
    assert call(eve, "wamp.subscription.list") == {"exact": [foreign], "prefix": [], "wildcard": [wildcard]}
    assert call(backend, "wamp.subscription.list", 1) == BAD


def test_lookup(observed: Observed) -> None:
    joe, eve = observed.user("joe"), observed.user("eve")
    exact, prefix = subscribe(joe, "organization.7.a"), subscribe(joe, "organization.7.", "prefix")
    assert call(joe, "wamp.subscription.lookup", "organization.7.a") == exact
    assert call(joe, "wamp.subscription.lookup", "organization.7.", {"match": "prefix"}) == prefix
    assert call(joe, "wamp.subscription.lookup", "organization.7.a", options={"match": "wildcard"}) is None
    assert call(joe, "wamp.subscription.lookup", "organization.7.b") is None
    assert call(joe, "wamp.subscription.lookup", "no uri..", {}) is None
    assert call(eve, "wamp.subscription.lookup", "organization.7.a") is None
    assert call(eve, "wamp.subscription.lookup", "organization.7.", {"match": "prefix"}) is None


def test_match(observed: Observed) -> None:
    joe, eve, backend = observed.user("joe"), observed.user("eve"), observed.backend()
    exact, prefix = subscribe(joe, "organization.7.a"), subscribe(joe, "organization.7.", "prefix")
    all_of_them = subscribe(backend, "organization.", "prefix")
    wildcard = subscribe(backend, "organization..a", "wildcard")
    everything = {exact, prefix, all_of_them, wildcard}
    assert set(call(backend, "wamp.subscription.match", "organization.7.a")) == everything
    # What reaches further than the asker's rights is not there for it.
    assert set(call(joe, "wamp.subscription.match", "organization.7.a")) == {exact, prefix}
    assert call(eve, "wamp.subscription.match", "organization.7.a") is None
    assert call(backend, "wamp.subscription.match", "com.elsewhere") is None
    assert call(backend, "wamp.subscription.match", "") is None


def test_get(observed: Observed) -> None:
    joe, ann, eve = observed.user("joe"), observed.user("ann"), observed.user("eve")
    subscription = subscribe(joe, "organization.7.", "prefix")
    details = call(ann, "wamp.subscription.get", subscription)
    created = details.pop("created")
    assert details == {"id": subscription, "uri": "organization.7.", "match": "prefix"}
    assert created.endswith("Z")
    assert len(created) == len("2026-01-31T12:00:00.000Z")
    assert call(eve, "wamp.subscription.get", subscription) == NONE
    assert call(eve, "wamp.subscription.get", subscription + 100) == NONE
    # The log tells them apart.
    (fields,) = (fields for event, fields in observed.routed.records if event == "refused")
    assert (fields["uri"], fields["because"]) == ("organization.7.", "not a member of 7")
    joe.leave()
    assert call(ann, "wamp.subscription.get", subscription) == NONE


def test_subscribers_are_those_one_sees(observed: Observed) -> None:
    peers = [observed.user("joe"), observed.user("ann"), observed.user("eve"), observed.backend(), observed.guest()]
    subscriptions = {subscribe(peer, "com.example.topic") for peer in peers}
    (subscription,) = subscriptions
    ids = [peer.session.id for peer in peers]
    joe, ann, eve, backend, guest = peers
    for peer, seen in ((backend, ids), (joe, ids[:2]), (ann, ids[:2]), (eve, [ids[2]]), (guest, [ids[4]])):
        assert call(peer, "wamp.subscription.list_subscribers", subscription) == seen
        assert call(peer, "wamp.subscription.count_subscribers", subscription) == len(seen)
    other = subscribe(joe, "organization.7")
    assert call(ann, "wamp.subscription.list_subscribers", other) == [joe.session.id]
    for name in ("list", "count"):
        assert call(eve, f"wamp.subscription.{name}_subscribers", other) == NONE
        assert call(eve, f"wamp.subscription.{name}_subscribers", 999) == NONE


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("lookup", []),
        ("lookup", [5]),
        ("lookup", ["com.example.x", {"match": "nearly"}]),
        ("lookup", ["com.example.x", ["exact"]]),
        ("match", [None]),
        ("get", []),
        ("get", ["1"]),
        ("get", [1.0]),
        ("list_subscribers", [True]),
        ("count_subscribers", [[1]]),
    ],
)
def test_arguments_that_are_none(observed: Observed, name: str, args: list[Any]) -> None:
    assert call(observed.backend(), f"wamp.subscription.{name}", *args) == BAD


def test_a_slow_store_is_waited_for(observed: Observed) -> None:
    joe = observed.user("joe")
    subscription = subscribe(joe, "organization.7")
    observed.routed.pass_time(6)
    observed.under_test.store.slow = True
    assert joe.ask(48, {}, "wamp.subscription.list") == []
    assert joe.ask(48, {}, "wamp.subscription.get", [subscription]) == []
    observed.routed.answer()
    lists = {"exact": [subscription], "prefix": [], "wildcard": []}
    first, second = joe.heard()
    assert first[:2] == [50, joe.request - 1]
    assert first[3] == [lists]
    assert second[:2] == [50, joe.request]
    assert second[3][0]["id"] == subscription


def test_half_an_answer_is_none(observed: Observed) -> None:
    """Where the store is down, a list that looks whole must not come."""
    joe = observed.user("joe")
    subscription = subscribe(joe, "organization.7")
    observed.routed.pass_time(6)
    observed.under_test.memory.go_down()
    assert call(joe, "wamp.subscription.list") == "(wamp.error.authorization_failed)"
    assert call(joe, "wamp.subscription.lookup", "organization.7") == "(wamp.error.authorization_failed)"
    assert call(joe, "wamp.subscription.get", subscription) == "(wamp.error.authorization_failed)"
    observed.under_test.memory.come_back()
    assert call(joe, "wamp.subscription.lookup", "organization.7") == subscription


# --- events ---


def test_a_subscription_s_life(observed: Observed) -> None:
    ears = Listener(observed.backend(), *EVENTS)
    joe, ann = observed.user("joe"), observed.user("ann")
    subscription = subscribe(joe, "organization.7")
    subscribe(ann, "organization.7")
    subscribe(ann, "organization.7")
    joe.ask(34, subscription)
    ann.ask(34, subscription)
    one, two = joe.session.id, ann.session.id
    (_, (_, details)), *others = ears.heard()
    assert details.pop("created").endswith("Z")
    assert details == {"id": subscription, "uri": "organization.7", "match": "exact"}
    assert others == [
        ("subscription.on_subscribe", [one, subscription]),
        ("subscription.on_subscribe", [two, subscription]),
        ("subscription.on_unsubscribe", [one, subscription]),
        ("subscription.on_unsubscribe", [two, subscription]),
        ("subscription.on_delete", [two, subscription]),
    ]


def test_who_leaves_is_off_its_subscriptions_first(observed: Observed) -> None:
    ears = Listener(observed.backend(), *EVENTS, "wamp.session.on_leave")
    joe = observed.user("joe")
    one, two = subscribe(joe, "organization.7"), subscribe(joe, "com.example.x")
    ears.heard()
    joe.leave()
    number = joe.session.id
    assert ears.heard() == [
        ("subscription.on_unsubscribe", [number, one]),
        ("subscription.on_delete", [number, one]),
        ("subscription.on_unsubscribe", [number, two]),
        ("subscription.on_delete", [number, two]),
        ("session.on_leave", [number, "joe", "member"]),
    ]


def test_a_subscription_that_is_taken_away_is_told_of(observed: Observed) -> None:
    ears = Listener(observed.backend(), *EVENTS)
    joe = observed.user("joe")
    subscription = subscribe(joe, "organization.8")
    ears.heard()
    observed.under_test.memory.remove_membership("joe", "8")
    assert ears.heard() == [
        ("subscription.on_unsubscribe", [joe.session.id, subscription]),
        ("subscription.on_delete", [joe.session.id, subscription]),
    ]


def test_each_hears_of_what_it_may_subscribe_to_by_whom_it_sees(observed: Observed) -> None:
    ears = {name: Listener(observed.user(name), *EVENTS) for name in ("joe", "ann", "eve")}
    ears["guest"] = Listener(observed.guest(), *EVENTS)
    for name, topic, hearing in (
        ("joe", "organization.7", {"joe", "ann"}),
        ("joe", "organization.8", {"joe"}),
        ("eve", "organization.9", {"eve"}),
        ("eve", "com.example.all", {"eve"}),
        ("ann", "com.example.all", {"joe", "ann"}),
    ):
        peer = observed.user(name)
        subscribe(peer, topic)
        assert {who for who, listener in ears.items() if listener.heard()} == hearing, topic
        peer.leave()
        assert {who for who, listener in ears.items() if listener.heard()} == hearing, topic


def test_the_router_s_own_topics_are_nobody_s_news(observed: Observed) -> None:
    backend = observed.backend()
    subscribe(backend, "wamp.", "prefix")
    joe = observed.user("joe")
    backend.heard()
    subscribe(joe, EVENTS[1])
    subscribe(joe, "wampgate.revoked")
    assert backend.heard() == []
    joe.leave()
    (event,) = backend.heard()
    assert event[3] == {"topic": "wamp.session.on_leave"}


def test_one_who_subscribes_to_everything_hears_of_itself_after_subscribed(observed: Observed) -> None:
    """Stock clients drop their connection on an EVENT whose SUBSCRIBED they have not had."""
    backend = observed.backend()
    first, *events = backend.ask(32, {"match": "prefix"}, "")
    assert first[0] == 33
    assert [event[3]["topic"] for event in events] == list(EVENTS[:2])
    last = backend.ask(34, first[2])
    assert [message[0] for message in last] == [35]


def test_an_event_waits_for_its_decision_and_the_next_ones_behind_it(observed: Observed) -> None:
    joe = Listener(observed.user("joe"), *EVENTS, "wamp.session.on_join")
    observed.routed.pass_time(6)
    ann = observed.user("ann")
    joe.heard()
    observed.under_test.store.slow = True
    # Ann's right is known, joe's has to be asked for.
    subscription = subscribe(ann, "organization.7")
    again = subscribe(ann, "com.example.x")
    observed.backend()
    assert joe.heard() == []
    observed.routed.answer()
    heard = joe.heard()
    assert [topic for topic, _ in heard] == [
        "subscription.on_create",
        "subscription.on_subscribe",
        "subscription.on_create",
        "subscription.on_subscribe",
    ]
    assert [args[1] for _, args in heard[1::2]] == [subscription, again]
    assert len(observed.realm.meta._late) == 0


def test_what_could_not_be_decided_is_told_as_a_gap(observed: Observed) -> None:
    peer = observed.user("joe")
    gaps = subscribe(peer, "wampgate.gap")
    joe = Listener(peer, EVENTS[1])
    observed.routed.pass_time(6)
    ann = observed.user("ann")
    observed.under_test.memory.go_down()
    subscribe(ann, "organization.7")
    (gap,) = peer.heard()
    assert gap[1] == gaps
    assert {**gap[5], "since": None} == {
        "topic": EVENTS[1],
        "match": "exact",
        "since": None,
        "why": "undecided",
        "dropped": 1,
    }
    assert observed.realm.counters["meta_events_lost"] == 1
    observed.under_test.memory.come_back()
    subscribe(ann, "organization.7.x")
    assert len(joe.heard()) == 1


def test_an_answer_for_one_receiver_does_not_lose_another_s_events(observed: Observed) -> None:
    """One question to the store is answered for several receivers, each with more than one event behind it."""
    ears = [Listener(observed.user(name), EVENTS[0], EVENTS[1]) for name in ("joe", "joe", "ann")]
    observed.routed.pass_time(6)
    other = observed.user("joe")
    observed.routed.pass_time(6)
    observed.under_test.store.slow = True
    other.ask(32, {}, "com.example.0")
    for number in range(3):
        observed.backend()
        other.ask(32, {}, f"com.example.{number}")
    assert other.ask(32, {}, "organization.7.x") == []
    observed.under_test.store.slow = False
    while observed.routed.waiting:
        observed.routed.answer()
    told = [listener.heard() for listener in ears]
    assert [len(events) for events in told] == [8, 8, 8]
    assert told[0] == told[1] == told[2]


def test_what_waits_is_bounded_and_gone_with_its_receiver(observed: Observed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wampgate.core.late_events.MAX_WAITING", 3)
    peer = observed.user("joe")
    subscribe(peer, "wampgate.gap")
    Listener(peer, EVENTS[1])
    observed.routed.pass_time(6)
    ann = observed.user("ann")
    observed.under_test.store.slow = True
    for number in range(5):
        subscribe(ann, f"organization.7.{number}")
    assert len(observed.realm.meta._late) == 3
    assert [message[5]["dropped"] for message in peer.heard()] == [1, 1]
    peer.leave()
    assert len(observed.realm.meta._late) == 0
    observed.routed.answer()
    assert len(observed.realm.meta._late) == 0


def test_no_event_after_unsubscribed(observed: Observed) -> None:
    peer = observed.user("joe")
    joe = Listener(peer, EVENTS[1])
    observed.routed.pass_time(6)
    ann = observed.user("ann")
    observed.under_test.store.slow = True
    subscribe(ann, "organization.7")
    (subscription,) = joe._topic_by_subscription
    assert peer.ask(34, subscription) == [[35, peer.request]]
    observed.routed.answer()
    assert peer.heard() == []


def test_nothing_is_listened_for_while_nobody_wants_to_hear(observed: Observed) -> None:
    broker, registrations = observed.realm.broker, observed.realm.dealer.registrations
    backend = observed.backend()
    subscribe(backend, "com.example.", "prefix")
    assert broker.observer is None
    assert registrations.observer is None
    subscription = subscribe(backend, EVENTS[0])
    assert broker.observer is not None
    assert registrations.observer is None
    backend.ask(34, subscription)
    assert broker.observer is None
    subscription = subscribe(backend, "wamp.registration.", "prefix")
    assert broker.observer is None
    assert registrations.observer is not None
    backend.leave()
    assert registrations.observer is None


def test_nobody_listens_without_a_rule() -> None:
    observed = Observed(rules=[rule for rule in META if rule.role == "guest"])
    joe = observed.user("joe")
    for topic in (*EVENTS, "wamp.session.on_join", "wamp.registration.on_delete"):
        assert joe.ask(32, {}, topic)[0][4] == "wamp.error.not_authorized"
    assert joe.ask(32, {"match": "prefix"}, "wamp.")[0][4] == "wamp.error.not_authorized"


def test_nobody_publishes_meta_events(observed: Observed) -> None:
    joe = observed.user("joe")
    Listener(joe, *EVENTS)
    for peer in (observed.backend(), observed.guest()):
        for topic in (*EVENTS, "wamp.session.on_join"):
            assert peer.ask(16, {"acknowledge": True}, topic, ["forged"])[0][4] == "wamp.error.not_authorized"
    assert joe.heard() == []


def test_a_rule_that_denies_a_part_hides_that_part() -> None:
    """The members' rule for com.example. denies com.example.closed.: its subscriptions are not shown."""
    observed = Observed(rules=(*META, rule("guest", ("subscribe",), "com.example.closed.", "prefix", allow=False)))
    backend, guest = observed.backend(), observed.guest()
    subscribe(backend, "com.example.closed.x")
    seen = subscribe(backend, "com.example.x")
    assert call(guest, "wamp.subscription.list")["exact"] == [seen]
