"""WAMP Advanced Profile, "Progressive Call Invocations"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from raw_wamp import CALL, CANCEL, INTERRUPT, INVOCATION, RESULT, YIELD, WampError, random_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Wamp


@pytest.fixture
def procedure() -> str:
    return random_name()


STREAM = ("progressive_call_invocations", "call_canceling", "progressive_call_results")


def test_it_is_announced(alice: Wamp) -> None:
    assert alice.welcome["roles"]["dealer"]["features"]["progressive_call_invocations"] is True


@pytest.fixture
def caller(enter: Callable[..., Wamp]) -> Wamp:
    return enter("alice", *STREAM)


@pytest.fixture
def callee(enter: Callable[..., Wamp]) -> Wamp:
    return enter("bob", *STREAM)


def test_one_call_in_several_messages(caller: Wamp, callee: Wamp, procedure: str) -> None:
    registration = callee.register(procedure)
    call = caller.start_call(procedure, [1], progress=True, disclose_me=True)
    first = callee.receive()
    details = {"caller": caller.session, "caller_authid": "alice", "caller_authrole": "client"}
    assert first == [INVOCATION, first[1], registration, {**details, "progress": True}, [1]]
    # Options but `progress` are those of the first message.
    caller.send(CALL, call, {"progress": True, "disclose_me": False}, procedure, [2], {"k": "v"})
    caller.send(CALL, call, {}, procedure, [3])
    assert callee.receive() == [INVOCATION, first[1], registration, {**details, "progress": True}, [2], {"k": "v"}]
    assert callee.receive() == [INVOCATION, first[1], registration, details, [3]]
    callee.send(YIELD, first[1], {}, [6])
    assert caller.result(call) == [RESULT, call, {}, [6]]


def test_new_calls_in_between(caller: Wamp, callee: Wamp, procedure: str) -> None:
    callee.register(procedure)
    call = caller.start_call(procedure, [1], progress=True)
    other = caller.start_call(procedure, ["other"])
    caller.send(CALL, call, {}, procedure, [2])
    heard = [callee.receive() for _ in range(3)]
    assert [message[1] for message in heard] == [heard[0][1], heard[1][1], heard[0][1]]
    callee.send(YIELD, heard[1][1], {}, ["b"])
    callee.send(YIELD, heard[0][1], {}, ["a"])
    assert caller.result(other)[3] == ["b"]
    assert caller.result(call)[3] == ["a"]


def test_all_of_it_goes_to_one_callee(enter: Callable[..., Wamp], caller: Wamp, procedure: str) -> None:
    callees = [enter("bob", *STREAM) for _ in range(2)]
    for callee in callees:
        callee.register(procedure, invoke="roundrobin")
    call = caller.start_call(procedure, [0], progress=True)
    for number in (1, 2):
        caller.send(CALL, call, {"progress": number < 2}, procedure, [number])
    heard = [callees[0].receive() for _ in range(3)]
    assert [message[4] for message in heard] == [[0], [1], [2]]
    again = caller.start_call(procedure, ["next"])
    callees[1].send(YIELD, callees[1].receive()[1], {}, ["from the other"])
    assert caller.result(again)[3] == ["from the other"]


def test_a_caller_that_leaves_interrupts(caller: Wamp, callee: Wamp, procedure: str) -> None:
    callee.register(procedure)
    caller.start_call(procedure, [1], progress=True)
    invocation = callee.receive()[1]
    caller.close()
    assert callee.receive() == [INTERRUPT, invocation, {"mode": "killnowait", "reason": "wamp.error.canceled"}]


def test_a_callee_that_leaves_cancels(caller: Wamp, callee: Wamp, procedure: str) -> None:
    callee.register(procedure)
    call = caller.start_call(procedure, [1], progress=True)
    callee.receive()
    callee.close()
    with pytest.raises(WampError) as error:
        caller.result(call)
    assert error.value.uri == "wamp.error.canceled"


@pytest.mark.parametrize("end", ["result", "cancel"])
def test_more_of_what_is_over_is_discarded(caller: Wamp, callee: Wamp, procedure: str, end: str) -> None:
    callee.register(procedure)
    call = caller.start_call(procedure, [1], progress=True)
    invocation = callee.receive()[1]
    if end == "result":
        callee.send(YIELD, invocation, {})
        caller.result(call)
    else:
        caller.send(CANCEL, call, {"mode": "skip"})
        with pytest.raises(WampError):
            caller.result(call)
    caller.send(CALL, call, {"progress": True}, procedure, [2])
    caller.send(CALL, call, {}, procedure, [3])
    again = caller.start_call(procedure, ["next"])
    callee.send(YIELD, callee.receive()[1], {}, ["ok"])
    assert caller.result(again)[3] == ["ok"]


def test_more_after_the_last_message_is_a_violation(caller: Wamp, callee: Wamp, procedure: str) -> None:
    callee.register(procedure)
    call = caller.start_call(procedure, [1], progress=True)
    caller.send(CALL, call, {}, procedure, [2])
    caller.send(CALL, call, {}, procedure, [3])
    assert caller.violated()


def test_a_caller_has_to_announce_it(alice: Wamp, callee: Wamp, procedure: str) -> None:
    callee.register(procedure)
    alice.start_call(procedure, [1], progress=True)
    assert alice.violated()


def test_whatever_becomes_of_the_call(alice: Wamp, procedure: str) -> None:
    alice.start_call(procedure, [1], progress=True)
    assert alice.violated()


@pytest.mark.parametrize("features", [(), STREAM[:1], STREAM[1:2]])
def test_a_callee_has_to_announce_it_and_canceling(
    enter: Callable[..., Wamp], caller: Wamp, procedure: str, features: tuple[str, ...]
) -> None:
    enter("bob", *features).register(procedure)
    call = caller.start_call(procedure, [1], progress=True)
    with pytest.raises(WampError) as error:
        caller.result(call)
    assert error.value.uri == "wamp.error.feature_not_supported"


def test_results_and_invocations_both_in_pieces(caller: Wamp, callee: Wamp, procedure: str) -> None:
    callee.register(procedure)
    call = caller.start_call(procedure, [1], progress=True, receive_progress=True)
    first = callee.receive()
    assert first[3] == {"receive_progress": True, "progress": True}
    callee.send(YIELD, first[1], {"progress": True}, ["so far"])
    assert caller.receive() == [RESULT, call, {"progress": True}, ["so far"]]
    caller.send(CALL, call, {}, procedure, [2])
    assert callee.receive()[3] == {"receive_progress": True}
    callee.send(YIELD, first[1], {}, ["all"])
    assert caller.result(call)[3] == ["all"]
