"""WAMP Advanced Profile, "Progressive Call Results"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from raw_wamp import ERROR, INTERRUPT, INVOCATION, RESULT, YIELD, WampError, random_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Wamp


@pytest.fixture
def procedure() -> str:
    return random_name()


def test_it_is_announced(alice: Wamp) -> None:
    assert alice.welcome["roles"]["dealer"]["features"]["progressive_call_results"] is True


@pytest.mark.parametrize("features", [("progressive_call_results",), ("progressive_call_results", "call_canceling")])
def test_results_one_by_one(enter: Callable[..., Wamp], alice: Wamp, procedure: str, features: tuple[str, ...]) -> None:
    callee = enter("bob", *features)
    callee.register(procedure)
    call = alice.start_call(procedure, [2010, 2011], receive_progress=True)
    invocation = callee.receive()
    assert invocation[3:] == [{"receive_progress": True}, [2010, 2011]]
    partial: list[list[Any]] = [[["Y2010", 120]], [[], {"foo": 10}], []]
    for payload in partial:
        callee.send(YIELD, invocation[1], {"progress": True}, *payload)
        assert alice.receive() == [RESULT, call, {"progress": True}, *payload]
    callee.send(YIELD, invocation[1], {}, ["Total", 490])
    assert alice.result(call) == [RESULT, call, {}, ["Total", 490]]


def test_an_error_ends_it(enter: Callable[..., Wamp], alice: Wamp, procedure: str) -> None:
    callee = enter("bob", "progressive_call_results")
    callee.register(procedure)
    call = alice.start_call(procedure, receive_progress=True)
    invocation = callee.receive()[1]
    callee.send(YIELD, invocation, {"progress": True}, [1])
    assert alice.receive()[2] == {"progress": True}
    callee.send(ERROR, INVOCATION, invocation, {}, "com.myapp.invalid_revenue_year", [1830])
    with pytest.raises(WampError) as error:
        alice.result(call)
    assert error.value.uri == "com.myapp.invalid_revenue_year"


def test_a_callee_need_not_make_progress(enter: Callable[..., Wamp], alice: Wamp, procedure: str) -> None:
    callee = enter("bob", "progressive_call_results")
    callee.register(procedure)
    call = alice.start_call(procedure, receive_progress=True)
    callee.send(YIELD, callee.receive()[1], {}, [1])
    assert alice.result(call) == [RESULT, call, {}, [1]]


def test_what_was_not_asked_for_is_not_offered(enter: Callable[..., Wamp], alice: Wamp, procedure: str) -> None:
    callee = enter("bob", "progressive_call_results")
    callee.register(procedure)
    alice.start_call(procedure)
    invocation = callee.receive()
    assert invocation[3] == {}
    callee.send(YIELD, invocation[1], {"progress": True}, [1])
    assert callee.violated()


def test_a_caller_that_leaves_ends_the_stream(enter: Callable[..., Wamp], alice: Wamp, procedure: str) -> None:
    callee = enter("bob", "progressive_call_results", "call_canceling")
    callee.register(procedure)
    call = alice.start_call(procedure, receive_progress=True)
    invocation = callee.receive()[1]
    callee.send(YIELD, invocation, {"progress": True}, [1])
    assert alice.receive()[:2] == [RESULT, call]
    alice.close()
    assert callee.receive()[:2] == [INTERRUPT, invocation]
    callee.send(YIELD, invocation, {"progress": True}, [2])
    callee.send(YIELD, invocation, {}, [3])
    assert callee.register(random_name()) > 0


def test_a_callee_that_leaves_cancels(enter: Callable[..., Wamp], alice: Wamp, procedure: str) -> None:
    callee = enter("bob", "progressive_call_results")
    callee.register(procedure)
    call = alice.start_call(procedure, receive_progress=True)
    callee.send(YIELD, callee.receive()[1], {"progress": True}, [1])
    assert alice.receive()[2] == {"progress": True}
    callee.close()
    with pytest.raises(WampError) as error:
        alice.result(call)
    assert error.value.uri == "wamp.error.canceled"


def test_results_go_between_serializers(enter: Callable[..., Wamp], carol: Wamp, procedure: str) -> None:
    callee = enter("bob", "progressive_call_results")
    callee.register(procedure)
    call = carol.start_call(procedure, receive_progress=True)
    invocation = callee.receive()[1]
    for number in range(20):
        callee.send(YIELD, invocation, {"progress": True}, [number, "ä"])
    callee.send(YIELD, invocation, {})
    for number in range(20):
        assert carol.receive() == [RESULT, call, {"progress": True}, [number, "ä"]]
    assert carol.result(call) == [RESULT, call, {}]
