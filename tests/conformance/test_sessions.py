"""WAMP Basic Profile, "Sessions": HELLO, WELCOME, ABORT, GOODBYE, and the state chart."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import pytest
from conftest import ticket_of
from raw_wamp import Aborted, WampError, random_name
from raw_websocket import Closed, Ended

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Wamp

ROLES: dict[str, Any] = {"publisher": {}, "subscriber": {}, "caller": {}, "callee": {}}


def test_hello_is_answered_by_welcome(connect: Callable[..., Wamp], serializer: str) -> None:
    peer = connect(serializer=serializer)
    peer.send(1, "realm1", {"roles": ROLES})
    code, session, details = peer.receive()
    assert code == 2
    assert 1 <= session <= 2**53
    assert set(details["roles"]) == {"broker", "dealer"}
    assert isinstance(details["agent"], str)


@pytest.mark.parametrize("role", ROLES)
def test_one_role_is_enough(connect: Callable[..., Wamp], serializer: str, role: str) -> None:
    assert connect(serializer=serializer).join(None, roles={role: {}}).session > 0


def test_features_and_agents_of_clients_are_taken(connect: Callable[..., Wamp], serializer: str) -> None:
    roles = {"subscriber": {"features": {"pattern_based_subscription": True, "x_unknown": {"deep": [1]}}}, "other": {}}
    assert connect(serializer=serializer).join(None, roles=roles, agent="Test/1.0", x_unknown=None).session > 0


def test_the_router_announces_what_it_does(alice: Wamp) -> None:
    """Each of these has its tests in this folder; there may be more."""
    features = {role: details["features"] for role, details in alice.welcome["roles"].items()}
    for name in (
        "pattern_based_subscription",
        "publisher_exclusion",
        "publisher_identification",
        "subscriber_blackwhite_listing",
    ):
        assert features["broker"][name] is True
    assert features["dealer"]["caller_identification"] is True


def test_session_ids_are_drawn_at_random_from_the_whole_range(join: Callable[..., Wamp]) -> None:
    ids = []
    for _ in range(60):
        peer = join(None)
        ids.append(peer.session)
        peer.close()
    assert len(set(ids)) == len(ids)
    assert all(1 <= id_ <= 2**53 for id_ in ids)
    # The mean of 60 uniform draws lies this far out once in a million runs.
    assert abs(statistics.mean(ids) / 2**53 - 0.5) < 4.9 / (12 * 60) ** 0.5


@pytest.mark.parametrize("reason", ["wamp.close.close_realm", "wamp.close.system_shutdown", "com.example.bye"])
def test_goodbye_is_answered_and_the_connection_closed(alice: Wamp, reason: str) -> None:
    alice.send(6, {"message": "bye"}, reason)
    assert alice.receive() == [6, {}, "wamp.close.goodbye_and_out"]
    assert alice.ended_with(1000)


def test_goodbye_is_answered_after_what_was_asked_before(alice: Wamp) -> None:
    topic = random_name()
    alice.send_bytes(
        alice.framed([32, 1, {}, topic])
        + alice.framed([16, 2, {"acknowledge": True}, topic])
        + alice.framed([6, {}, "a.b"])
    )
    assert [alice.receive()[0] for _ in range(3)] == [33, 17, 6]


def test_after_goodbye_nothing_is_left(alice: Wamp, bob: Wamp) -> None:
    topic, procedure = random_name(), random_name()
    alice.subscribe(topic)
    alice.register(procedure)
    alice.leave()
    with pytest.raises(WampError) as gone:
        bob.call(procedure)
    assert gone.value.uri == "wamp.error.no_such_procedure"
    assert bob.publish(topic) > 0
    with pytest.raises((Closed, Ended)):
        alice.receive()


def test_abort_before_the_session_gets_no_answer(connect: Callable[..., Wamp], serializer: str) -> None:
    for begin in ([], [[1, "realm1", {"roles": ROLES, "authmethods": ["ticket"]}]]):
        peer = connect(serializer=serializer)
        for message in begin:
            peer.send(*message)
            assert peer.receive()[0] == 4
        peer.send(3, {"message": "changed my mind"}, "wamp.error.cannot_authenticate")
        with pytest.raises((Closed, Ended)):
            peer.receive()


def test_abort_ends_a_session_without_an_answer(alice: Wamp, bob: Wamp) -> None:
    """ "No response to an ABORT message is expected"; a client that sees a violation of ours sends one."""
    procedure = random_name()
    alice.register(procedure)
    alice.send(3, {"message": "you broke the protocol"}, "wamp.error.protocol_violation")
    with pytest.raises((Closed, Ended)):
        alice.receive()
    with pytest.raises(WampError) as gone:
        bob.call(procedure)
    assert gone.value.uri == "wamp.error.no_such_procedure"


def test_a_second_hello_is_a_violation(alice: Wamp) -> None:
    alice.send(1, "realm1", {"roles": ROLES})
    assert alice.violated()


@pytest.mark.parametrize("message", [[2, 1, {}], [4, "ticket", {}], [5, "x", {}]], ids=["WELCOME", "CHALLENGE", "AUTH"])
def test_messages_of_joining_are_violations_afterwards(alice: Wamp, message: list[Any]) -> None:
    alice.send(*message)
    assert alice.violated()


def test_goodbye_before_the_session_is_a_violation(connect: Callable[..., Wamp], serializer: str) -> None:
    peer = connect(serializer=serializer)
    peer.send(6, {}, "wamp.close.close_realm")
    assert peer.violated()


def test_a_realm_that_is_not_there(connect: Callable[..., Wamp], serializer: str) -> None:
    with pytest.raises(Aborted) as aborted:
        connect(serializer=serializer).join(None, realm="com.example.no.realm")
    assert aborted.value.reason == "wamp.error.no_such_realm"


def test_ticket_authentication(connect: Callable[..., Wamp], serializer: str) -> None:
    """ "Ticket-based Authentication": CHALLENGE with an empty Extra, and WELCOME says who one is."""
    peer = connect(serializer=serializer)
    peer.send(1, "realm1", {"roles": ROLES, "authmethods": ["x", "ticket"], "authid": "alice"})
    assert peer.receive() == [4, "ticket", {}]
    peer.send(5, ticket_of("alice"), {})
    code, _, details = peer.receive()
    assert code == 2
    who = {key: details[key] for key in ("authid", "authrole", "authmethod", "authprovider")}
    assert who == {"authid": "alice", "authrole": "client", "authmethod": "ticket", "authprovider": "static"}


def test_a_closed_session_may_not_come_back_on_its_connection(alice: Wamp) -> None:
    alice.send_bytes(alice.framed([6, {}, "a.b"]) + alice.framed([1, "realm1", {"roles": ROLES}]))
    assert alice.receive()[0] == 6
    with pytest.raises((Closed, Ended)):
        alice.receive()
