"""Who a call goes to: patterns, shared registrations, concurrency ("Pattern-based", "Shared Registration")."""

from __future__ import annotations

from typing import Any

import pytest
from unit.core.calls import ADD, CANCELING, REVOCATION, error_of, only, peer_with, registered
from unit.core.routed import EVERY, Peer, RealmUnderTest, Routed, rule

EXISTS = "wamp.error.procedure_already_exists"
NOBODY = "wamp.error.no_available_callee"


@pytest.fixture
def routed() -> Routed:
    return Routed()


def refused(heard: list[Any]) -> str:
    return str(only(heard, 8)[4])


def shared(routed: Routed, count: int = 3, **options: Any) -> list[Peer]:
    callees = [peer_with(routed) for _ in range(count)]
    ids = {registered(callee, **options) for callee in callees}
    assert len(ids) == 1
    return callees


def asked(caller: Peer, callees: list[Peer], times: int = 1, procedure: str = ADD) -> list[int]:
    """Which callee each of several calls goes to; none of them is answered."""
    order = []
    for _ in range(times):
        assert caller.ask(48, {}, procedure) == []
        (index,) = [index for index, callee in enumerate(callees) if callee.heard()]
        order.append(index)
    return order


# --- patterns ---


def test_calls_find_the_best_match_as_the_specification_has_it() -> None:
    # With its examples, but for c33 in the fifth: there `a1.b2.c3` is no prefix, though
    # "Prefix Matching" has `com.myapp.myobject1` match `com.myapp.myobject1-mysubobject1`.
    routed = Routed(RealmUnderTest(rules=[rule("guest", EVERY, "", "prefix")]))
    callee, caller = peer_with(routed), peer_with(routed)
    number = {
        registered(callee, procedure, match=match): place
        for place, (procedure, match) in enumerate(
            [
                ("a1.b2.c3.d4.e55", "exact"),
                ("a1.b2.c3", "prefix"),
                ("a1.b2.c3.d4", "prefix"),
                ("a1.b2..d4.e5", "wildcard"),
                ("a1.b2.x33..e5", "wildcard"),
                ("a1.b2..d4.e5..g7", "wildcard"),
                ("a1.b2..d4..f6.g7", "wildcard"),
            ],
            1,
        )
    }
    for procedure, expected in [
        ("a1.b2.c3.d4.e55", 1),
        ("a1.b2.c3.d98.e74", 2),
        ("a1.b2.c3.d4.e325", 3),
        ("a1.b2.c55.d4.e5", 4),
        ("a1.b2.x33.d4.e5", 5),
        ("a1.b2.c88.d4.e5.f6.g7", 6),
        ("a1.b2.c33.x", 2),
    ]:
        caller.ask(48, {}, procedure)
        invocation = only(callee.heard(), 68)
        assert number[invocation[2]] == expected
        assert invocation[3] == ({} if expected == 1 else {"procedure": procedure})
    assert error_of(caller.ask(48, {}, "a2.b2.c2.d2.e2"), caller.request) == "wamp.error.no_such_procedure"


def test_one_procedure_may_be_registered_in_each_way(routed: Routed) -> None:
    callee = peer_with(routed)
    ids = {registered(callee, "com.example.x", match=match) for match in ("exact", "prefix", "wildcard")}
    assert len(ids) == 3
    for registration in ids:
        assert callee.ask(66, registration) == [[67, callee.request]]
    assert refused(peer_with(routed).ask(48, {}, "com.example.x")) == "wamp.error.no_such_procedure"


def test_a_disclosed_caller_of_a_pattern(routed: Routed) -> None:
    callee, caller = peer_with(routed), peer_with(routed)
    registered(callee, "com.example.x", match="prefix", disclose_caller=True)
    caller.ask(48, {}, "com.example.x.y")
    details = only(callee.heard(), 68)[3]
    assert (details["caller"], details["procedure"]) == (caller.session.id, "com.example.x.y")
    other = peer_with(routed)
    registered(other, "com.example.plain")
    caller.ask(48, {}, "com.example.plain")
    assert only(other.heard(), 68)[3] == {}


# --- sharing ---


def test_single_shares_with_nobody(routed: Routed) -> None:
    first, second = peer_with(routed), peer_with(routed)
    registered(first)
    for options in ({}, {"invoke": "single"}, {"invoke": "roundrobin"}):
        assert refused(second.ask(64, options, ADD)) == EXISTS


@pytest.mark.parametrize("policy", ["first", "last", "roundrobin", "random"])
def test_all_share_in_one_way(routed: Routed, policy: str) -> None:
    first, second = peer_with(routed), peer_with(routed)
    registered(first, invoke=policy)
    for other in {"single", "first", "last", "roundrobin", "random"} - {policy}:
        assert refused(second.ask(64, {"invoke": other}, ADD)) == EXISTS
    registered(second, invoke=policy)


@pytest.mark.parametrize(
    ("policy", "expected"), [("first", [0, 0, 0, 0]), ("last", [2, 2, 2, 2]), ("roundrobin", [0, 1, 2, 0])]
)
def test_each_policy_picks_its_own(routed: Routed, policy: str, expected: list[int]) -> None:
    callees = shared(routed, invoke=policy)
    assert asked(peer_with(routed), callees, 4) == expected


def test_random_reaches_everyone(routed: Routed) -> None:
    callees = shared(routed, invoke="random")
    assert set(asked(peer_with(routed), callees, 200)) == {0, 1, 2}


def test_hot_standby(routed: Routed) -> None:
    callees, caller = shared(routed, invoke="first"), peer_with(routed)
    callees[0].leave()
    assert asked(caller, callees) == [1]


@pytest.mark.parametrize("gone", [0, 1, 2, 3])
@pytest.mark.parametrize("before", [0, 1, 2, 3, 5])
def test_taking_turns_goes_on_in_order_when_one_goes(routed: Routed, before: int, gone: int) -> None:
    callees, caller = shared(routed, 4, invoke="roundrobin"), peer_with(routed)
    asked(caller, callees, before)
    order = [*range(4)]
    turn = before % 4
    registration = next(iter(callees[gone].session.registrations or {}))
    callees[gone].ask(66, registration)
    callees[gone].heard()
    expected = [index for index in order[turn:] + order[:turn] if index != gone] * 2
    assert asked(caller, callees, 6) == expected


def test_the_last_one_to_go_ends_the_registration(routed: Routed) -> None:
    callees, caller = shared(routed, 2, invoke="roundrobin"), peer_with(routed)
    for callee in callees:
        callee.leave()
    assert error_of(caller.ask(48, {}, ADD), 1) == "wamp.error.no_such_procedure"
    registered(caller, invoke="last")


def test_registering_again_changes_one_s_options(routed: Routed) -> None:
    callee, caller = peer_with(routed), peer_with(routed)
    first = registered(callee, invoke="roundrobin")
    assert registered(callee, invoke="roundrobin", disclose_caller=True) == first
    caller.ask(48, {}, ADD)
    assert only(callee.heard(), 68)[3]["caller"] == caller.session.id


# --- concurrency ---


def test_a_callee_is_asked_no_more_than_it_takes(routed: Routed) -> None:
    callee, caller = peer_with(routed), peer_with(routed)
    registered(callee, concurrency=2)
    for _ in range(2):
        assert caller.ask(48, {}, ADD) == []
    assert error_of(caller.ask(48, {}, ADD), 3) == NOBODY
    callee.heard()
    callee.say(70, 1, {})
    caller.heard()
    assert caller.ask(48, {}, ADD) == []
    assert len(callee.heard()) == 1


@pytest.mark.parametrize("end", ["result", "error", "cancel", "caller", "timeout"])
def test_however_a_call_ends_its_place_is_free_again(routed: Routed, end: str) -> None:
    callee, caller, other = peer_with(routed, CANCELING), peer_with(routed), peer_with(routed)
    registered(callee, concurrency=1)
    caller.ask(48, {"timeout": 1000}, ADD)
    assert error_of(other.ask(48, {}, ADD), 1) == NOBODY
    if end == "result":
        callee.say(70, 1, {})
    elif end == "error":
        callee.say(8, 68, 1, {}, "com.example.error")
    elif end == "cancel":
        caller.say(49, 1, {})
    elif end == "timeout":
        routed.pass_time(2.0)
    else:
        caller.leave()
    assert other.ask(48, {}, ADD) == []
    assert error_of(other.ask(48, {}, ADD), 3) == NOBODY


@pytest.mark.parametrize(("policy", "expected"), [("first", [0, 1, 2]), ("last", [2, 1, 0]), ("roundrobin", [0, 1, 2])])
def test_who_is_busy_is_passed_over(routed: Routed, policy: str, expected: list[int]) -> None:
    callees, caller = shared(routed, invoke=policy, concurrency=1), peer_with(routed)
    assert asked(caller, callees, 3) == expected
    assert error_of(caller.ask(48, {}, ADD), 4) == NOBODY
    callees[1].say(70, 1, {})
    caller.heard()
    assert asked(caller, callees) == [1]


def test_random_passes_over_who_is_busy(routed: Routed) -> None:
    callees, caller = shared(routed, invoke="random", concurrency=1), peer_with(routed)
    assert sorted(asked(caller, callees, 3)) == [0, 1, 2]
    assert error_of(caller.ask(48, {}, ADD), 4) == NOBODY


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, "1", True])
def test_a_concurrency_that_is_none_is_a_violation(routed: Routed, concurrency: object) -> None:
    heard = peer_with(routed).ask(64, {"concurrency": concurrency}, ADD)
    assert only(heard, 3)[2] == "wamp.error.protocol_violation"


# --- giving way ---


def test_a_callee_makes_way_for_itself_come_back() -> None:
    routed = Routed()
    roles = {"callee": {"features": {REVOCATION: True}}, "caller": {}}
    before = routed.peer().join("the ticket of backend", roles=roles)
    after = routed.peer().join("the ticket of backend", roles=roles)
    registration = registered(before)
    assert refused(after.ask(64, {}, ADD)) == EXISTS
    registered(after, force_reregister=True)
    reason = "wampgate.error.registration_displaced"
    assert before.heard() == [[67, 0, {"registration": registration, "reason": reason}]]
    caller = routed.peer().join()
    assert asked(caller, [before, after]) == [1]


def test_nobody_makes_way_for_another(routed: Routed) -> None:
    registered(peer_with(routed))
    other = routed.peer().join("the ticket of backend")
    assert refused(other.ask(64, {"force_reregister": True}, ADD)) == EXISTS
