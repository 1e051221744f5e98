"""The table of states: what every message does in every state of a session, and how sessions end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from unit.core.routed import ROLES, Peer, RealmUnderTest, Routed, holds_nothing
from unit.wire.samples import SAMPLES

from wampgate.core.errors import EXPIRED, KILLED, NO_HELLO, REVOKED
from wampgate.core.router import GOODBYE_SECONDS, NORMAL_CLOSURE, PROTOCOL_ERROR
from wampgate.core.session import State

if TYPE_CHECKING:
    from collections.abc import Callable

VIOLATION: Final = "wamp.error.protocol_violation"


def opening(routed: Routed) -> Peer:
    return routed.peer()


def authenticating(routed: Routed) -> Peer:
    """HELLO was said and CHALLENGE answered; the store has not said yet whose the token is."""
    peer = challenging(routed)
    routed.realm.store.slow = True
    peer.say(5, "the token of joe", {})
    return peer


def challenging(routed: Routed) -> Peer:
    routed.realm.add_user("joe", "7")
    peer = routed.peer()
    peer.hello(authmethods=["ticket"])
    return peer


def established(routed: Routed) -> Peer:
    return routed.peer().join()


def closing(routed: Routed) -> Peer:
    peer = established(routed)
    routed.router.goodbye(peer.session, "wamp.close.killed", "because")
    assert peer.heard() == [[6, {"message": "because"}, "wamp.close.killed"]]
    return peer


def closed(routed: Routed) -> Peer:
    peer = closing(routed)
    peer.say(6, {}, "wamp.close.goodbye_and_out")
    return peer


STATES: Final[dict[State, Callable[[Routed], Peer]]] = {
    State.OPENING: opening,
    State.AUTHENTICATING: authenticating,
    State.CHALLENGING: challenging,
    State.ESTABLISHED: established,
    State.CLOSING: closing,
    State.CLOSED: closed,
}

# What each state takes; all the rest is a violation of the protocol.
TAKEN: Final[dict[State, set[str]]] = {
    State.OPENING: {"HELLO", "ABORT"},
    State.AUTHENTICATING: {"ABORT"},
    State.CHALLENGING: {"AUTHENTICATE", "ABORT"},
    State.ESTABLISHED: {
        *("PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE", "CALL", "CANCEL", "REGISTER", "UNREGISTER"),
        *("GOODBYE", "ABORT"),
    },
    # What was sent before our GOODBYE arrived has no effect any more.
    State.CLOSING: {name for name in SAMPLES if "," not in name and " " not in name},
    State.CLOSED: {name for name in SAMPLES if "," not in name and " " not in name},
}
NAMES: Final = sorted(name for name in SAMPLES if "," not in name and " " not in name)


@pytest.mark.parametrize("state", list(STATES), ids=lambda state: state.name)
@pytest.mark.parametrize("name", NAMES)
def test_every_message_in_every_state(state: State, name: str) -> None:
    routed = Routed()
    peer = STATES[state](routed)
    assert peer.session.state is state
    was_closed = peer.closed

    heard = peer.say(*SAMPLES[name])

    if name in TAKEN[state]:
        assert not any(message[0] == 3 and message[2] == VIOLATION for message in heard)
        assert peer.closed is None or peer.closed[0] != PROTOCOL_ERROR
    else:
        assert [message[0] for message in heard] == [3]
        assert heard[0][2] == VIOLATION
        assert heard[0][1]["message"]
        assert peer.closed == (PROTOCOL_ERROR, VIOLATION)
        assert peer.session.state is State.CLOSED
        assert holds_nothing(peer.session)
        assert routed.records[-1][0] == "violated" or routed.records[-2][0] == "violated"
    if state is State.CLOSED:
        assert heard == []
        assert peer.closed == was_closed


@pytest.mark.parametrize("state", list(STATES), ids=lambda state: state.name)
@pytest.mark.parametrize("data", [b"", b"hello", b"[]", b"[99]", b'[16,0,{},"a"]', b"\xff", b"[" * 100_000])
def test_what_is_no_message_in_every_state(state: State, data: bytes) -> None:
    routed = Routed()
    peer = STATES[state](routed)
    heard = peer.say_bytes(data)
    if state is State.CLOSED:
        assert heard == []
    else:
        assert [message[0] for message in heard] == [3]
        assert peer.closed == (PROTOCOL_ERROR, VIOLATION)
        assert peer.session.state is State.CLOSED


@pytest.mark.parametrize("state", list(STATES), ids=lambda state: state.name)
def test_a_lost_connection_in_every_state_leaves_nothing(state: State) -> None:
    routed = Routed()
    peer = STATES[state](routed)
    peer.leave()
    peer.leave()
    assert peer.session.state is State.CLOSED
    assert peer.heard() == []
    while routed.waiting:
        routed.answer()
    assert peer.heard() == []
    assert routed.is_empty()


@pytest.mark.parametrize("state", list(STATES), ids=lambda state: state.name)
def test_an_abort_is_never_answered(state: State) -> None:
    routed = Routed()
    peer = STATES[state](routed)
    assert peer.say(3, {"message": "I have to"}, "wamp.error.system_shutdown") == []
    if state not in (State.CLOSING, State.CLOSED):
        assert peer.session.state is State.CLOSED
        assert peer.closed is not None
        assert peer.closed[0] == NORMAL_CLOSURE
    while routed.waiting:
        routed.answer()
    routed.pass_time(60)
    assert peer.heard() == []
    assert routed.is_empty()


def test_a_second_hello_ends_the_session_with_all_it_holds() -> None:
    routed = Routed()
    peer = routed.peer().join()
    peer.ask(32, {}, "com.example.topic")
    peer.ask(64, {}, "com.example.add")
    heard = peer.hello()
    assert (heard[0][0], heard[0][2]) == (3, VIOLATION)
    assert "HELLO" in heard[0][1]["message"]
    assert routed.is_empty()


def test_after_a_violation_nothing_is_accepted_and_nothing_is_delivered() -> None:
    routed = Routed()
    peer, other = routed.peer().join(), routed.peer().join()
    peer.ask(32, {}, "com.example.topic")
    other.ask(32, {}, "com.example.topic")
    peer.say(99)
    assert other.ask(16, {"acknowledge": True}, "com.example.topic", ["to no one"])[0][0] == 17
    peer.ask(16, {"acknowledge": True, "exclude_me": False}, "com.example.topic", ["too late"])
    assert other.heard() == []
    assert [message[0] for message in peer.heard()] == []


# --- GOODBYE ---


def test_the_client_says_goodbye() -> None:
    routed = Routed()
    peer = routed.peer().join()
    peer.ask(32, {}, "com.example.topic")
    assert peer.say(6, {}, "wamp.close.close_realm") == [[6, {}, "wamp.close.goodbye_and_out"]]
    assert peer.closed == (NORMAL_CLOSURE, "wamp.close.goodbye_and_out")
    assert peer.session.state is State.CLOSED
    assert routed.is_empty()
    assert peer.say(6, {}, "wamp.close.goodbye_and_out") == []


def test_the_router_says_goodbye_and_is_answered() -> None:
    routed = Routed()
    peer, other = routed.peer().join(), routed.peer().join()
    peer.ask(32, {}, "com.example.topic")
    routed.router.goodbye(peer.session, "wamp.close.killed", "you know why")
    assert peer.heard() == [[6, {"message": "you know why"}, "wamp.close.killed"]]
    assert peer.session.state is State.CLOSING
    assert holds_nothing(peer.session)
    # Neither what it sends nor what it would be sent counts any more.
    assert peer.ask(16, {"acknowledge": True}, "com.example.topic") == []
    other.ask(16, {}, "com.example.topic")
    assert peer.heard() == []
    assert peer.closed is None
    assert peer.say(6, {}, "wamp.close.goodbye_and_out") == []
    assert peer.closed == (NORMAL_CLOSURE, "wamp.close.goodbye_and_out")


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        *((ending.reason, ending.code) for ending in (EXPIRED, REVOKED, KILLED)),
        # An administrator's own reason.
        ("com.example.moved_away", KILLED.code),
    ],
)
def test_a_goodbye_that_is_not_answered_closes_in_time(reason: str, code: int) -> None:
    routed = Routed()
    peer = routed.peer().join()
    routed.router.goodbye(peer.session, reason, "")
    routed.pass_time(GOODBYE_SECONDS - 0.01)
    assert peer.closed is None
    routed.pass_time(0.01)
    assert peer.closed == (code, reason)
    # It did not end as it should: a client may tell this from an end that was agreed on.
    assert code != NORMAL_CLOSURE
    assert GOODBYE_SECONDS <= 2
    assert routed.is_empty()


@pytest.mark.parametrize("state", [State.OPENING, State.AUTHENTICATING, State.CHALLENGING, State.CLOSING, State.CLOSED])
def test_the_router_says_goodbye_to_sessions_only(state: State) -> None:
    routed = Routed()
    peer = STATES[state](routed)
    routed.router.goodbye(peer.session, "wamp.close.killed", "")
    assert peer.heard() == []
    assert peer.session.state is state


@pytest.mark.parametrize("state", list(STATES), ids=lambda state: state.name)
def test_shutting_closes_without_a_word(state: State) -> None:
    # Stock clients come back after a close code, and not after a GOODBYE.
    routed = Routed(goodbye="auto")
    peer = STATES[state](routed)
    routed.router.shut(peer.session, 1012, "wamp.close.system_shutdown")
    assert peer.heard() == []
    assert peer.closed == (1012, "wamp.close.system_shutdown") or state is State.CLOSED
    assert peer.session.state is State.CLOSED
    assert routed.is_empty()


# --- deadlines ---


def test_no_hello_in_time() -> None:
    routed = Routed(hello_seconds=5)
    peer = routed.peer()
    routed.pass_time(4.99)
    assert peer.closed is None
    routed.pass_time(0.01)
    assert peer.heard() == []
    assert peer.closed is not None
    assert peer.closed[0] == NO_HELLO.code
    assert routed.router.counters["limit_hello_seconds"] == 1
    assert routed.is_empty()


@pytest.mark.parametrize("state", [State.CHALLENGING, State.AUTHENTICATING])
@pytest.mark.parametrize("hello_after", [0, 4.5])
def test_joining_takes_no_longer_than_it_may_hello_included(state: State, hello_after: float) -> None:
    routed = Routed(hello_seconds=5, join_seconds=10)
    routed.realm.add_user("joe", "7")
    peer = routed.peer()
    routed.pass_time(hello_after)
    peer.hello(authmethods=["ticket"])
    if state is State.AUTHENTICATING:
        routed.realm.store.slow = True
        peer.say(5, "the token of joe", {})
    peer.heard()
    routed.pass_time(9.99 - hello_after)
    assert peer.closed is None
    routed.pass_time(0.01)
    assert [(message[0], message[2]) for message in peer.heard()] == [(3, "wamp.error.authentication_failed")]
    assert peer.closed is not None
    # The store's answer comes too late, and opens nothing.
    while routed.waiting:
        routed.answer()
    assert peer.heard() == []
    assert routed.is_empty()


def test_a_session_lives_on_when_the_time_to_join_is_over() -> None:
    routed = Routed()
    peer = routed.peer().join()
    routed.pass_time(100_000)
    assert peer.closed is None
    assert peer.session.established


def test_a_session_ends_when_its_token_expires() -> None:
    routed = Routed()
    token = routed.realm.add_user("joe", "7", seconds=60)
    peer = routed.peer().join(token)
    peer.ask(32, {}, "organization.7")
    backend = routed.peer().join("the ticket of backend")
    routed.pass_time(59.9)
    backend.ask(16, {}, "organization.7", ["in time"])
    assert [message[0] for message in peer.heard()] == [36]
    routed.pass_time(0.1)
    assert peer.heard() == [[6, {"message": "the token has expired"}, "wampgate.close.token_expired"]]
    backend.ask(16, {}, "organization.7", ["too late"])
    assert peer.heard() == []
    routed.pass_time(GOODBYE_SECONDS)
    assert peer.closed is not None


def test_a_session_that_left_does_not_expire() -> None:
    routed = Routed()
    token = routed.realm.add_user("joe", "7", seconds=60)
    peer = routed.peer().join(token)
    peer.leave()
    routed.pass_time(61)
    assert peer.heard() == []
    assert len(routed.deadlines) == 0


def test_connections_that_come_and_go_leave_no_deadline() -> None:
    routed = Routed(RealmUnderTest())
    for _ in range(50):
        routed.peer().leave()
        routed.peer().join().leave()
    assert len(routed.deadlines) == 0
    assert routed.is_empty()


def test_messages_to_the_client_are_short_enough_to_close_with() -> None:
    # A close reason has 123 bytes; Peer.close asserts it for every way to end. This is the longest realm.
    routed = Routed()
    peer = routed.peer()
    heard: list[Any] = peer.say_bytes(json.dumps([1, "x" * 5000, {"roles": ROLES}]).encode())
    assert heard[0][2] == "wamp.error.invalid_uri"
