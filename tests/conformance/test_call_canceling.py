"""WAMP Advanced Profile, "Call Canceling"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from raw_wamp import CANCEL, ERROR, INTERRUPT, INVOCATION, YIELD, WampError, random_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Wamp


@pytest.fixture
def procedure() -> str:
    return random_name()


CANCELED = "wamp.error.canceled"


def canceled(caller: Wamp, call: int) -> bool:
    with pytest.raises(WampError) as error:
        caller.result(call)
    return error.value.uri == CANCELED


def test_it_is_announced(alice: Wamp) -> None:
    assert alice.welcome["roles"]["dealer"]["features"]["call_canceling"] is True


def test_skip(enter: Callable[..., Wamp], alice: Wamp, procedure: str) -> None:
    callee = enter("bob", "call_canceling")
    callee.register(procedure)
    call = alice.start_call(procedure)
    invocation = callee.receive()[1]
    alice.send(CANCEL, call, {"mode": "skip"})
    assert canceled(alice, call)
    callee.send(YIELD, invocation, {}, ["discarded"])
    # The next thing that either hears is of the next call.
    again = alice.start_call(procedure)
    callee.send(YIELD, callee.receive()[1], {}, ["fresh"])
    assert alice.result(again)[3] == ["fresh"]


@pytest.mark.parametrize("answer", ["error", "result"])
def test_kill(enter: Callable[..., Wamp], alice: Wamp, procedure: str, answer: str) -> None:
    callee = enter("bob", "call_canceling")
    callee.register(procedure)
    call = alice.start_call(procedure)
    invocation = callee.receive()[1]
    alice.send(CANCEL, call, {"mode": "kill"})
    assert callee.receive() == [INTERRUPT, invocation, {"mode": "kill"}]
    if answer == "error":
        callee.send(ERROR, INVOCATION, invocation, {}, CANCELED, ["stopped"])
        with pytest.raises(WampError) as error:
            alice.result(call)
        assert (error.value.uri, error.value.message[5]) == (CANCELED, ["stopped"])
    else:
        callee.send(YIELD, invocation, {}, ["was done already"])
        assert alice.result(call)[3] == ["was done already"]


@pytest.mark.parametrize("options", [{"mode": "killnowait"}, {}])
def test_killnowait(enter: Callable[..., Wamp], alice: Wamp, procedure: str, options: dict[str, Any]) -> None:
    callee = enter("bob", "call_canceling")
    callee.register(procedure)
    call = alice.start_call(procedure)
    invocation = callee.receive()[1]
    alice.send(CANCEL, call, options)
    assert canceled(alice, call)
    assert callee.receive() == [INTERRUPT, invocation, {"mode": "killnowait", "reason": CANCELED}]
    callee.send(ERROR, INVOCATION, invocation, {}, CANCELED)
    again = alice.start_call(procedure)
    callee.send(YIELD, callee.receive()[1], {}, ["fresh"])
    assert alice.result(again)[3] == ["fresh"]


@pytest.mark.parametrize("mode", ["skip", "kill", "killnowait"])
def test_without_the_feature_every_mode_is_skip(alice: Wamp, bob: Wamp, procedure: str, mode: str) -> None:
    bob.register(procedure)
    call = alice.start_call(procedure)
    invocation = bob.receive()[1]
    alice.send(CANCEL, call, {"mode": mode})
    assert canceled(alice, call)
    again = alice.start_call(procedure)
    assert bob.receive()[0] == INVOCATION
    bob.send(YIELD, invocation, {}, ["discarded"])
    bob.send(YIELD, invocation + 1, {}, ["fresh"])
    assert alice.result(again)[3] == ["fresh"]


@pytest.mark.parametrize("how", ["goodbye", "close", "reset"])
def test_a_caller_that_leaves_interrupts(enter: Callable[..., Wamp], alice: Wamp, procedure: str, how: str) -> None:
    callee = enter("bob", "call_canceling")
    callee.register(procedure)
    alice.start_call(procedure)
    invocation = callee.receive()[1]
    if how == "goodbye":
        alice.leave()
    elif how == "close":
        alice.close()
    else:
        alice.reset()  # type: ignore[attr-defined]  # both transports have it
    assert callee.receive() == [INTERRUPT, invocation, {"mode": "killnowait", "reason": CANCELED}]


def test_canceling_what_is_over_does_nothing(alice: Wamp, bob: Wamp, procedure: str) -> None:
    bob.register(procedure)
    call = alice.start_call(procedure)
    bob.send(YIELD, bob.receive()[1], {})
    alice.result(call)
    alice.send(CANCEL, call, {"mode": "kill"})
    assert alice.call("wampgate.publish", [random_name(), []]) is not None


def test_a_mode_that_there_is_not(alice: Wamp) -> None:
    alice.send(CANCEL, 1, {"mode": "gently"})
    assert alice.violated()
