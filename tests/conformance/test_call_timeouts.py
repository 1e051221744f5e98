"""WAMP Advanced Profile, "Call Timeouts"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from raw_wamp import ERROR, INTERRUPT, INVOCATION, RESULT, YIELD, WampError, random_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Wamp


@pytest.fixture
def procedure() -> str:
    return random_name()


TIMEOUT = "wamp.error.timeout"


def timed_out(caller: Wamp, call: int) -> bool:
    with pytest.raises(WampError) as error:
        caller.result(call)
    return error.value.uri == TIMEOUT


def test_it_is_announced(alice: Wamp) -> None:
    assert alice.welcome["roles"]["dealer"]["features"]["call_timeout"] is True


def test_the_dealer_ends_the_call(alice: Wamp, bob: Wamp, procedure: str) -> None:
    bob.register(procedure)
    call = alice.start_call(procedure, timeout=100)
    invocation = bob.receive()
    assert invocation[3] == {}
    assert timed_out(alice, call)
    bob.send(YIELD, invocation[1], {}, ["too late"])
    again = alice.start_call(procedure)
    bob.send(YIELD, bob.receive()[1], {}, ["in time"])
    assert alice.result(again)[3] == ["in time"]


def test_the_mode_is_killnowait_where_the_callee_takes_it(
    enter: Callable[..., Wamp], alice: Wamp, procedure: str
) -> None:
    callee = enter("bob", "call_canceling")
    callee.register(procedure)
    call = alice.start_call(procedure, timeout=50)
    invocation = callee.receive()[1]
    assert callee.receive() == [INTERRUPT, invocation, {"mode": "killnowait", "reason": TIMEOUT}]
    assert timed_out(alice, call)


def test_a_timeout_of_zero_is_none(alice: Wamp, bob: Wamp, procedure: str) -> None:
    bob.register(procedure)
    call = alice.start_call(procedure, timeout=0)
    short = alice.start_call(procedure, timeout=300)
    invocation = bob.receive()[1]
    assert timed_out(alice, short)
    bob.send(YIELD, invocation, {}, ["at leisure"])
    assert alice.result(call)[3] == ["at leisure"]


def test_a_callee_may_watch_itself(enter: Callable[..., Wamp], alice: Wamp, procedure: str) -> None:
    callee = enter("bob", "call_timeout")
    callee.register(procedure, forward_timeout=True)
    call = alice.start_call(procedure, timeout=30)
    invocation = callee.receive()
    assert invocation[3] == {"timeout": 30}
    callee.send(ERROR, INVOCATION, invocation[1], {}, TIMEOUT)
    assert timed_out(alice, call)


@pytest.mark.parametrize(("features", "forward"), [((), True), (("call_timeout",), False)])
def test_unless_it_asks_for_that_the_dealer_does(
    enter: Callable[..., Wamp], alice: Wamp, procedure: str, features: tuple[str, ...], forward: bool
) -> None:
    callee = enter("bob", *features)
    callee.register(procedure, forward_timeout=forward)
    call = alice.start_call(procedure, timeout=50)
    assert callee.receive()[3] == {}
    assert timed_out(alice, call)


def test_progress_starts_the_time_anew(enter: Callable[..., Wamp], alice: Wamp, procedure: str) -> None:
    callee = enter("bob", "progressive_call_results")
    callee.register(procedure)
    call = alice.start_call(procedure, receive_progress=True, timeout=1000)
    invocation = callee.receive()[1]
    callee.send(YIELD, invocation, {"progress": True}, [1])
    assert alice.receive() == [RESULT, call, {"progress": True}, [1]]
    assert timed_out(alice, call)
