"""The dealer through the router: each call ends once, whoever leaves and whatever comes late."""

from __future__ import annotations

from typing import Any

import pytest
from unit.core.routed import Peer, RealmUnderTest, Routed, holds_nothing, rule
from unit.core.test_publishing import error

from wampgate.core.limits import SessionLimits
from wampgate.wire.messages import MAX_ID

ADD = "com.example.add"


@pytest.fixture
def routed() -> Routed:
    return Routed()


def registered(peer: Peer, procedure: str = ADD, **options: Any) -> int:
    ((code, request, registration),) = peer.ask(64, options, procedure)
    assert (code, request) == (65, peer.request)
    return int(registration)


def invocation(peer: Peer) -> list[Any]:
    (heard,) = peer.heard()
    assert heard[0] == 68
    return list(heard)


def test_a_call_and_its_result(routed: Routed) -> None:
    callee, caller = routed.peer().join(), routed.peer().join()
    registration = registered(callee)
    assert caller.ask(48, {}, ADD, [2, 3], {"round": True}) == []
    assert invocation(callee) == [68, 1, registration, {}, [2, 3], {"round": True}]
    assert callee.say(70, 1, {}, [5], {"exact": True}) == []
    assert caller.heard() == [[50, 1, {}, [5], {"exact": True}]]
    assert not caller.session.calls
    assert not callee.session.invocations


def test_a_call_and_its_error(routed: Routed) -> None:
    callee, caller = routed.peer().join(), routed.peer().join()
    registered(callee)
    caller.ask(48, {}, ADD)
    callee.heard()
    callee.say(8, 68, 1, {"detail": 1}, "com.example.error", ["why"], {"k": 1})
    assert caller.heard() == [[8, 48, 1, {}, "com.example.error", ["why"], {"k": 1}]]


def test_an_error_uri_that_is_none_is_replaced(routed: Routed) -> None:
    callee, caller = routed.peer().join(), routed.peer().join()
    registered(callee)
    caller.ask(48, {}, ADD)
    callee.say(8, 68, 1, {}, "not a uri", ["why"])
    assert caller.heard() == [[8, 48, 1, {}, "wamp.error.invalid_uri", ["why"]]]


def test_answers_find_their_callers_in_any_order(routed: Routed) -> None:
    callee, one, two = (routed.peer().join() for _ in range(3))
    registered(callee)
    for peer, number in ((one, 1), (two, 2), (one, 3)):
        peer.ask(48, {}, ADD, [number])
    invocations = {heard[4][0]: heard[1] for heard in callee.heard()}
    assert sorted(invocations.values()) == [1, 2, 3]
    for number in (3, 2, 1):
        callee.say(70, invocations[number], {}, [number])
    assert one.heard() == [[50, 2, {}, [3]], [50, 1, {}, [1]]]
    assert two.heard() == [[50, 1, {}, [2]]]


def test_a_session_may_call_itself(routed: Routed) -> None:
    peer = routed.peer().join()
    registered(peer)
    (heard,) = peer.ask(48, {}, ADD)
    assert peer.say(70, heard[1], {}, ["me"]) == [[50, 2, {}, ["me"]]]
    peer.ask(48, {}, ADD)
    peer.leave()
    assert holds_nothing(peer.session)
    assert routed.is_empty()


def test_no_such_procedure(routed: Routed) -> None:
    caller = routed.peer().join()
    assert error(caller.ask(48, {}, ADD), 48, 1) == "wamp.error.no_such_procedure"
    assert caller.ask(48, {}, "com.forbidden")[0][4] == "wamp.error.not_authorized"


def test_a_procedure_has_one_callee(routed: Routed) -> None:
    callee, other = routed.peer().join(), routed.peer().join()
    registration = registered(callee)
    for peer in (other, callee):
        assert error(peer.ask(64, {}, ADD), 64, peer.request) == "wamp.error.procedure_already_exists"
    assert error(other.ask(66, registration), 66, other.request) == "wamp.error.no_such_registration"
    assert callee.ask(66, registration) == [[67, callee.request]]
    assert registered(other) != registration


@pytest.mark.parametrize("procedure", ["wamp.session.count", "wampgate.publish", "wampgate.x"])
@pytest.mark.parametrize("match", ["exact", "prefix", "wildcard"])
def test_nobody_from_outside_registers_as_the_router(routed: Routed, procedure: str, match: str) -> None:
    peer = routed.peer().join("the ticket of backend")
    assert error(peer.ask(64, {"match": match}, procedure), 64, 1) == "wamp.error.not_authorized"


@pytest.mark.parametrize("pattern", ["", "w", "wamp", "wampg"])
def test_nor_by_a_pattern_that_could_match(routed: Routed, pattern: str) -> None:
    peer = routed.peer().join("the ticket of backend")
    assert error(peer.ask(64, {"match": "prefix"}, pattern), 64, 1) == "wamp.error.not_authorized"


# --- who leaves ---


def test_a_callee_that_leaves_ends_its_calls(routed: Routed) -> None:
    callee, one, two = (routed.peer().join() for _ in range(3))
    registered(callee)
    one.ask(48, {}, ADD)
    two.ask(48, {}, ADD)
    callee.leave()
    for caller in (one, two):
        (heard,) = caller.heard()
        assert heard[:5] == [8, 48, 1, {}, "wamp.error.canceled"]
        assert not caller.session.calls
    assert error(one.ask(48, {}, ADD), 48, 2) == "wamp.error.no_such_procedure"


def test_a_caller_that_leaves_is_not_answered(routed: Routed) -> None:
    callee, caller = routed.peer().join(), routed.peer().join()
    registered(callee)
    caller.ask(48, {}, ADD)
    caller.leave()
    assert not callee.session.invocations
    callee.heard()
    assert callee.say(70, 1, {}, ["too late"]) == []
    assert callee.say(8, 68, 1, {}, "com.example.late") == []
    assert callee.session.established
    assert caller.heard() == []


def test_a_registration_that_is_taken_back_still_answers(routed: Routed) -> None:
    callee, caller = routed.peer().join(), routed.peer().join()
    registration = registered(callee)
    caller.ask(48, {}, ADD)
    callee.heard()
    callee.ask(66, registration)
    callee.say(70, 1, {}, ["still"])
    assert caller.heard() == [[50, 1, {}, ["still"]]]
    assert error(caller.ask(48, {}, ADD), 48, 2) == "wamp.error.no_such_procedure"


def test_a_second_answer_is_late_and_not_delivered(routed: Routed) -> None:
    callee, caller = routed.peer().join(), routed.peer().join()
    registered(callee)
    caller.ask(48, {}, ADD)
    for _ in range(2):
        callee.say(70, 1, {}, [1])
    callee.say(8, 68, 1, {}, "com.example.error")
    assert caller.heard() == [[50, 1, {}, [1]]]
    assert callee.session.established


# --- who breaks the protocol ---


@pytest.mark.parametrize("answer", [(70, 1, {}), (70, MAX_ID, {}), (8, 68, 5, {}, "x.y")])
def test_an_answer_to_what_was_never_asked_is_a_violation(routed: Routed, answer: tuple[Any, ...]) -> None:
    callee = routed.peer().join()
    registered(callee)
    heard = callee.say(*answer)
    assert (heard[0][0], heard[0][2]) == (3, "wamp.error.protocol_violation")
    assert routed.is_empty()


def test_no_one_answers_for_another(routed: Routed) -> None:
    callee, caller, thief = (routed.peer().join() for _ in range(3))
    registered(callee)
    caller.ask(48, {}, ADD)
    assert thief.say(70, 1, {}, ["forged"])[0][0] == 3
    assert caller.heard() == []
    callee.say(70, 1, {}, ["true"])
    assert caller.heard() == [[50, 1, {}, ["true"]]]


@pytest.mark.parametrize("request_type", [16, 32, 48, 64, 0, 1, 99])
def test_an_error_of_the_wrong_type_is_a_violation(routed: Routed, request_type: int) -> None:
    callee, caller = routed.peer().join(), routed.peer().join()
    registered(callee)
    caller.ask(48, {}, ADD)
    callee.heard()
    heard = callee.say(8, request_type, 1, {}, "com.example.error")
    assert (heard[0][0], heard[0][2]) == (3, "wamp.error.protocol_violation")
    # Its caller gets its one answer all the same.
    assert [message[4] for message in caller.heard()] == ["wamp.error.canceled"]


def test_a_progressive_result_that_no_one_asked_for_is_a_violation(routed: Routed) -> None:
    callee, caller = routed.peer().join(), routed.peer().join()
    registered(callee)
    caller.ask(48, {}, ADD)
    callee.heard()
    assert callee.say(70, 1, {"progress": True}, [1])[0][2] == "wamp.error.protocol_violation"
    assert len(caller.heard()) == 1


def test_a_pending_call_s_id_may_not_come_again(routed: Routed) -> None:
    callee, caller = routed.peer().join(), routed.peer().join()
    registered(callee)
    caller.ask(48, {}, ADD)
    heard = caller.say(48, 1, {}, ADD)
    assert (heard[0][0], heard[0][2]) == (3, "wamp.error.protocol_violation")
    callee.heard()
    assert callee.say(70, 1, {}, [1]) == []
    assert not callee.session.invocations


def test_the_id_of_a_call_that_ended_is_free(routed: Routed) -> None:
    callee, caller = routed.peer().join(), routed.peer().join()
    registered(callee)
    for invocation_id in (1, 2):
        assert caller.say(48, 1, {}, ADD) == []
        callee.say(70, invocation_id, {})
        assert caller.heard() == [[50, 1, {}]]


def test_invocation_ids_count_from_1_for_each_callee_and_wrap(routed: Routed) -> None:
    one, two, caller = (routed.peer().join() for _ in range(3))
    registered(one, "com.example.one")
    registered(two, "com.example.two")
    for procedure in ("one", "two", "one"):
        caller.ask(48, {}, f"com.example.{procedure}")
    assert [heard[1] for heard in one.heard()] == [1, 2]
    assert [heard[1] for heard in two.heard()] == [1]
    two.session.last_invocation = MAX_ID
    caller.ask(48, {}, "com.example.two")
    assert [heard[1] for heard in two.heard()] == [1]


# --- identity ---


def test_a_caller_is_disclosed_if_either_asks_and_none_forbids(routed: Routed) -> None:
    token = routed.realm.add_user("joe")
    callee, caller = routed.peer().join(token), routed.peer().join(token)
    identity = {"caller": caller.session.id, "caller_authid": "joe", "caller_authrole": "member"}
    for procedure, register, call, expected in (
        ("com.example.a", {}, {}, {}),
        ("com.example.b", {"disclose_caller": True}, {}, identity),
        ("com.example.c", {}, {"disclose_me": True}, identity),
        ("com.example.open.d", {}, {}, identity),
        ("com.example.secret.e", {}, {}, {}),
        ("com.example.secret.f", {"disclose_caller": True}, {}, {}),
    ):
        registered(callee, procedure, **register)
        assert caller.ask(48, call, procedure) == []
        assert invocation(callee)[3] == expected, procedure
    heard = caller.ask(48, {"disclose_me": True}, "com.example.secret.e")
    assert error(heard, 48, caller.request) == "wamp.error.option_disallowed.disclose_me"


def test_no_identity_but_the_router_s(routed: Routed) -> None:
    callee, caller = routed.peer().join(), routed.peer().join()
    registered(callee)
    forged = {"caller": 1, "caller_authid": "root", "caller_authrole": "admin", "procedure": "x.y", "trustlevel": 5}
    caller.ask(48, forged, ADD)
    assert invocation(callee)[3] == {}
    callee.say(70, 1, {"callee": 1, "callee_authid": "root"}, [])
    (heard,) = caller.heard()
    assert heard[2] == {}


# --- limits and realms ---


def test_so_many_at_a_time_and_no_more() -> None:
    routed = Routed(RealmUnderTest(limits=SessionLimits(registrations=1, calls=2)))
    callee, caller = routed.peer().join(), routed.peer().join()
    registered(callee)
    assert error(callee.ask(64, {}, "com.example.b"), 64, 2) == "wampgate.error.limit_exceeded"
    for _ in range(2):
        assert caller.ask(48, {}, ADD) == []
    assert error(caller.ask(48, {}, ADD), 48, 3) == "wampgate.error.limit_exceeded"
    callee.say(70, 1, {})
    caller.heard()
    assert caller.ask(48, {}, ADD) == []


def test_procedures_do_not_cross_realms() -> None:
    routed = Routed(RealmUnderTest("one"), RealmUnderTest("two"))
    registered(routed.peer().join(realm="one"))
    stranger = routed.peer().join(realm="two")
    assert error(stranger.ask(48, {}, ADD), 48, 1) == "wamp.error.no_such_procedure"
    registered(stranger)


def test_calls_keep_their_order_while_one_waits_for_its_decision() -> None:
    # An authorizer that is asked for the first call and knows the second: neither overtakes the other.
    routed = Routed(RealmUnderTest(authorizer=Hesitant))
    callee, caller = routed.peer().join(), routed.peer().join()
    registered(callee)
    caller.ask(48, {}, ADD, ["waits"])
    hesitant: Any = routed.realm.realm._authorizer
    assert len(hesitant.asked) == 1
    caller.ask(48, {}, ADD, ["is known"])
    assert callee.heard() == []
    hesitant.asked.pop().resolve(hesitant.yes)
    assert [heard[4] for heard in callee.heard()] == [["waits"], ["is known"]]


class Hesitant:
    """An authorizer that needs time for its first call only."""

    def __init__(self, authorizer: Any) -> None:
        from wampgate.core.decisions import Decision

        self.authorizer = authorizer
        self.asked: list[Any] = []
        self.yes = Decision(True, "at last")
        self.first = True

    def authorize(self, who: Any, action: Any, uri: str, match: Any) -> Any:
        """See :class:`wampgate.core.interfaces.Authorizer`."""
        from wampgate.core.decisions import Pending

        if action == "call" and self.first:
            self.first = False
            self.asked.append(Pending())
            return self.asked[0]
        return self.authorizer.authorize(who, action, uri, match)


def test_rules_decide_who_calls_and_who_registers() -> None:
    routed = Routed(RealmUnderTest(rules=[rule("guest", ["call"], ADD), rule("member", ["register"], ADD)]))
    guest, member = routed.peer().join(), routed.peer().join(routed.realm.add_user("joe"))
    assert error(guest.ask(64, {}, ADD), 64, 1) == "wamp.error.not_authorized"
    registered(member)
    assert error(member.ask(48, {}, ADD), 48, 2) == "wamp.error.not_authorized"
    guest.ask(48, {}, ADD)
    invocation(member)
