"""WAMP Advanced Profile, "Shared Registration"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from raw_wamp import YIELD, WampError, random_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Wamp


@pytest.fixture
def procedure() -> str:
    return random_name()


def test_it_is_announced(alice: Wamp) -> None:
    assert alice.welcome["roles"]["dealer"]["features"]["shared_registration"] is True


def who_answers(caller: Wamp, callees: list[Wamp], procedure: str) -> int:
    """Which callee a call goes to; each answers with its number."""
    call = caller.start_call(procedure)
    # One round trip, and the call is routed; another one of each callee, and it is seen who got it.
    caller.events()
    for number, callee in enumerate(callees):
        callee.send(34, callee.next_request(), 2**53)
        message = callee.receive()
        if message[0] == 68:
            callee.receive()
            callee.send(YIELD, message[1], {}, [number])
    return int(caller.result(call)[3][0])


@pytest.mark.parametrize(
    ("policy", "expected"), [("first", [0, 0, 0, 0]), ("last", [2, 2, 2, 2]), ("roundrobin", [0, 1, 2, 0])]
)
def test_each_policy(enter: Callable[..., Wamp], alice: Wamp, procedure: str, policy: str, expected: list[int]) -> None:
    callees = [enter("bob") for _ in range(3)]
    assert len({callee.register(procedure, invoke=policy) for callee in callees}) == 1
    assert [who_answers(alice, callees, procedure) for _ in expected] == expected


def test_random(enter: Callable[..., Wamp], alice: Wamp, procedure: str) -> None:
    callees = [enter("bob") for _ in range(2)]
    for callee in callees:
        callee.register(procedure, invoke="random")
    answered = {who_answers(alice, callees, procedure) for _ in range(40)}
    assert answered == {0, 1}


@pytest.mark.parametrize("first", ["single", "first", "last", "roundrobin", "random"])
def test_all_share_it_alike_or_not_at_all(alice: Wamp, bob: Wamp, procedure: str, first: str) -> None:
    alice.register(procedure, invoke=first)
    for second in ("single", "first", "last", "roundrobin", "random"):
        if second == first != "single":
            continue
        with pytest.raises(WampError) as error:
            bob.register(procedure, invoke=second)
        assert error.value.uri == "wamp.error.procedure_already_exists"


def test_turns_go_on_in_order_after_one_unregisters(enter: Callable[..., Wamp], alice: Wamp, procedure: str) -> None:
    callees = [enter("bob") for _ in range(4)]
    ids = [callee.register(procedure, invoke="roundrobin") for callee in callees]
    assert [who_answers(alice, callees, procedure) for _ in range(2)] == [0, 1]
    callees[0].unregister(ids[0])
    assert [who_answers(alice, callees, procedure) for _ in range(4)] == [2, 3, 1, 2]


def test_a_stand_by_takes_over(enter: Callable[..., Wamp], alice: Wamp, procedure: str) -> None:
    callees = [enter("bob") for _ in range(2)]
    for callee in callees:
        callee.register(procedure, invoke="first")
    assert who_answers(alice, callees, procedure) == 0
    callees[0].leave()
    assert who_answers(alice, callees[1:], procedure) == 0


def test_concurrency_is_bounded_for_each_callee(enter: Callable[..., Wamp], alice: Wamp, procedure: str) -> None:
    callees = [enter("bob") for _ in range(2)]
    for callee in callees:
        callee.register(procedure, invoke="roundrobin", concurrency=1)
    calls = [alice.start_call(procedure) for _ in callees]
    with pytest.raises(WampError) as error:
        alice.call(procedure)
    assert error.value.uri == "wamp.error.no_available_callee"
    for number, callee in enumerate(callees):
        callee.send(YIELD, callee.receive()[1], {}, [number])
    assert [alice.result(call)[3] for call in calls] == [[0], [1]]
    assert who_answers(alice, callees, procedure) in (0, 1)
