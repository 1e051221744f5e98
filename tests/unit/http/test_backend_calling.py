"""Calling over HTTP: a session as long as the call, one answer in any case, and nothing left behind."""

from __future__ import annotations

import pytest
from unit.core.routed import RealmUnderTest
from unit.http.asked import BACKEND, BackendUnderTest

PROCEDURE = "com.example.add"


def test_arguments_and_results_pass_as_they_are() -> None:
    backend = BackendUnderTest()
    callee = backend.callee(PROCEDURE)
    reply = backend.call(PROCEDURE, 1, kwargs={"b": 2})
    ((code, request, _, details, args, kwargs),) = callee.heard()
    assert (code, details, args, kwargs) == (68, {}, [1], {"b": 2})
    assert not reply.answered
    callee.say(70, request, {}, [3], {"exact": True})
    backend.routed.flush()
    assert (reply.status, reply.body) == (200, {"args": [3], "kwargs": {"exact": True}})
    callee.leave()
    assert backend.is_idle()


def test_an_empty_result() -> None:
    backend = BackendUnderTest()
    callee = backend.callee(PROCEDURE)
    reply = backend.call(PROCEDURE)
    callee.say(70, callee.heard()[0][1], {})
    backend.routed.flush()
    assert reply.body == {"args": [], "kwargs": {}}


def test_the_callee_learns_who_calls_as_of_any_session() -> None:
    backend = BackendUnderTest()
    callee = backend.callee(PROCEDURE)
    backend.call(PROCEDURE, options={"disclose_me": True})
    details = callee.heard()[0][3]
    assert (details["caller_authid"], details["caller_authrole"]) == ("backend", "backend")
    assert details["caller"] in backend.routed.realm.realm.sessions


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("com.example.no_such_user", 500),
        ("wamp.error.runtime_error", 500),
        ("wamp.error.authentication_failed", 500),
        ("wamp.error.not_authorized", 403),
        ("wamp.error.invalid_argument", 422),
    ],
)
def test_an_error_of_the_callee_comes_with_all_that_it_carries(error: str, status: int) -> None:
    backend = BackendUnderTest()
    callee = backend.callee(PROCEDURE)
    reply = backend.call(PROCEDURE)
    callee.say(8, 68, callee.heard()[0][1], {}, error, ["no user 7", 7], {"known": [1]})
    backend.routed.flush()
    assert (reply.status, reply.body["error"], reply.body["detail"]) == (status, error, "no user 7")
    assert (reply.body["args"], reply.body["kwargs"]) == (["no user 7", 7], {"known": [1]})
    # The callee has done something, or may have.
    assert reply.answer.settled
    assert reply.header("WWW-Authenticate") is None


def test_errors_of_the_router() -> None:
    backend = BackendUnderTest()
    alice = backend.routed.realm.add_user("alice")
    for token, procedure, status, error in (
        (BACKEND, "com.example.none", 404, "wamp.error.no_such_procedure"),
        (alice, "com.other", 403, "wamp.error.not_authorized"),
        (BACKEND, "a..b", 422, "wamp.error.invalid_uri"),
    ):
        reply = backend.call(procedure, token=token)
        assert (reply.status, reply.body["error"]) == (status, error)
        assert not reply.answer.settled
    assert backend.is_idle()


def test_a_callee_that_leaves() -> None:
    backend = BackendUnderTest()
    callee = backend.callee(PROCEDURE)
    reply = backend.call(PROCEDURE)
    callee.leave()
    assert (reply.status, reply.body["error"]) == (502, "wamp.error.canceled")
    assert backend.is_idle()


def test_time_runs_out() -> None:
    backend = BackendUnderTest()
    callee = backend.callee(PROCEDURE)
    reply = backend.call(PROCEDURE, timeout_ms=1500)
    backend.routed.pass_time(1.4)
    assert not reply.answered
    backend.routed.pass_time(0.2)
    assert (reply.status, reply.body["error"]) == (504, "wamp.error.timeout")
    # What comes too late is nobody's, and no fault of the callee.
    callee.say(70, callee.heard()[0][1], {}, ["late"])
    assert callee.closed is None
    assert len(reply.answers) == 1
    callee.leave()
    assert backend.is_idle()


@pytest.mark.parametrize("milliseconds", [0, -1, 600_001, "1000", None, [1]])
def test_times_that_are_none(milliseconds: object) -> None:
    assert BackendUnderTest().call(PROCEDURE, timeout_ms=milliseconds).status == 422


def test_a_caller_that_goes_is_forgotten() -> None:
    backend = BackendUnderTest()
    callee = backend.callee(PROCEDURE)
    reply = backend.call(PROCEDURE)
    reply.exchange.gone()
    assert len(backend.backend) == 0
    assert not callee.session.invocations
    callee.say(70, callee.heard()[0][1], {}, ["for nobody"])
    assert reply.answers == []
    callee.leave()
    assert backend.is_idle()


def test_a_token_that_is_revoked_ends_the_call() -> None:
    backend = BackendUnderTest()
    alice = backend.routed.realm.add_user("alice")
    callee = backend.callee(PROCEDURE)
    reply = backend.call(PROCEDURE, token=alice)
    (session,) = backend.routed.realm.realm.sessions_by_user["alice"]
    backend.routed.router.goodbye(session, "wampgate.close.token_revoked", "the token was revoked")
    backend.routed.flush()
    assert (reply.status, reply.body["error"]) == (401, "wampgate.close.token_revoked")
    assert "the callee may have done its work" in reply.body["detail"]
    callee.leave()
    backend.routed.pass_time(3)
    assert backend.is_idle()


def test_a_token_that_expires_ends_the_call() -> None:
    backend = BackendUnderTest()
    alice = backend.routed.realm.add_user("alice", seconds=20)
    callee = backend.callee(PROCEDURE)
    reply = backend.call(PROCEDURE, token=alice)
    backend.routed.pass_time(19)
    assert not reply.answered
    backend.routed.pass_time(2)
    assert (reply.status, reply.body["error"]) == (401, "wampgate.close.token_expired")
    callee.leave()
    backend.routed.pass_time(3)
    assert backend.is_idle()


def test_a_router_that_never_says_goodbye_answers_all_the_same() -> None:
    backend = BackendUnderTest(goodbye="never")
    alice = backend.routed.realm.add_user("alice")
    backend.callee(PROCEDURE)
    reply = backend.call(PROCEDURE, token=alice)
    (session,) = backend.routed.realm.realm.sessions_by_user["alice"]
    backend.routed.router.goodbye(session, "wampgate.close.token_revoked", "the token was revoked")
    assert (reply.status, reply.body["error"]) == (401, "wampgate.close.token_revoked")


def test_a_shutdown_answers_all_that_wait() -> None:
    backend = BackendUnderTest()
    callee = backend.callee(PROCEDURE)
    replies = [backend.call(PROCEDURE) for _ in range(3)]
    backend.backend.stop()
    assert [(reply.status, reply.body["error"]) for reply in replies] == [(503, "wamp.close.system_shutdown")] * 3
    callee.leave()
    assert backend.is_idle()


def test_an_opaque_answer_has_no_form_here() -> None:
    backend = BackendUnderTest()
    callee = backend.callee(PROCEDURE)
    reply = backend.call(PROCEDURE)
    callee.say(70, callee.heard()[0][1], {"ppt_scheme": "x_sealed"}, "sealed")
    backend.routed.flush()
    assert reply.status == 502


def test_a_users_own_procedures_and_their_sessions() -> None:
    backend = BackendUnderTest(RealmUnderTest())
    alice = backend.routed.realm.add_user("alice")
    reply = backend.call("wampgate.publish", "com.example.a", ["x"], token=alice)
    assert reply.status == 200
    assert isinstance(reply.body["args"][0], int)
