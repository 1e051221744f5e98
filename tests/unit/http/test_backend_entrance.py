"""Who a request is of: judged, counted and told apart as in a login over WAMP."""

from __future__ import annotations

import pytest
from unit.core.routed import RealmUnderTest
from unit.http.asked import BACKEND, BackendUnderTest

from wampgate.core.limits import SessionLimits

TOPIC = "com.example.a"


def test_users_of_the_store_and_principals_get_in() -> None:
    backend = BackendUnderTest()
    alice = backend.routed.realm.add_user("alice")
    assert backend.publish(TOPIC, token=alice).status == 200
    assert backend.publish(TOPIC, token=BACKEND).status == 200
    assert [name for name, _ in backend.routed.records] == ["joined", "left"] * 2


def test_without_a_token_nobody_does() -> None:
    backend = BackendUnderTest()
    reply = backend.publish(TOPIC, token=None)
    assert (reply.status, reply.body["error"]) == (401, "wamp.error.authentication_required")
    assert reply.header("WWW-Authenticate") == 'Bearer realm="wampgate"'
    assert backend.publish(TOPIC, token="").status == 401


def test_wrong_expired_and_foreign_tokens_look_alike() -> None:
    backend = BackendUnderTest(RealmUnderTest(), RealmUnderTest("realm2"))
    expired = backend.routed.realms[0].add_user("alice", seconds=-1)
    foreign = backend.routed.realms[1].add_user("bob")
    answers = {
        (reply.status, reply.answer.body, reply.header("WWW-Authenticate"))
        for reply in (backend.publish(TOPIC, token=token, realm="realm1") for token in ("wrong", expired, foreign))
    }
    assert len(answers) == 1
    ((status, body, challenge),) = answers
    assert status == 401
    assert challenge == 'Bearer realm="wampgate", error="invalid_token"'
    assert b"wrong" not in body
    because = [str(fields["because"]) for name, fields in backend.routed.records if name == "join_refused"]
    assert len(set(because)) == 2
    assert not any(token in line for line in because for token in ("wrong", expired, foreign))


def test_guesses_count_with_those_of_logins_and_successes_do_not() -> None:
    backend = BackendUnderTest(guesses=3)
    alice = backend.routed.realm.add_user("alice")
    for _ in range(10):
        assert backend.publish(TOPIC, token=alice).status == 200
    peer = backend.routed.peer()
    peer.hello(authmethods=["ticket"])
    peer.say(5, "guess 0", {})
    assert backend.publish(TOPIC, token="guess 1").status == 401
    assert backend.publish(TOPIC, token="guess 2").status == 401
    before = len(backend.routed.realm.store.asked)
    # Three were wrong: even a good token is not looked at now, and nobody learns why.
    assert backend.publish(TOPIC, token=alice).body["detail"] == "the token is not accepted"
    assert len(backend.routed.realm.store.asked) == before
    assert backend.routed.realm.realm.counters["limit_failed_logins_per_address_per_minute"] == 1
    assert backend.ask("/publish", {"topic": TOPIC}, alice, address="127.0.0.2").status == 200
    backend.routed.pass_time(61)
    assert backend.publish(TOPIC, token=alice).status == 200


def test_a_refused_token_is_asked_for_once_however_many_requests_show_it() -> None:
    backend = BackendUnderTest(guesses=3)
    backend.routed.realm.store.slow = True
    replies = [backend.start("/publish", {"topic": TOPIC}, f"guess {n}") for n in range(10)]
    assert len(backend.routed.realm.store.asked) == 3
    while backend.routed.waiting:
        backend.routed.answer()
    assert {reply.status for reply in replies} == {401}
    assert len(backend.routed.realm.store.asked) == 3
    assert backend.is_idle()


def test_an_organization_is_required_where_sessions_need_one() -> None:
    backend = BackendUnderTest(RealmUnderTest(require_organization=True))
    alice = backend.routed.realm.add_user("alice", "7")
    assert backend.publish(TOPIC, token=alice, organization="7").status == 200
    none, other = backend.publish(TOPIC, token=alice), backend.publish(TOPIC, token=alice, organization="8")
    assert (none.status, none.body["error"]) == (422, "wampgate.error.organization_required")
    assert (other.status, other.body["error"]) == (403, "wamp.error.not_authorized")


def test_a_store_that_does_not_answer_is_told_and_the_request_can_be_repeated() -> None:
    backend = BackendUnderTest()
    alice = backend.routed.realm.add_user("alice")
    backend.routed.realm.store.slow = True
    reply = backend.start("/publish", {"topic": TOPIC}, alice)
    backend.routed.pass_time(31)
    assert (reply.status, reply.header("Retry-After")) == (503, "5")
    backend.routed.answer()
    assert len(reply.answers) == 1
    assert backend.is_idle()


def test_a_client_that_goes_while_its_token_is_looked_up_is_forgotten() -> None:
    backend = BackendUnderTest()
    alice = backend.routed.realm.add_user("alice")
    subscriber = backend.subscriber(TOPIC)
    backend.routed.realm.store.slow = True
    reply = backend.start("/publish", {"topic": TOPIC}, alice)
    reply.exchange.gone()
    backend.routed.answer()
    assert (reply.answers, subscriber.heard()) == ([], [])
    subscriber.leave()
    assert backend.is_idle()


def test_sessions_of_an_authid_are_limited_together_with_requests() -> None:
    backend = BackendUnderTest(RealmUnderTest(limits=SessionLimits(sessions_per_authid=2)))
    callee = backend.callee("com.example.slow")
    first = backend.call("com.example.slow")
    assert not first.answered
    refused = backend.publish(TOPIC)
    assert (refused.status, refused.body["error"]) == (429, "wampgate.error.limit_exceeded")
    callee.say(70, callee.heard()[0][1], {})
    backend.routed.flush()
    assert first.status == 200
    assert backend.publish(TOPIC).status == 200


@pytest.mark.parametrize("route", ["/publish", "/publish/batch", "/call"])
def test_no_token_and_no_cookie_is_ever_part_of_an_answer(route: str) -> None:
    backend = BackendUnderTest()
    for body in (b"{", b"{}", b'{"topic": "canary-token", "x": 1}'):
        reply = backend.ask(route, body, "canary-secret")
        assert b"canary-secret" not in reply.answer.body
    assert "canary-secret" not in repr(backend.routed.records)
