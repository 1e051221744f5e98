"""WAMP Advanced Profile, "Event History", on a running router over every serializer and transport."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from conftest import static_configuration
from raw_wamp import WampError, random_name
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from raw_wamp import Wamp

GET_EVENTS = "wamp.subscription.get_events"


@pytest.fixture(scope="module")
def router() -> Iterator[RouterProcess]:
    """A router that keeps the events of all topics below ``com.example.``."""
    configuration = static_configuration()
    configuration["realms"][0]["topics"] = [{"uri": "com.example.", "match": "prefix", "history": {}}]
    with RouterProcess(configuration) as process:
        yield process


class Publications:
    """Three topics below one root, a subscription to each and to all of them, and five publications."""

    def __init__(self, alice: Wamp, bob: Wamp) -> None:
        self._alice = alice
        self.root = random_name()
        self.auth = alice.subscribe(f"{self.root}.auth")
        self.basket = alice.subscribe(f"{self.root}.basket")
        self.everything = alice.subscribe(f"{self.root}.", match="prefix")
        topics = ("auth", "basket", "basket", "basket", "checkout")
        self.ids = [bob.publish(f"{self.root}.{topic}", [place], {"n": place}) for place, topic in enumerate(topics)]
        assert len(alice.events()) == 9
        self.events: list[Any] = self.ask(self.everything)
        self.times = [event["timestamp"] for event in self.events]

    def ask(self, subscription: int, **filters: Any) -> list[Any]:
        result = self._alice.result(self._alice.start_call(GET_EVENTS, [subscription], filters))
        return result[3] if len(result) > 3 else []

    def found(self, subscription: int | None = None, **filters: Any) -> list[int]:
        """The places of the publications that are found."""
        found = self.ask(self.everything if subscription is None else subscription, **filters)
        return [self.ids.index(event["publication"]) for event in found]

    def by_time(self, test: Callable[[str, str], bool], place: int) -> list[int]:
        """What a filter by a publication's time has to find: several may have the same one."""
        return [other for other, time in enumerate(self.times) if test(time, self.times[place])]


@pytest.fixture
def kept(alice: Wamp, bob: Wamp) -> Publications:
    return Publications(alice, bob)


def test_the_broker_announces_it(alice: Wamp) -> None:
    assert alice.welcome["roles"]["broker"]["features"]["event_history"] is True


def test_the_example_of_the_specification(kept: Publications) -> None:
    assert kept.found(kept.auth) == [0]
    assert kept.found(kept.basket) == [1, 2, 3]
    assert kept.found(kept.everything) == [0, 1, 2, 3, 4]


def test_what_an_event_looks_like(kept: Publications) -> None:
    (event,) = kept.ask(kept.auth)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event.pop("timestamp"))
    assert event == {
        "subscription": kept.auth,
        "publication": kept.ids[0],
        "details": {},
        "args": [0],
        "kwargs": {"n": 0},
    }
    assert kept.events[0]["details"] == {"topic": f"{kept.root}.auth"}


def test_nothing_published_is_an_empty_array(alice: Wamp, kept: Publications) -> None:
    assert kept.ask(alice.subscribe(random_name())) == []


def test_reverse(kept: Publications) -> None:
    assert kept.found(reverse=False) == [0, 1, 2, 3, 4]
    assert kept.found(reverse=True) == [4, 3, 2, 1, 0]


def test_limit(kept: Publications) -> None:
    assert kept.found(limit=2) == [0, 1]
    assert kept.found(limit=2, reverse=True) == [4, 3]


def test_from_time(kept: Publications) -> None:
    assert kept.found(from_time=kept.times[2]) == kept.by_time(str.__ge__, 2)
    assert kept.found(from_time="2999-01-01T00:00:00Z") == []


def test_after_time(kept: Publications) -> None:
    assert kept.found(after_time=kept.times[2]) == kept.by_time(str.__gt__, 2)
    assert kept.found(after_time="1999-01-01T00:00:00.000Z") == [0, 1, 2, 3, 4]


def test_before_time(kept: Publications) -> None:
    assert kept.found(before_time=kept.times[2]) == kept.by_time(str.__lt__, 2)
    assert kept.found(before_time="2999-01-01T00:00:00+01:00") == [0, 1, 2, 3, 4]


def test_until_time(kept: Publications) -> None:
    assert kept.found(until_time=kept.times[2]) == kept.by_time(str.__le__, 2)
    assert kept.found(until_time="1999-01-01T00:00:00-01:30") == []


def test_topic(kept: Publications) -> None:
    assert kept.found(topic=f"{kept.root}.basket") == [1, 2, 3]
    assert kept.found(topic=f"{kept.root}.nothing") == []


def test_from_publication(kept: Publications) -> None:
    assert kept.found(from_publication=kept.ids[3]) == [3, 4]


def test_after_publication(kept: Publications) -> None:
    assert kept.found(after_publication=kept.ids[3]) == [4]
    assert kept.found(after_publication=kept.ids[4]) == []


def test_before_publication(kept: Publications) -> None:
    assert kept.found(before_publication=kept.ids[1]) == [0]
    assert kept.found(before_publication=kept.ids[0]) == []


def test_until_publication(kept: Publications) -> None:
    assert kept.found(until_publication=kept.ids[1]) == [0, 1]


def test_several_filters_are_conditions_that_hold_all(kept: Publications) -> None:
    basket = f"{kept.root}.basket"
    assert kept.found(after_publication=kept.ids[1], topic=basket, until_time=kept.times[4], limit=5) == [2, 3]
    assert kept.found(from_publication=kept.ids[1], before_publication=kept.ids[4], reverse=True, limit=2) == [3, 2]


def test_pages_forwards_and_backwards(kept: Publications) -> None:
    forwards = kept.found(limit=2)
    while page := kept.found(limit=2, after_publication=kept.ids[forwards[-1]]):
        forwards += page
    assert forwards == [0, 1, 2, 3, 4]
    backwards = kept.found(limit=2, reverse=True)
    while page := kept.found(limit=2, reverse=True, before_publication=kept.ids[backwards[-1]]):
        backwards += page
    assert backwards == [4, 3, 2, 1, 0]


def test_events_that_nobody_received_are_there(alice: Wamp, bob: Wamp, kept: Publications) -> None:
    topic = random_name()
    publication = bob.publish(topic, ["nobody listens"])
    assert [event["publication"] for event in kept.ask(alice.subscribe(topic))] == [publication]


def test_black_and_whitelists_hold_for_whoever_asks(alice: Wamp, bob: Wamp, kept: Publications) -> None:
    topic = random_name()
    subscription = alice.subscribe(topic)
    shown = [
        bob.publish(topic, eligible_authid=["alice"]),
        bob.publish(topic, eligible_authrole=["client"]),
        bob.publish(topic, exclude_authid=["carol"], exclude_authrole=["admin"]),
    ]
    bob.publish(topic, eligible_authid=["carol"])
    bob.publish(topic, eligible_authrole=["admin"])
    bob.publish(topic, exclude_authid=["alice"])
    bob.publish(topic, exclude_authrole=["client"])
    assert [event["publication"] for event in kept.ask(subscription)] == shown


def test_lists_of_sessions_are_not_kept(alice: Wamp, bob: Wamp, kept: Publications) -> None:
    topic = random_name()
    subscription = alice.subscribe(topic)
    bob.publish(topic, eligible=[alice.session])
    bob.publish(topic, exclude=[bob.session])
    assert len(alice.events()) == 2
    assert kept.ask(subscription) == []


def test_the_original_details(alice: Wamp, bob: Wamp, kept: Publications) -> None:
    topic = random_name()
    subscription = alice.subscribe(topic)
    bob.publish(topic, disclose_me=True)
    (event,) = kept.ask(subscription)
    assert event["details"] == {"publisher": bob.session, "publisher_authid": "bob", "publisher_authrole": "client"}
    # "May be omitted", since there were none.
    assert "args" not in event
    assert "kwargs" not in event


def test_whoever_may_not_subscribe_may_not_read(alice: Wamp, join: Callable[..., Wamp]) -> None:
    subscription = join("backend").subscribe("organization.7")
    for foreign in (subscription, 2**53):
        with pytest.raises(WampError) as error:
            alice.call(GET_EVENTS, [foreign])
        assert error.value.uri == "wamp.error.not_authorized"


def test_arguments_that_are_none(alice: Wamp, kept: Publications) -> None:
    for filters in ({"limit": 0}, {"reverse": 1}, {"from_time": "yesterday"}, {"from_publication": 0}, {"topic": 1}):
        with pytest.raises(WampError) as error:
            alice.call(GET_EVENTS, [kept.auth], filters)
        assert error.value.uri == "wamp.error.invalid_argument"
