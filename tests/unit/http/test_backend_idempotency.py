"""A repeat under an idempotency key gets the first answer and does nothing; a refusal may be repeated."""

from __future__ import annotations

import pytest
from unit.core.routed import Clock, RealmUnderTest
from unit.http.asked import BackendUnderTest

from wampgate.http.backend.answers import Answer, Unserved
from wampgate.http.backend.idempotency import KEPT_SECONDS, SHARES, Claim, IdempotencyKeys, Owner, key_of

TOPIC = "com.example.a"


def test_a_repeat_publishes_nothing_and_gets_the_same_id() -> None:
    backend = BackendUnderTest()
    subscriber = backend.subscriber(TOPIC)
    first, second = (backend.publish(TOPIC, "x", key="k1") for _ in range(2))
    assert first.answer.body == second.answer.body
    assert (first.header("Idempotency-Replayed"), second.header("Idempotency-Replayed")) == (None, "true")
    assert len(subscriber.heard()) == 1
    assert backend.publish(TOPIC, "x", key="k2").body != first.body
    assert len(subscriber.heard()) == 1


def test_another_body_is_refused() -> None:
    backend = BackendUnderTest()
    subscriber = backend.subscriber(TOPIC)
    backend.publish(TOPIC, "x", key="k1")
    assert backend.publish(TOPIC, "y", key="k1").status == 422
    assert len(subscriber.heard()) == 1


def test_keys_are_of_one_principal_in_one_realm_on_one_route() -> None:
    backend = BackendUnderTest(RealmUnderTest(), RealmUnderTest("realm2"))
    alice, bob = (backend.routed.realm.add_user(name) for name in ("alice", "bob"))
    bodies = [
        backend.publish(TOPIC, token=alice, key="k", realm="realm1").answer.body,
        backend.publish(TOPIC, token=bob, key="k", realm="realm1").answer.body,
        backend.publish(TOPIC, key="k", realm="realm1").answer.body,
        backend.publish(TOPIC, key="k", realm="realm2").answer.body,
        backend.ask("/publish/batch", {"publications": [{"topic": TOPIC}], "realm": "realm1"}, key="k").answer.body,
    ]
    assert len(set(bodies)) == 5
    assert backend.keys.counters["replayed"] == 0


def test_while_the_first_is_being_served_a_repeat_is_told_to_wait() -> None:
    backend = BackendUnderTest()
    callee = backend.callee("com.example.slow")
    first = backend.call("com.example.slow", key="k")
    second = backend.call("com.example.slow", key="k")
    assert (second.status, second.header("Retry-After")) == (409, "1")
    assert backend.call("com.example.slow", 1, key="k").status == 422
    callee.say(70, callee.heard()[0][1], {}, ["done"])
    backend.routed.flush()
    third = backend.call("com.example.slow", key="k")
    assert first.body == third.body == {"args": ["done"], "kwargs": {}}
    assert callee.heard() == []


def test_a_client_that_goes_may_come_back_for_its_answer() -> None:
    backend = BackendUnderTest()
    callee = backend.callee("com.example.slow")
    first = backend.call("com.example.slow", key="k")
    first.exchange.gone()
    callee.say(70, callee.heard()[0][1], {}, ["done"])
    backend.routed.flush()
    assert first.answers == []
    assert backend.call("com.example.slow", key="k").body == {"args": ["done"], "kwargs": {}}
    callee.leave()
    assert backend.is_idle()


def test_a_refusal_is_not_kept() -> None:
    backend = BackendUnderTest()
    assert backend.call("com.example.later", key="k").status == 404
    callee = backend.callee("com.example.later")
    reply = backend.call("com.example.later", key="k")
    callee.say(70, callee.heard()[0][1], {}, ["now"])
    backend.routed.flush()
    assert reply.body["args"] == ["now"]


def test_an_answer_that_never_came_is_kept_since_something_may_have_been_done() -> None:
    backend = BackendUnderTest()
    callee = backend.callee("com.example.slow")
    first = backend.call("com.example.slow", key="k", timeout_ms=1000)
    backend.routed.pass_time(1.1)
    second = backend.call("com.example.slow", key="k", timeout_ms=1000)
    assert (first.status, second.status, second.header("Idempotency-Replayed")) == (504, 504, "true")
    assert len(callee.heard()) == 1


def test_a_batch_of_which_nothing_was_published_may_be_repeated_and_one_of_which_something_was_may_not() -> None:
    backend = BackendUnderTest()
    alice = backend.routed.realm.add_user("alice")
    for topics, kept in ((["x.y", "x.z"], False), (["x.y", TOPIC], True)):
        body = {"publications": [{"topic": topic} for topic in topics]}
        replies = [backend.ask("/publish/batch", body, alice, key=f"k{kept}") for _ in range(2)]
        assert [reply.status for reply in replies] == [207, 207]
        assert (replies[1].header("Idempotency-Replayed") == "true") == kept


OWNER = Owner("realm1", "static", "backend")


def answered(size: int = 10) -> Answer:
    return Answer(200, b"x" * size, settled=True)


def keep(keys: IdempotencyKeys, key: str, owner: Owner = OWNER, size: int = 10) -> None:
    claim = Claim(owner, "/publish", key)
    assert keys.begin(claim, b"body") is None
    keys.end(claim, answered(size))


def known(keys: IdempotencyKeys, key: str, owner: Owner = OWNER) -> bool:
    claim = Claim(owner, "/publish", key)
    if keys.begin(claim, b"body") is not None:
        return True
    keys.end(claim, None)
    return False


def test_so_many_keys_of_one_owner_are_kept_the_newest_ones() -> None:
    keys = IdempotencyKeys(3, Clock())
    other = Owner("realm1", "store", "alice")
    keep(keys, "alice's", other)
    for number in range(5):
        keep(keys, f"k{number}")
    assert [known(keys, f"k{number}") for number in range(5)] == [False, False, True, True, True]
    assert known(keys, "alice's", other)
    assert keys.counters["limit_idempotency_keys"] == 2


def test_nobody_takes_more_than_a_share_and_all_no_more_than_there_is() -> None:
    total = 800_000
    keys = IdempotencyKeys(1000, Clock(), total_bytes=total)
    for number in range(20):
        keep(keys, f"k{number}", size=9_000)
    assert [known(keys, f"k{number}") for number in range(20)] == [False] * 10 + [True] * 10
    for owner in range(SHARES + 2):
        for number in range(10):
            keep(keys, f"k{number}", Owner("realm1", "store", f"user {owner}"), size=9_000)
    assert keys._bytes <= total
    assert not known(keys, "k19")
    assert known(keys, "k9", Owner("realm1", "store", f"user {SHARES + 1}"))
    keep(keys, "too large", size=total // SHARES)
    assert not known(keys, "too large")


def test_after_a_day_a_key_is_new_again_and_nothing_is_left() -> None:
    clock = Clock()
    keys = IdempotencyKeys(10, clock)
    keep(keys, "k")
    clock.now += KEPT_SECONDS - 1
    assert known(keys, "k")
    clock.now += 1
    assert not known(keys, "k")
    assert (len(keys), keys._bytes, dict(keys._bytes_by_owner), keys._theirs) == (0, 0, {}, {})


@pytest.mark.parametrize(
    ("values", "key"),
    [([], None), (["a"], "a"), (['"a b"'], "a b"), ([" a "], "a"), (["x" * 255], "x" * 255), (['"'], '"')],
)
def test_keys(values: list[str], key: str | None) -> None:
    assert key_of(values) == key


@pytest.mark.parametrize("values", [[""], ['""'], ["a", "a"], ["x" * 256], ["\x00"], ["ä"]])
def test_what_is_no_key(values: list[str]) -> None:
    with pytest.raises(Unserved) as caught:
        key_of(values)
    assert caught.value.answer.status == 400
