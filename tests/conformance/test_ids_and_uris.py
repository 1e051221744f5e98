"""WAMP Basic Profile, "Identifiers": request ids in their scope and range, and URIs by the loose rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from raw_wamp import WampError, random_name

if TYPE_CHECKING:
    from raw_wamp import Wamp


def test_requests_may_begin_anywhere_and_leave_gaps(alice: Wamp) -> None:
    """Stock clients leave out an id now and then; Autobahn Python does after an error of its serializer."""
    topic = random_name()
    for request in (5, 6, 100, 3, 2**53, 1):
        alice.send(16, request, {"acknowledge": True}, topic)
        assert alice.receive()[:2] == [17, request]


@pytest.mark.parametrize("bad", [0, -1, 2**53 + 1, 1.5, "1", None, True])
def test_requests_have_their_range(alice: Wamp, bad: object) -> None:
    alice.send(16, bad, {"acknowledge": True}, random_name())
    assert alice.violated()


def test_an_id_that_is_in_use_may_not_come_again(alice: Wamp, bob: Wamp) -> None:
    procedure = random_name()
    bob.register(procedure)
    alice.send(48, 7, {}, procedure)
    alice.send(48, 7, {}, procedure)
    assert alice.violated()
    assert bob.receive()[0] == 68


def test_an_id_that_is_in_use_may_not_be_another_kind_of_request(alice: Wamp, bob: Wamp) -> None:
    procedure = random_name()
    bob.register(procedure)
    alice.send(48, 7, {}, procedure)
    alice.send(32, 7, {}, random_name())
    assert alice.violated()


def test_an_id_may_come_again_once_it_is_answered(alice: Wamp, bob: Wamp) -> None:
    procedure = random_name()
    bob.register(procedure)
    for _ in range(2):
        alice.send(48, 7, {}, procedure)
        bob.send(70, bob.receive()[1], {})
        assert alice.receive() == [50, 7, {}]


GOOD = [
    "com.example.a",
    "com.example.A-B_c",
    "com.example.8c1f3e1a-0b2c-4a8e-9f57-2a6d1c9f4e10",
    "com.example.é.😀",
    "com.example.*.+./.?.%20.<>",
    "com.example." + ".".join("x" * 10),
    "com.example." + "x" * 1012,
    "com.example.wamp",
]
BAD = [
    "",
    ".",
    "com.example.",
    ".com.example",
    "com..example",
    "com.example.a b",
    "com.example.a\tb",
    "com.example.a\u3000b",
    "com.example.a#b",
    "com.example." + "x" * 1013,
]


@pytest.mark.parametrize("uri", GOOD, ids=lambda uri: uri[:30])
def test_good_uris(alice: Wamp, bob: Wamp, uri: str) -> None:
    subscription = alice.subscribe(uri)
    publication = bob.publish(uri)
    assert alice.event() == [36, subscription, publication, {}]
    registration = alice.register(uri)
    bob.start_call(uri)
    assert alice.receive()[2] == registration
    alice.unregister(registration)
    alice.unsubscribe(subscription)


@pytest.mark.parametrize("uri", BAD, ids=lambda uri: repr(uri[:30]))
def test_bad_uris_are_errors(alice: Wamp, uri: str) -> None:
    for code, request in ((32, alice.subscribe), (16, alice.publish), (48, alice.call), (64, alice.register)):
        with pytest.raises(WampError) as error:
            request(uri)
        assert error.value.uri == "wamp.error.invalid_uri"
        assert error.value.message[1] == code
    assert alice.subscribe(random_name()) > 0


def test_uris_are_compared_byte_for_byte(alice: Wamp, bob: Wamp) -> None:
    composed, decomposed = random_name() + ".\u00e9", random_name()
    decomposed = composed[:-1] + "e\u0301"
    alice.subscribe(composed)
    bob.publish(decomposed)
    bob.publish(composed.upper().replace("COM.EXAMPLE", "com.example"))
    assert alice.events() == []


def test_an_error_names_its_request_and_says_more_in_words(alice: Wamp) -> None:
    request = alice.next_request()
    alice.send(32, request, {}, "com.elsewhere")
    message = alice.receive()
    assert message[:5] == [8, 32, request, {}, "wamp.error.not_authorized"]
    assert isinstance(message[5][0], str)
