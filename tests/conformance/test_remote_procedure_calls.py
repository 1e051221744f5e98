"""WAMP Basic Profile, "Remote Procedure Calls", with caller identification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from raw_wamp import SERIALIZERS, WampError, random_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Wamp


@pytest.fixture
def procedure() -> str:
    return random_name()


# --- "Registering and Unregistering" ---


def test_register_call_and_unregister(alice: Wamp, bob: Wamp, procedure: str) -> None:
    registration = alice.register(procedure)
    assert 1 <= registration <= 2**53
    call = bob.start_call(procedure, [23, 7])
    assert alice.receive() == [68, 1, registration, {}, [23, 7]]
    alice.send(70, 1, {}, [30])
    assert bob.result(call) == [50, call, {}, [30]]
    alice.unregister(registration)
    with pytest.raises(WampError) as error:
        bob.call(procedure)
    assert error.value.uri == "wamp.error.no_such_procedure"


def test_a_procedure_has_one_callee(alice: Wamp, bob: Wamp, procedure: str) -> None:
    registration = alice.register(procedure)
    for peer in (bob, alice):
        with pytest.raises(WampError) as error:
            peer.register(procedure)
        assert error.value.uri == "wamp.error.procedure_already_exists"
        assert error.value.message[1] == 64
    alice.unregister(registration)
    assert bob.register(procedure) > 0


def test_unregistering_what_one_does_not_hold(alice: Wamp, bob: Wamp, procedure: str) -> None:
    registration = bob.register(procedure)
    for unknown in (2**53, registration):
        with pytest.raises(WampError) as error:
            alice.unregister(unknown)
        assert error.value.uri == "wamp.error.no_such_registration"
        assert error.value.message[1] == 66
    bob.unregister(registration)
    with pytest.raises(WampError):
        bob.unregister(registration)


def test_reserved_procedures_are_the_routers(alice: Wamp) -> None:
    for name in ("wamp", "wamp.session.count", "wampgate.publish", "wampgate.x"):
        with pytest.raises(WampError) as error:
            alice.register(name)
        assert error.value.uri == "wamp.error.not_authorized"
    assert alice.register(random_name("com.example.wamp")) > 0


# --- "Calling and Invocations" ---


@pytest.mark.parametrize(
    "payload",
    [
        [],
        [["Hello, world!"]],
        [["johnny"], {"firstname": "John", "surname": "Doe"}],
        [[], {"userid": 123, "karma": 10}],
        [[None, 1.5, -1, [{}], "é€😀"]],
        [["x" * 70_000]],
    ],
    ids=lambda payload: repr(payload)[:30],
)
@pytest.mark.parametrize("callee", SERIALIZERS)
def test_payloads_arrive_as_they_were_sent(
    alice: Wamp, join: Callable[..., Wamp], callee: str, payload: list[Any], procedure: str
) -> None:
    bob = join("bob", callee)
    registration = bob.register(procedure)
    call = alice.start_call(procedure, *payload)
    assert bob.receive() == [68, 1, registration, {}, *payload]
    bob.send(70, 1, {}, *payload)
    assert alice.result(call) == [50, call, {}, *payload]
    call = alice.start_call(procedure)
    bob.receive()
    bob.send(8, 68, 2, {}, "com.example.error", *payload)
    with pytest.raises(WampError) as error:
        alice.result(call)
    assert error.value.message == [8, 48, call, {}, "com.example.error", *payload]


def test_what_no_one_has_registered(alice: Wamp, procedure: str) -> None:
    with pytest.raises(WampError) as error:
        alice.call(procedure)
    assert error.value.uri == "wamp.error.no_such_procedure"
    assert error.value.message[1] == 48


def test_what_is_not_allowed(alice: Wamp) -> None:
    for name in ("com.elsewhere", "wamp.session.count"):
        with pytest.raises(WampError) as error:
            alice.call(name)
        assert error.value.uri == "wamp.error.not_authorized"


def test_calls_are_asynchronous_and_may_end_in_any_order(alice: Wamp, bob: Wamp, procedure: str) -> None:
    bob.register(procedure)
    calls = [alice.start_call(procedure, [number]) for number in range(10)]
    invocations = [bob.receive() for _ in calls]
    assert [invocation[4] for invocation in invocations] == [[number] for number in range(10)]
    for invocation in reversed(invocations):
        bob.send(70, invocation[1], {}, invocation[4])
    results = [alice.receive() for _ in calls]
    assert results == [[50, call, {}, [number]] for number, call in reversed(list(enumerate(calls)))]


def test_invocations_are_counted_from_one(alice: Wamp, bob: Wamp, procedure: str) -> None:
    bob.register(procedure)
    for number in range(1, 6):
        call = alice.start_call(procedure)
        assert bob.receive()[1] == number
        bob.send(70, number, {})
        alice.result(call)


def test_one_may_call_oneself(alice: Wamp, procedure: str) -> None:
    registration = alice.register(procedure)
    call = alice.start_call(procedure, [1])
    assert alice.receive() == [68, 1, registration, {}, [1]]
    alice.send(70, 1, {}, [2])
    assert alice.receive() == [50, call, {}, [2]]


def test_an_error_that_is_no_uri_reaches_the_caller_as_one(alice: Wamp, bob: Wamp, procedure: str) -> None:
    bob.register(procedure)
    call = alice.start_call(procedure)
    bob.send(8, 68, bob.receive()[1], {}, "not a uri", ["why"])
    with pytest.raises(WampError) as error:
        alice.result(call)
    assert error.value.uri == "wamp.error.invalid_uri"


def test_an_answer_to_nothing_is_a_violation(alice: Wamp, bob: Wamp, procedure: str) -> None:
    bob.register(procedure)
    alice.start_call(procedure)
    assert bob.receive()[1] == 1
    bob.send(70, 2, {})
    assert bob.violated()


def test_an_answer_to_anothers_invocation_is_a_violation(alice: Wamp, bob: Wamp, carol: Wamp, procedure: str) -> None:
    bob.register(procedure)
    call = alice.start_call(procedure)
    carol.send(70, bob.receive()[1], {}, ["forged"])
    assert carol.violated()
    bob.send(70, 1, {}, ["true"])
    assert alice.result(call)[3] == ["true"]


def test_an_error_for_something_else_than_an_invocation_is_a_violation(bob: Wamp) -> None:
    bob.send(8, 48, 1, {}, "com.example.error")
    assert bob.violated()


def test_a_second_answer_has_no_effect(alice: Wamp, bob: Wamp, procedure: str) -> None:
    bob.register(procedure)
    call = alice.start_call(procedure)
    invocation = bob.receive()[1]
    bob.send(70, invocation, {}, ["first"])
    bob.send(70, invocation, {}, ["second"])
    bob.send(8, 68, invocation, {}, "com.example.error")
    assert alice.result(call)[3] == ["first"]
    with pytest.raises(WampError):
        alice.call(random_name())
    assert alice.events() == []
    assert bob.register(random_name()) > 0


def test_progress_that_was_not_asked_for_is_a_violation(alice: Wamp, bob: Wamp, procedure: str) -> None:
    bob.register(procedure)
    alice.start_call(procedure)
    bob.send(70, bob.receive()[1], {"progress": True}, [1])
    assert bob.violated()
    with pytest.raises(WampError) as error:
        alice.answer(50, 48, 1)
    assert error.value.uri == "wamp.error.canceled"


# --- "Caller Leaving", "Callee Leaving" ---


@pytest.mark.parametrize("how", ["goodbye", "close", "reset"])
def test_an_answer_to_a_caller_that_has_left_is_discarded(
    alice: Wamp, bob: Wamp, carol: Wamp, procedure: str, how: str
) -> None:
    bob.register(procedure)
    alice.start_call(procedure)
    invocation = bob.receive()[1]
    if how == "goodbye":
        alice.leave()
    elif how == "close":
        alice.close()
    else:
        alice.reset()
    bob.send(70, invocation, {}, ["for no one"])
    call = carol.start_call(procedure)
    bob.send(70, bob.receive()[1], {}, ["for carol"])
    assert carol.result(call)[3] == ["for carol"]


@pytest.mark.parametrize("how", ["goodbye", "close", "reset", "violation"])
def test_callers_are_told_when_the_callee_leaves(alice: Wamp, bob: Wamp, carol: Wamp, procedure: str, how: str) -> None:
    bob.register(procedure)
    calls = [alice.start_call(procedure), carol.start_call(procedure), alice.start_call(procedure)]
    for _ in calls:
        bob.receive()
    if how == "goodbye":
        bob.leave()
    elif how == "close":
        bob.close()
    elif how == "reset":
        bob.reset()
    else:
        bob.send(99)
    for caller, call in zip((alice, carol, alice), calls, strict=True):
        with pytest.raises(WampError) as error:
            caller.result(call)
        assert error.value.uri == "wamp.error.canceled"
    assert alice.register(procedure) > 0


def test_unregistering_leaves_pending_invocations_to_be_answered(alice: Wamp, bob: Wamp, procedure: str) -> None:
    registration = bob.register(procedure)
    call = alice.start_call(procedure)
    invocation = bob.receive()[1]
    bob.unregister(registration)
    bob.send(70, invocation, {}, ["late but right"])
    assert alice.result(call)[3] == ["late but right"]


# --- "Caller Identification" ---


def test_the_caller_is_disclosed_if_it_or_the_callee_asks(alice: Wamp, bob: Wamp) -> None:
    who = {"caller": alice.session, "caller_authid": "alice", "caller_authrole": "client"}
    plain, asking = random_name(), random_name()
    bob.register(plain)
    bob.register(asking, disclose_caller=True)
    seen = []
    for name, options in ((plain, {}), (plain, {"disclose_me": True}), (asking, {})):
        alice.start_call(name, **options)
        seen.append(bob.receive()[3])
    assert seen == [{}, who, who]


def test_the_router_may_forbid_disclosure_or_demand_it(alice: Wamp, bob: Wamp) -> None:
    secret, open_ = random_name("com.example.secret"), random_name("com.example.open")
    bob.register(secret, disclose_caller=True)
    bob.register(open_)
    alice.start_call(secret)
    assert bob.receive()[3] == {}
    with pytest.raises(WampError) as error:
        alice.call(secret, disclose_me=True)
    assert error.value.uri == "wamp.error.option_disallowed.disclose_me"
    alice.start_call(open_)
    assert bob.receive()[3]["caller"] == alice.session


def test_no_one_calls_under_another_name(alice: Wamp, bob: Wamp, procedure: str) -> None:
    bob.register(procedure)
    alice.start_call(procedure, caller=1, caller_authid="root", caller_authrole="backend")
    assert bob.receive()[3] == {}
