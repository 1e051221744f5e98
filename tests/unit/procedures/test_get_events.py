"""``wamp.subscription.get_events`` as the specification has it: every filter, and what a guessed id does not open."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.core.routed import RULES, Peer, RealmUnderTest, Routed, rule
from unit.procedures.offered import call

from wampgate.core.topics import HistoryOptions, TopicOptions

GET_EVENTS = "wamp.subscription.get_events"
DENIED = "wamp.error.not_authorized"
DAY = 1_767_225_600.0
"""2026-01-01T00:00:00Z."""


class Subscribed:
    """A backend that publishes, one event a second, and subscriptions to read back."""

    def __init__(self) -> None:
        self.now = DAY
        self.under_test = RealmUnderTest(
            rules=(*RULES, rule("backend", ("publish", "subscribe"), "organization.", "prefix")),
            topics=(TopicOptions("", "prefix", history=HistoryOptions(age_seconds=1e6)),),
            wall_clock=lambda: self.now,
        )
        self.routed = Routed(self.under_test)
        self.under_test.add_user("joe", "7")
        self.under_test.add_user("ann", "8")
        self.backend = self.routed.peer().join("the ticket of backend")

    def user(self, name: str) -> Peer:
        return self.routed.peer().join(f"the token of {name}")

    def publish(self, topic: str, *args: Any, **options: Any) -> int:
        (answer,) = self.backend.ask(16, {"acknowledge": True, **options}, topic, list(args))
        self.now += 1
        return int(answer[2])

    def subscribe(self, peer: Peer, topic: str, match: str = "exact") -> int:
        (answer,) = peer.ask(32, {"match": match}, topic)
        return int(answer[2])


@pytest.fixture
def subscribed() -> Subscribed:
    return Subscribed()


def events_of(peer: Peer, subscription: int, **filters: Any) -> list[Any]:
    answer = call(peer, GET_EVENTS, subscription, **filters)
    assert isinstance(answer, tuple), answer
    return [event["publication"] for event in answer[0]]


def at(seconds: float) -> str:
    return f"2026-01-01T00:00:{seconds:06.3f}Z"


def test_an_event_as_the_specification_shows_it(subscribed: Subscribed) -> None:
    joe = subscribed.user("joe")
    subscription = subscribed.subscribe(joe, "organization.7")
    publication = subscribed.publish("organization.7", "news", disclose_me=True)
    empty = subscribed.publish("organization.7")
    args, kwargs = call(joe, GET_EVENTS, subscription)
    backend = subscribed.backend.session.id
    details = {"publisher": backend, "publisher_authid": "backend", "publisher_authrole": "backend"}
    assert args == [
        {
            "timestamp": at(0),
            "subscription": subscription,
            "publication": publication,
            "details": details,
            "args": ["news"],
        },
        {"timestamp": at(1), "subscription": subscription, "publication": empty, "details": {}},
    ]
    assert (kwargs["more"], kwargs["position"]) == (False, empty)


def test_every_filter_and_all_of_them_together(subscribed: Subscribed) -> None:
    joe = subscribed.user("joe")
    subscription = subscribed.subscribe(joe, "organization.7.", "prefix")
    ids = [subscribed.publish(f"organization.7.{'ab'[number % 2]}", number) for number in range(8)]

    def found(**filters: Any) -> list[int]:
        return [ids.index(publication) for publication in events_of(joe, subscription, **filters)]

    assert found() == list(range(8))
    assert found(reverse=True) == list(range(7, -1, -1))
    assert found(limit=3) == [0, 1, 2]
    assert found(limit=3, reverse=True) == [7, 6, 5]
    assert found(from_time=at(3)) == [3, 4, 5, 6, 7]
    assert found(after_time=at(3)) == [4, 5, 6, 7]
    assert found(before_time=at(3)) == [0, 1, 2]
    assert found(until_time=at(3)) == [0, 1, 2, 3]
    assert found(from_time="2026-01-01T01:00:06+01:00") == [6, 7]
    assert found(topic="organization.7.a") == [0, 2, 4, 6]
    assert found(topic="organization.8.a") == []
    assert found(from_publication=ids[5]) == [5, 6, 7]
    assert found(after_publication=ids[5]) == [6, 7]
    assert found(before_publication=ids[2]) == [0, 1]
    assert found(until_publication=ids[2]) == [0, 1, 2]
    assert found(from_publication=ids[1], before_publication=ids[6], topic="organization.7.a", limit=2) == [2, 4]
    assert found(reverse=True, before_publication=ids[4], limit=2) == [3, 2]
    assert found(from_publication=ids[6], until_publication=ids[1]) == []


@settings(max_examples=50)
@given(
    from_=st.integers(0, 9),
    until=st.integers(0, 9),
    bounds=st.sampled_from(list(product(["from", "after"], ["until", "before"], ["time", "publication"]))),
    reverse=st.booleans(),
    limit=st.integers(1, 12),
)
def test_filters_are_conditions_joined_by_and(
    from_: int, until: int, bounds: tuple[str, str, str], reverse: bool, limit: int
) -> None:
    subscribed = Subscribed()
    joe = subscribed.user("joe")
    subscription = subscribed.subscribe(joe, "organization.7")
    ids = [subscribed.publish("organization.7", number) for number in range(10)]
    begin, end, by = bounds
    value = at if by == "time" else ids.__getitem__
    filters = {f"{begin}_{by}": value(from_), f"{end}_{by}": value(until)}
    wanted = [n for n in range(10) if (n >= from_ if begin == "from" else n > from_)]
    wanted = [n for n in wanted if (n <= until if end == "until" else n < until)]
    wanted = (wanted[::-1] if reverse else wanted)[:limit]
    assert events_of(joe, subscription, reverse=reverse, limit=limit, **filters) == [ids[n] for n in wanted]


def test_a_guessed_id_opens_nothing_and_tells_nothing(subscribed: Subscribed) -> None:
    joe, ann = subscribed.user("joe"), subscribed.user("ann")
    theirs = subscribed.subscribe(joe, "organization.7")
    subscribed.publish("organization.7", "secret")
    # Its own is readable, another's and none at all look the same.
    assert len(events_of(joe, theirs)) == 1
    foreign = ann.ask(48, {}, GET_EVENTS, [theirs])
    nothing = ann.ask(48, {}, GET_EVENTS, [theirs + 1])
    assert foreign[0][4:] == nothing[0][4:]
    assert foreign[0][4] == DENIED
    # The log tells them apart.
    (fields,) = (fields for event, fields in subscribed.routed.records if event == "refused")
    assert (fields["uri"], fields["because"]) == ("organization.7", "not a member of 7")
    assert call(subscribed.routed.peer().join(), GET_EVENTS, theirs) == DENIED


def test_a_right_that_has_ended(subscribed: Subscribed) -> None:
    joe = subscribed.user("joe")
    subscription = subscribed.subscribe(subscribed.backend, "organization.7")
    subscribed.publish("organization.7", 1)
    assert len(events_of(joe, subscription)) == 1
    subscribed.under_test.memory.remove_membership("joe", "7")
    subscribed.under_test.memberships.forget(["joe"])
    assert call(joe, GET_EVENTS, subscription) == DENIED


def test_the_publishers_lists_hold(subscribed: Subscribed) -> None:
    joe, ann = subscribed.user("joe"), subscribed.user("ann")
    subscription = subscribed.subscribe(joe, "com.example.topic")
    subscribed.publish("com.example.topic", eligible_authid=["ann"])
    subscribed.publish("com.example.topic", exclude=[joe.session.id])
    assert events_of(joe, subscription) == []
    assert len(events_of(ann, subscription)) == 1


def test_a_publication_that_is_not_known_is_an_error_and_no_empty_page(subscribed: Subscribed) -> None:
    joe = subscribed.user("joe")
    subscription = subscribed.subscribe(joe, "organization.7")
    subscribed.publish("organization.7")
    for name in ("from_publication", "after_publication", "before_publication", "until_publication"):
        assert call(joe, GET_EVENTS, subscription, **{name: 1}) == "wamp.error.invalid_argument"


@pytest.mark.parametrize(
    "filters",
    [
        {"reverse": 1},
        {"limit": 0},
        {"limit": True},
        {"limit": "10"},
        {"topic": 7},
        {"topic": "a..b"},
        {"from_time": 7},
        {"from_time": "yesterday"},
        {"until_time": "2026-01-01T00:00:00"},
        {"from_publication": 0},
        {"until_publication": 1.5},
        {"anything": 1},
    ],
)
def test_arguments(subscribed: Subscribed, filters: dict[str, Any]) -> None:
    joe = subscribed.user("joe")
    subscription = subscribed.subscribe(joe, "organization.7")
    assert call(joe, GET_EVENTS, subscription, **filters) == "wamp.error.invalid_argument"
    assert call(joe, GET_EVENTS) == call(joe, GET_EVENTS, "1") == "wamp.error.invalid_argument"
