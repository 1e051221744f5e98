"""WAMP Advanced Profile, "Payload Passthru Mode", for events: over every serializer and transport."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

import pytest
from raw_wamp import ABORT, PUBLISH, SERIALIZERS, random_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Wamp

FEATURE: Final = "payload_passthru_mode"
SEALED: Final = bytes(range(256))

SCHEMES: Final = [
    {
        "ppt_scheme": "wamp",
        "ppt_serializer": "cbor",
        "ppt_cipher": "xsalsa20poly1305",
        "ppt_keyid": "GTtQ37XGJO2O4R8Dvx4AUo8pe61D9evIWpKGQAPdOh0=",
    },
    {"ppt_scheme": "mqtt", "ppt_serializer": "native"},
    {"ppt_scheme": "mqtt"},
    {"ppt_scheme": "x_my_ppt", "ppt_serializer": "custom", "ppt_cipher": "custom", "ppt_keyid": "custom"},
]


def binary(serializer: str, data: bytes = SEALED) -> Any:
    """Binary data as a serialization has it ("Binary support in JSON")."""
    return "\0" + base64.b64encode(data).decode() if serializer == "json" else data


def test_the_broker_announces_it(alice: Wamp) -> None:
    assert alice.welcome["roles"]["broker"]["features"][FEATURE] is True


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: str(scheme["ppt_scheme"]))
def test_an_event_has_the_attributes_of_its_publication(
    enter: Callable[..., Wamp], serializer: str, scheme: dict[str, str]
) -> None:
    topic = random_name()
    publisher, subscriber = enter("alice", FEATURE), enter("bob", FEATURE)
    subscription = subscriber.subscribe(topic)
    publication = publisher.publish(topic, [binary(serializer)], **scheme)
    assert subscriber.event() == [36, subscription, publication, scheme, [binary(serializer)]]


@pytest.mark.parametrize("other", SERIALIZERS)
def test_the_payload_arrives_as_it_was_in_any_serialization(
    enter: Callable[..., Wamp], join: Callable[..., Wamp], serializer: str, other: str
) -> None:
    topic = random_name()
    publisher, subscriber = enter("alice", FEATURE), join("bob", other)
    subscriber.subscribe(topic)
    publisher.publish(topic, [binary(serializer)], **SCHEMES[0])
    assert subscriber.event()[3:] == [SCHEMES[0], [binary(other)]]


def test_a_subscriber_need_not_have_announced_it(enter: Callable[..., Wamp], bob: Wamp, serializer: str) -> None:
    """What it can't open "must be covered at the subscriber side"."""
    topic = random_name()
    bob.subscribe(topic)
    enter("alice", FEATURE).publish(topic, [binary(serializer)], **SCHEMES[0])
    assert bob.event()[3:] == [SCHEMES[0], [binary(serializer)]]


def test_a_publisher_that_has_not_announced_it_breaks_the_protocol(alice: Wamp, bob: Wamp, serializer: str) -> None:
    topic = random_name()
    bob.subscribe(topic)
    alice.send(PUBLISH, alice.next_request(), SCHEMES[0], topic, [binary(serializer)])
    message = alice.receive()
    assert (message[0], message[2]) == (ABORT, "wamp.error.protocol_violation")
    assert FEATURE in message[1]["message"]
    assert bob.events() == []


def test_an_empty_scheme_is_none(alice: Wamp, bob: Wamp) -> None:
    topic = random_name()
    bob.subscribe(topic)
    alice.publish(topic, [1], ppt_scheme="")
    assert bob.event()[3:] == [{}, [1]]


def test_a_retained_event_keeps_its_attributes(enter: Callable[..., Wamp], bob: Wamp, serializer: str) -> None:
    topic = random_name()
    enter("alice", FEATURE).publish(topic, [binary(serializer)], retain=True, **SCHEMES[0])
    bob.subscribe(topic, get_retained=True)
    assert bob.event()[3:] == [{"retained": True, **SCHEMES[0]}, [binary(serializer)]]


@pytest.mark.parametrize("other", SERIALIZERS)
def test_as_autobahn_does_it(
    enter: Callable[..., Wamp], join: Callable[..., Wamp], serializer: str, other: str
) -> None:
    """Its own names for the same, and the payload itself in place of the arguments."""
    topic = random_name()
    attributes = {"enc_algo": "cryptobox", "enc_key": "a key", "enc_serializer": "json"}
    publisher, subscriber = enter("alice", "payload_transparency"), join("bob", other)
    subscriber.subscribe(topic)
    publisher.publish(topic, binary(serializer), **attributes)
    assert subscriber.event()[3:] == [attributes, binary(other)]
