"""Call timeouts: in milliseconds, by the dealer or by a callee that asks for it ("Call Timeouts")."""

from __future__ import annotations

from typing import Any

import pytest
from unit.core.calls import ADD, CANCELING, RESULTS, TIMEOUT, error_of, only, peer_with, registered
from unit.core.routed import Peer, Routed

LATE = "wamp.error.timeout"


@pytest.fixture
def routed() -> Routed:
    return Routed()


def called(routed: Routed, *features: str, register: dict[str, Any] | None = None, **call: Any) -> tuple[Peer, Peer]:
    callee, caller = peer_with(routed, *features), peer_with(routed)
    registered(callee, **(register or {}))
    caller.ask(48, call, ADD)
    return callee, caller


def test_a_call_that_takes_too_long_ends_with_timeout(routed: Routed) -> None:
    callee, caller = called(routed, timeout=1500)
    assert only(callee.heard(), 68)[3] == {}
    routed.pass_time(1.4)
    assert caller.heard() == []
    routed.pass_time(0.2)
    assert error_of(caller.heard(), 1) == LATE
    assert callee.heard() == []
    assert callee.say(70, 1, {}, ["late"]) == []
    assert caller.heard() == []
    assert len(routed.deadlines) == 0


def test_the_callee_is_interrupted_if_it_takes_that(routed: Routed) -> None:
    callee, caller = called(routed, CANCELING, timeout=100)
    callee.heard()
    routed.pass_time(0.2)
    assert error_of(caller.heard(), 1) == LATE
    assert callee.heard() == [[69, 1, {"mode": "killnowait", "reason": LATE}]]


@pytest.mark.parametrize("timeout", [None, 0])
def test_without_a_timeout_a_call_waits(routed: Routed, timeout: int | None) -> None:
    callee, caller = called(routed, **({} if timeout is None else {"timeout": timeout}))
    routed.pass_time(1e6)
    assert caller.heard() == []
    callee.say(70, 1, {})
    assert caller.heard() == [[50, 1, {}]]


@pytest.mark.parametrize("timeout", [-1, 1.5, "1", True, None])
def test_a_timeout_that_is_none_is_a_violation(routed: Routed, timeout: object) -> None:
    caller = peer_with(routed)
    heard = caller.ask(48, {"timeout": timeout}, ADD)
    if timeout is None:
        assert error_of(heard, 1) == "wamp.error.no_such_procedure"
    else:
        assert only(heard, 3)[2] == "wamp.error.protocol_violation"


@pytest.mark.parametrize("ending", ["result", "error", "cancel", "caller", "callee"])
def test_whatever_ends_a_call_forgets_its_deadline(routed: Routed, ending: str) -> None:
    callee, caller = called(routed, timeout=1000)
    before = len(routed.deadlines)
    assert before == 1
    if ending == "result":
        callee.say(70, 1, {})
    elif ending == "error":
        callee.say(8, 68, 1, {}, "com.example.error")
    elif ending == "cancel":
        caller.say(49, 1, {"mode": "skip"})
    else:
        (caller if ending == "caller" else callee).leave()
    assert len(routed.deadlines) == 0
    caller.heard()
    routed.pass_time(2.0)
    assert caller.heard() == []


def test_a_progressive_result_starts_the_time_anew(routed: Routed) -> None:
    callee, caller = called(routed, RESULTS, timeout=1000, receive_progress=True)
    for number in range(5):
        routed.pass_time(0.9)
        callee.say(70, 1, {"progress": True}, [number])
        assert caller.heard() == [[50, 1, {"progress": True}, [number]]]
    routed.pass_time(1.1)
    assert error_of(caller.heard(), 1) == LATE


def test_a_callee_that_asks_for_it_is_told_the_timeout_and_watches_itself(routed: Routed) -> None:
    callee, caller = called(routed, TIMEOUT, register={"forward_timeout": True}, timeout=1000)
    assert only(callee.heard(), 68)[3] == {"timeout": 1000}
    routed.pass_time(5.0)
    assert caller.heard() == []
    callee.say(8, 68, 1, {}, LATE)
    assert error_of(caller.heard(), 1) == LATE


@pytest.mark.parametrize(("features", "register"), [((), {"forward_timeout": True}), ((TIMEOUT,), {})])
def test_the_dealer_watches_unless_the_callee_announces_it_and_asks(
    routed: Routed, features: tuple[str, ...], register: dict[str, Any]
) -> None:
    callee, caller = called(routed, *features, register=register, timeout=1000)
    assert only(callee.heard(), 68)[3] == {}
    routed.pass_time(1.1)
    assert error_of(caller.heard(), 1) == LATE
