"""Which events may be lost and how is decided once for each publication, by the options of its topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from wampgate.core.broker import Broker
from wampgate.core.ids import PublicationIds
from wampgate.core.interfaces import Connection, Principal
from wampgate.core.local import LocalLink
from wampgate.core.session import Session
from wampgate.core.slow_readers import Perishable, PerishableEvent
from wampgate.core.topics import TopicOptions, Topics
from wampgate.wire.messages import Event, PublishOptions
from wampgate.wire.payload import NO_PAYLOAD, Payload
from wampgate.wire.serializers import SERIALIZERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wampgate.wire.messages import Match, Message
    from wampgate.wire.serializers import Serializer

OPTIONS = (
    TopicOptions("drop.", "prefix", slow_readers="drop"),
    TopicOptions("drop.not", "exact"),
    TopicOptions("latest.", "prefix", slow_readers="latest", latest_by="key"),
    TopicOptions("topic", "exact", slow_readers="latest"),
)


class Delivered:
    """Takes deliveries and keeps them."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def __call__(self, message: Message, payload: Payload, recipients: Iterable[Session]) -> None:
        self.messages.append(message)

    def retract(self, session: Session, subscription: int) -> None:
        """Nothing waits here."""


def session() -> Session:
    made = Session(LocalLink(lambda *_: None), Connection("inside", "inside"))
    made.principal = Principal("a", "a", "a", "a")
    return made


def published(
    topic: str, payload: Payload = NO_PAYLOAD, *, options: Sequence[TopicOptions] = OPTIONS, match: Match = "exact"
) -> Any:
    """The event of one publication."""
    delivered = Delivered()
    broker = Broker(delivered, PublicationIds(), Topics(options), lambda: 1234.5)
    pattern = topic if match == "exact" else topic.partition(".")[0] + "."
    broker.subscribe(session(), pattern, match)
    broker.publish(session(), topic, PublishOptions(), payload, "on_request")
    (event,) = delivered.messages
    return event


def key_of(payload: Payload, topic: str = "latest.a") -> bytes:
    perishable: Perishable = published(topic, payload).perishable
    assert perishable.key is not None
    subscription, of, value = perishable.key
    assert (subscription, of) == (perishable.subscription.id, topic)
    return value


@pytest.mark.parametrize("topic", ["other", "drop.not", "dro"])
def test_most_events_may_not_be_lost(topic: str) -> None:
    assert type(published(topic)) is Event


def test_an_event_that_may_be_dropped() -> None:
    event = published("drop.a")
    assert type(event) is PerishableEvent
    assert (event.perishable.at, event.perishable.key) == (1234.5, None)
    assert event.perishable.subscription.id == event.subscription


def test_by_a_pattern_the_topic_still_decides() -> None:
    assert published("drop.a", match="prefix").perishable.subscription.match == "prefix"
    assert type(published("drop.not", match="prefix")) is Event


def test_without_options_nothing_is_looked_up() -> None:
    broker = Broker(Delivered(), PublicationIds(), Topics())
    assert broker._topics is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2),
        (1, "1"),
        (1, True),
        (0, False),
        ("a", "b"),
        ("a", ["a"]),
        ({"a": 1}, {"a": 2}),
        (1, 1.5),
        ("x" * 1000, "x" * 1001),
        (b"a", "a"),
        ("", 0),
    ],
)
def test_keys_that_differ(one: Any, other: Any) -> None:
    assert key_of(Payload([], {"key": one})) != key_of(Payload([], {"key": other}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (-0.0, 0),
        (2**70, 2**70),
        ({"a": [1, None]}, {"a": [1, None]}),
        ("x" * 1000, "x" * 1000),
        (None, None),
    ],
)
def test_keys_that_are_one(one: Any, other: Any) -> None:
    assert key_of(Payload([1], {"key": one})) == key_of(Payload([2], {"key": other}))


@pytest.mark.parametrize("payload", [NO_PAYLOAD, Payload([1]), Payload([], {"other": 1}), Payload([], {"key": None})])
def test_without_the_argument_the_topic_is_the_key(payload: Payload) -> None:
    assert key_of(payload) == b""


def test_topics_do_not_share_keys() -> None:
    one, other = (published(f"latest.{topic}", Payload([], {"key": 1}), match="prefix") for topic in "ab")
    assert one.perishable.key != other.perishable.key


def test_without_a_name_the_topic_is_the_key() -> None:
    assert key_of(Payload([], {"key": 1}), "topic") == b""


def test_a_key_is_short() -> None:
    assert len(key_of(Payload([], {"key": "x" * 100_000}))) == 32


@pytest.mark.parametrize("serializer", SERIALIZERS, ids=lambda serializer: serializer.name)
@pytest.mark.parametrize("match", ["exact", "prefix"])
def test_on_the_wire_it_is_as_any_other(serializer: Serializer, match: Match) -> None:
    payload = Payload([1], {"key": 2})
    lossy = published("drop.a", payload, match=match)
    plain = Event(lossy.subscription, lossy.publication, lossy.details)
    assert serializer.encode(lossy, payload) == serializer.encode(plain, payload)
