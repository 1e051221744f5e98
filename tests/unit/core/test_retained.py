"""Event retention through the router: who gets which event when subscribing, in which order, within which bounds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.core.routed import RULES, RealmUnderTest, Routed, rule
from unit.core.test_matching import matches

from wampgate.core.interfaces import Connection, Principal
from wampgate.core.local import LocalLink
from wampgate.core.retained import RetainedEvents, RetentionBounds
from wampgate.core.session import Session
from wampgate.core.topics import HistoryOptions, TopicOptions, Topics
from wampgate.wire.messages import PublishOptions
from wampgate.wire.payload import Payload

if TYPE_CHECKING:
    from unit.core.routed import Peer

    from wampgate.wire.messages import Match

TOPIC = "com.example.topic"


@pytest.fixture
def routed() -> Routed:
    return Routed()


def subscribe(peer: Peer, topic: str = TOPIC, match: str = "exact", **options: Any) -> list[Any]:
    """Subscribe with retained events; what came after SUBSCRIBED: (details, args) of each EVENT."""
    answer, *events = peer.ask(32, {"match": match, "get_retained": True, **options}, topic)
    assert answer[:2] == [33, peer.request], answer
    assert all(event[:2] == [36, answer[2]] for event in events), events
    return [(event[3], event[4] if len(event) > 4 else []) for event in events]


def retain(peer: Peer, *args: Any, topic: str = TOPIC, **options: Any) -> int:
    """Publish an event that is to be retained; its publication id."""
    ((code, _, publication),) = peer.ask(16, {"acknowledge": True, "retain": True, **options}, topic, list(args))
    assert code == 17
    return int(publication)


def args_of(events: list[Any]) -> list[Any]:
    return [args for _, args in events]


# --- "Event Retention", sentence by sentence ---


def test_the_retained_event_comes_to_who_asks_and_says_so(routed: Routed) -> None:
    publisher, asking, silent = (routed.peer().join() for _ in range(3))
    publication = retain(publisher, 21.5)
    subscribed, event = asking.ask(32, {"get_retained": True}, TOPIC)
    assert subscribed == [33, 1, event[1]]
    assert event == [36, event[1], publication, {"retained": True}, [21.5]]
    assert subscribe(silent, get_retained=False) == []
    assert [message[0] for message in silent.ask(32, {}, TOPIC)] == [33]


def test_a_publication_is_retained_only_if_it_asks(routed: Routed) -> None:
    publisher = routed.peer().join()
    publisher.ask(16, {}, TOPIC, [1])
    assert subscribe(routed.peer().join()) == []
    retain(publisher, 2)
    publisher.ask(16, {"retain": False}, TOPIC, [3])
    assert args_of(subscribe(routed.peer().join())) == [[2]]


def test_the_newest_is_the_one(routed: Routed) -> None:
    publisher = routed.peer().join()
    for number in range(3):
        retain(publisher, number)
    assert args_of(subscribe(routed.peer().join())) == [[2]]


def test_who_is_there_gets_it_as_an_event_like_any_other(routed: Routed) -> None:
    publisher, there = routed.peer().join(), routed.peer().join()
    subscribe(there)
    retain(publisher, 1)
    assert [message[3:] for message in there.heard()] == [[{}, [1]]]


def test_it_outlives_its_publisher_and_the_subscribers(routed: Routed) -> None:
    publisher, first = routed.peer().join(), routed.peer().join()
    subscribe(first)
    retain(publisher, 1)
    publisher.leave()
    first.leave()
    assert args_of(subscribe(routed.peer().join())) == [[1]]


def test_who_would_not_have_received_it_gets_the_one_before(routed: Routed) -> None:
    joe, ann = (routed.realm.add_user(name) for name in ("joe", "ann"))
    publisher = routed.peer().join()
    retain(publisher, "for all")
    retain(publisher, "for joe", eligible_authid=["joe"])
    retain(publisher, "not for guests", exclude_authrole=["guest"])
    retain(publisher, "for nobody", eligible_authid=[])
    assert args_of(subscribe(routed.peer().join(joe))) == [["not for guests"]]
    assert args_of(subscribe(routed.peer().join())) == [["for all"]]
    retain(publisher, "for joe again", eligible_authid=["joe"])
    assert args_of(subscribe(routed.peer().join(joe))) == [["for joe again"]]
    assert args_of(subscribe(routed.peer().join(ann))) == [["not for guests"]]
    retain(publisher, "for all again")
    for who in (joe, ann, None):
        assert args_of(subscribe(routed.peer().join(who))) == [["for all again"]]


def test_lists_of_sessions_are_not_retained(routed: Routed) -> None:
    """The sessions that they name are gone by the time someone asks: an excluded user would come back included."""
    publisher, other = routed.peer().join(), routed.peer().join()
    retain(publisher, "for all")
    retain(publisher, "not for other", exclude=[other.session.id])
    retain(publisher, "for other", eligible=[other.session.id])
    assert args_of(subscribe(other)) == args_of(subscribe(routed.peer().join())) == [["for all"]]


def test_the_publisher_is_excluded_unless_it_includes_itself(routed: Routed) -> None:
    publisher = routed.peer().join()
    retain(publisher, 1)
    assert subscribe(publisher) == []
    publisher.ask(34, publisher.messages[-1][2])
    publisher.ask(16, {"retain": True, "exclude_me": False}, TOPIC, [2])
    assert args_of(subscribe(publisher)) == [[2]]


def test_the_publisher_is_disclosed_as_it_was_then(routed: Routed) -> None:
    publisher = routed.peer().join(routed.realm.add_user("joe"))
    identity = {"publisher": publisher.session.id, "publisher_authid": "joe", "publisher_authrole": "member"}
    retain(publisher, 1, disclose_me=True)
    publisher.leave()
    assert subscribe(routed.peer().join()) == [({"retained": True, **identity}, [1])]


def test_nobody_forges_the_mark(routed: Routed) -> None:
    publisher, there = routed.peer().join(), routed.peer().join()
    subscribe(there)
    publisher.ask(16, {"retained": True, "publisher_authid": "root"}, TOPIC, [1])
    assert [message[3] for message in there.heard()] == [{}]


# --- order, repetition, patterns ---


def test_it_comes_before_whatever_is_published_later(routed: Routed) -> None:
    publisher, asking = routed.peer().join(), routed.peer().join()
    retain(publisher, 1)
    assert args_of(subscribe(asking)) == [[1]]
    retain(publisher, 2)
    publisher.ask(16, {}, TOPIC, [3])
    assert [(message[3], message[4]) for message in asking.heard()] == [({}, [2]), ({}, [3])]


def test_who_asks_again_is_answered_again_once(routed: Routed) -> None:
    """A second handler in the same client subscribes a second time, and asks for itself."""
    publisher, asking = routed.peer().join(), routed.peer().join()
    retain(publisher, 1)
    subscribe(asking, get_retained=False)
    assert args_of(subscribe(asking)) == [[1]]
    assert args_of(subscribe(asking)) == [[1]]


def test_what_was_decided_late_gets_what_is_retained_then() -> None:
    routed = Routed(
        RealmUnderTest(cache_seconds=0.0, rules=(*RULES, rule("backend", ["publish"], "organization.", "prefix")))
    )
    joe = routed.peer().join(routed.realm.add_user("joe", "7"))
    backend = routed.peer().join("the ticket of backend")
    retain(backend, 1, topic="organization.7")
    routed.realm.store.slow = True
    assert joe.ask(32, {"get_retained": True}, "organization.7") == []
    retain(backend, 2, topic="organization.7")
    routed.answer()
    assert [message[0] for message in joe.heard()] == [33, 36]
    assert joe.messages[-1][4] == [2]


def test_a_refused_subscription_shows_nothing(routed: Routed) -> None:
    backend = routed.peer().join("the ticket of backend")
    retain(backend, "secret", topic="organization.7")
    for who, topic, match in (
        (routed.realm.add_user("ann", "8"), "organization.7", "exact"),
        (None, "organization.", "prefix"),
        (None, "", "prefix"),
    ):
        heard = routed.peer().join(who).ask(32, {"match": match, "get_retained": True}, topic)
        assert [message[0] for message in heard] == [8]


def test_a_pattern_gets_the_event_of_each_topic_in_the_order_of_publication(routed: Routed) -> None:
    publisher = routed.peer().join()
    for topic in ("com.example.b.x", "com.example.a.x", "com.example.c.y", "com.example.b.x"):
        retain(publisher, topic[-3:], topic=topic)
    asking = routed.peer().join()
    everything = subscribe(asking, "com.example.", "prefix")
    assert args_of(everything) == [["a.x"], ["c.y"], ["b.x"]]
    assert everything[0][0] == {"retained": True, "topic": "com.example.a.x"}
    assert args_of(subscribe(asking, "com.example..x", "wildcard")) == [["a.x"], ["b.x"]]
    assert args_of(subscribe(asking, "com.example.a", "prefix")) == [["a.x"]]
    assert subscribe(asking, "com.example.z", "prefix") == []


# --- clearing ---


def test_an_event_without_a_payload_clears_and_is_an_event_all_the_same(routed: Routed) -> None:
    publisher, there = routed.peer().join(), routed.peer().join()
    subscribe(there)
    retain(publisher, 1)
    retain(publisher)
    assert [message[3:] for message in there.heard()] == [[{}, [1]], [{}, []]]
    assert subscribe(routed.peer().join()) == []


def test_what_was_for_some_is_cleared_for_them(routed: Routed) -> None:
    joe = routed.realm.add_user("joe")
    publisher = routed.peer().join()
    retain(publisher, "for all")
    retain(publisher, "for joe", eligible_authid=["joe"])
    retain(publisher, eligible_authid=["joe"])
    assert subscribe(routed.peer().join(joe)) == []
    assert args_of(subscribe(routed.peer().join())) == [["for all"]]


# --- what topics and memberships say ---


def test_topics_may_retain_nothing() -> None:
    routed = Routed(RealmUnderTest(topics=[TopicOptions("com.example.quiet.", "prefix", retain=False)]))
    publisher = routed.peer().join()
    retain(publisher, 1, topic="com.example.quiet.x")
    retain(publisher, 2, topic="com.example.loud")
    assert args_of(subscribe(routed.peer().join(), "com.example.", "prefix")) == [[2]]


def test_what_predates_a_membership_is_hidden_where_history_hides_it() -> None:
    now = 1000.0
    hiding = TopicOptions("organization.7", "exact", history=HistoryOptions(since_membership=True))
    realm = RealmUnderTest(
        rules=(*RULES, rule("backend", ["publish"], "organization.", "prefix")),
        topics=[hiding],
        wall_clock=lambda: now,
    )
    routed = Routed(realm)
    realm.realm.broker._wall_clock = lambda: now
    backend = routed.peer().join("the ticket of backend")
    for topic in ("organization.7", "organization.8"):
        retain(backend, "old", topic=topic)
    now += 10
    # Membership counts from when this router first saw it.
    joe = routed.peer().join(realm.add_user("joe", "7", "8"))
    assert subscribe(joe, "organization.7") == []
    assert args_of(subscribe(joe, "organization.8")) == [["old"]]
    now += 10
    retain(backend, "new", topic="organization.7")
    joe.heard()
    assert args_of(subscribe(joe, "organization.7")) == [["new"]]


# --- bounds ---


def publisher(authid: str, authmethod: str = "ticket", network: str = "192.0.2.1") -> Session:
    session = Session(LocalLink(lambda _message, _payload: None), Connection(f"{network}:1", network))
    session.id = hash((authid, network)) & 0xFFFF
    session.principal = Principal(authid, "member", authmethod, "static")
    return session


class Kept:
    """Retained events with the bounds of a test."""

    def __init__(self, **bounds: Any) -> None:
        self.counters: Counter[str] = Counter()
        self.retained = RetainedEvents(Topics(), RetentionBounds(**bounds), self.counters)
        self.now = 1000.0
        self.number = 0

    def publish(self, who: Session, topic: str, payload: Any = "x", **options: Any) -> None:
        self.number += 1
        self.retained.published(
            who,
            topic,
            self.number,
            PublishOptions(retain=True, **options),
            Payload([] if payload is None else [payload]),
            disclosed=False,
            now=self.now,
        )

    def topics(self, topic: str = "", match: Match = "prefix") -> list[str]:
        return [event.topic for event in self.retained.for_subscriber(publisher("reader"), topic, match, now=self.now)]


def test_no_publisher_takes_more_than_its_share_and_loses_its_own() -> None:
    kept = Kept(events_per_publisher=3)
    ann, joe = publisher("ann"), publisher("joe")
    kept.publish(ann, "ann.1")
    for number in range(10):
        kept.publish(joe, f"joe.{number}")
    assert kept.topics() == ["ann.1", "joe.7", "joe.8", "joe.9"]
    assert kept.counters["retained_evicted"] == 7


def test_nor_does_a_crowd_without_names_from_one_network() -> None:
    kept = Kept(events_per_publisher=3)
    for number in range(10):
        kept.publish(publisher(f"guest {number}", "anonymous"), f"a.{number}")
    kept.publish(publisher("guest 10", "anonymous", "192.0.2.2"), "b.0")
    assert kept.topics() == ["a.7", "a.8", "a.9", "b.0"]


def test_bytes_are_bounded_for_each_and_for_all() -> None:
    kept = Kept(bytes_per_publisher=5_000, bytes=12_000)
    for name in ("ann", "joe", "sue"):
        for number in range(4):
            kept.publish(publisher(name), f"{name}.{number}", "x" * 1_500)
    assert kept.retained.bytes <= 12_000
    shares = Counter(topic.partition(".")[0] for topic in kept.topics())
    assert shares["sue"] == 2
    assert max(shares.values()) == 2


def test_whatever_a_publisher_chooses_counts() -> None:
    """A long list of names, or a key's name of a megabyte, is no way round the bounds."""
    kept = Kept(bytes_per_publisher=100_000)
    for number in range(5):
        kept.publish(publisher("joe"), f"a.{number}", exclude_authid=["x" * 60_000])
        kept.publish(publisher("joe"), f"b.{number}", exclude_authid=["x"] * 500)
        kept.publish(publisher("joe"), f"c.{number}", ppt_scheme="x_own", ppt_keyid="x" * 60_000)
        kept.publish(publisher("joe"), "d." + "x" * 1000)
        assert kept.retained.bytes <= 100_000
    assert len(kept.retained) <= 3


def test_what_is_too_big_is_not_kept_and_leaves_nothing_older_behind() -> None:
    kept = Kept(bytes_per_publisher=2_000)
    kept.publish(publisher("ann"), "a", "old")
    kept.publish(publisher("joe"), "b")
    kept.publish(publisher("joe"), "a", "x" * 2_000)
    assert kept.topics() == ["b"]
    assert kept.counters["retained_refused"] == 1


def test_all_together_are_bounded_and_the_oldest_go() -> None:
    kept = Kept(events=3)
    for number in range(5):
        kept.publish(publisher(f"user {number}"), f"a.{number}")
    kept.publish(publisher("user 9"), "a.3")
    assert kept.topics() == ["a.2", "a.4", "a.3"]


def test_a_topic_has_a_bounded_number_of_audiences() -> None:
    kept = Kept()
    kept.publish(publisher("joe"), "a", "for all")
    for number in range(30):
        kept.publish(publisher("joe"), "a", number, eligible_authid=[f"user {number}"])
    assert len(kept.retained) == 17
    assert kept.topics() == ["a"]


def test_an_empty_list_of_those_excluded_is_no_other_audience() -> None:
    kept = Kept()
    kept.publish(publisher("joe"), "a", 1, eligible_authid=["joe"])
    kept.publish(publisher("joe"), "a", 2, eligible_authid=["joe"], exclude_authid=[], exclude_authrole=[])
    assert len(kept.retained) == 1


def test_age() -> None:
    kept = Kept(age_seconds=10.0)
    kept.publish(publisher("joe"), "a")
    kept.now += 6
    kept.publish(publisher("joe"), "b")
    kept.now += 6
    assert kept.topics() == ["b"]
    assert len(kept.retained) == 1
    assert kept.counters["retained_expired"] == 1


def test_one_subscribe_is_answered_with_a_bounded_number_the_newest_of_them() -> None:
    kept = Kept(events_per_subscribe=3, bytes_per_subscribe=3_000)
    for number in range(10):
        kept.publish(publisher("joe"), f"a.{number}")
    assert kept.topics() == ["a.7", "a.8", "a.9"]
    assert kept.counters["retained_cut"] == 1
    kept.publish(publisher("joe"), "b.0", "x" * 2_900)
    assert kept.topics() == ["b.0"]
    kept.publish(publisher("joe"), "b.0", "x" * 1_900)
    assert kept.topics() == ["a.9", "b.0"]
    # However big one is, it comes.
    kept.publish(publisher("joe"), "b.1", "x" * 9_000)
    assert kept.topics() == ["b.1"]
    assert kept.topics("b.1", "exact") == ["b.1"]
    assert kept.topics("a.", "prefix") == ["a.7", "a.8", "a.9"]


topics = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=3).map(".".join)
patterns: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    st.tuples(topics, st.just("exact")),
    st.tuples(st.one_of(st.just(""), topics, topics.map(lambda uri: uri + ".")), st.just("prefix")),
    st.tuples(st.lists(st.sampled_from(["", "a", "ab"]), min_size=1, max_size=3).map(".".join), st.just("wildcard")),
)


@given(
    published=st.lists(st.tuples(topics, st.sampled_from("abc"), st.sampled_from([None, "x", "y"])), max_size=30),
    pattern=patterns,
    events=st.integers(1, 12),
    share=st.integers(1, 12),
)
def test_what_a_subscriber_gets_is_what_the_oracle_says(
    published: list[tuple[str, str, str | None]], pattern: tuple[str, Match], events: int, share: int
) -> None:
    kept = Kept(events=events, events_per_publisher=share)
    oracle: dict[str, str] = {}
    for topic, who, payload in published:
        kept.publish(publisher(who), topic, payload)
        oracle.pop(topic, None)
        if payload is not None:
            oracle[topic] = who
        theirs = [name for name, owner in oracle.items() if owner == who]
        for name in theirs[: max(0, len(theirs) - share)]:
            del oracle[name]
        while len(oracle) > events:
            del oracle[next(iter(oracle))]
    assert kept.topics(*pattern) == [name for name in oracle if matches(*pattern, name)]
    assert len(kept.retained) == len(oracle)
    kept.now = 1e9
    kept.retained._bounds = RetentionBounds(age_seconds=1.0)
    assert kept.topics() == []
    assert kept.retained.bytes == 0
    assert kept.retained._shares == {}
    assert kept.retained._sorted_topics == []
    assert kept.retained._kept_by_topic == {}
