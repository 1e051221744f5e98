"""Identity in messages is the router's to write: whatever a client claims, others learn nothing of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from raw_wamp import CALL, INVOCATION, PUBLISH, RESULT, SERIALIZERS, YIELD, random_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Peer

CANARY = "forged-canary"
FORGED: dict[str, Any] = {
    "publisher": 4711,
    "publisher_authid": CANARY,
    "publisher_authrole": CANARY,
    "caller": 4711,
    "caller_authid": CANARY,
    "caller_authrole": CANARY,
    "callee": 4711,
    "callee_authid": CANARY,
    "callee_authrole": CANARY,
    "authid": CANARY,
    "authrole": CANARY,
    "authmethod": CANARY,
    "authprovider": CANARY,
    "session": 4711,
    "forward_for": [{"session": 4711, "authid": CANARY, "authrole": CANARY}],
    "disclose_caller": True,
    "x_publisher": CANARY,
}


def plain(message: Any) -> str:
    return json.dumps(message)


@pytest.mark.parametrize("serializer", SERIALIZERS)
@pytest.mark.parametrize("disclosed", [False, True])
def test_of_an_event(join: Callable[..., Peer], serializer: str, disclosed: bool) -> None:
    topic = random_name()
    alice, bob = join("alice", serializer), join("bob", serializer)
    bob.subscribe(topic, **FORGED)
    alice.publish(topic, ["news"], **FORGED, **({"disclose_me": True} if disclosed else {}))
    event = bob.event()
    assert CANARY not in plain(event)
    expected = {"publisher": alice.session, "publisher_authid": "alice", "publisher_authrole": "client"}
    assert event[3] == (expected if disclosed else {})


@pytest.mark.parametrize("serializer", SERIALIZERS)
@pytest.mark.parametrize("disclosed", [False, True])
def test_of_a_call_and_its_answer(join: Callable[..., Peer], serializer: str, disclosed: bool) -> None:
    procedure = random_name()
    alice, bob = join("alice", serializer), join("bob", serializer)
    claims = {name: value for name, value in FORGED.items() if name != "disclose_caller"}
    bob.register(procedure, **claims)
    request = alice.start_call(procedure, ["x"], **claims, **({"disclose_me": True} if disclosed else {}))
    invocation = bob.receive()
    assert invocation[0] == INVOCATION
    assert CANARY not in plain(invocation)
    expected = {"caller": alice.session, "caller_authid": "alice", "caller_authrole": "client"}
    assert invocation[3] == (expected if disclosed else {})
    bob.send(YIELD, invocation[1], FORGED, ["y"])
    result = alice.result(request)
    assert result[:3] == [RESULT, request, {}]


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_of_an_error(join: Callable[..., Peer], serializer: str) -> None:
    procedure = random_name()
    alice, bob = join("alice", serializer), join("bob", serializer)
    bob.register(procedure)
    request = alice.start_call(procedure)
    bob.send(8, INVOCATION, bob.receive()[1], FORGED, "com.example.error")
    error = alice.receive()
    assert error[:3] == [8, CALL, request]
    assert CANARY not in plain(error)


@pytest.mark.parametrize("ticket", [None, "the-ticket-of-alice"])
def test_of_a_session(connect: Callable[..., Peer], ticket: str | None) -> None:
    claims = {name: FORGED[name] for name in ("authrole", "authmethod", "authprovider", "session", "forward_for")}
    peer = connect().join(ticket, authextra=FORGED, **claims)
    assert peer.session != 4711
    assert CANARY not in plain(peer.welcome)
    assert peer.welcome["authrole"] == ("guest" if ticket is None else "client")


def test_publishing_by_call_is_no_way_round(join: Callable[..., Peer]) -> None:
    topic = random_name()
    alice, bob = join("alice"), join("bob")
    bob.subscribe(topic)
    arguments = {"topic": topic, "args": ["news"], "options": {**FORGED, "disclose_me": True}}
    alice.call("wampgate.publish", [], arguments, **FORGED)
    event = bob.event()
    assert CANARY not in plain(event)
    assert event[3] == {"publisher": alice.session, "publisher_authid": "alice", "publisher_authrole": "client"}


def test_a_role_that_is_claimed_opens_nothing(join: Callable[..., Peer]) -> None:
    guest = join(None)
    request = guest.next_request()
    guest.send(PUBLISH, request, {"acknowledge": True, "authrole": "backend"} | FORGED, "organization.7", ["x"])
    assert guest.receive()[:3] == [8, PUBLISH, request]
