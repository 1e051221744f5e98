"""Publishing over HTTP is publishing as the principal: same rights, same words, same events."""

from __future__ import annotations

from typing import Any

import pytest
from unit.core.routed import RealmUnderTest, rule
from unit.http.asked import BackendUnderTest

from wampgate.core.buckets import Buckets, Rates
from wampgate.http.backend.decoding import Bounds


def test_an_event_reaches_its_subscribers_as_it_was_sent() -> None:
    backend = BackendUnderTest()
    subscriber = backend.subscriber("organization.7")
    reply = backend.ask(
        "/publish", b'{"topic": "organization.7", "args": [1, {"a": "\xc3\xa4"}], "kwargs": {"b": [null]}}'
    )
    ((code, _, publication, details, args, kwargs),) = subscriber.heard()
    assert (code, details, args, kwargs) == (36, {}, [1, {"a": "ä"}], {"b": [None]})
    assert (reply.status, reply.body) == (200, {"publication": publication})
    subscriber.leave()
    assert backend.is_idle()


def test_without_arguments_none_are_sent() -> None:
    backend = BackendUnderTest()
    subscriber = backend.subscriber("organization.7")
    assert backend.publish("organization.7").status == 200
    assert len(subscriber.heard()[0]) == 4


def test_options_narrow_who_receives() -> None:
    backend = BackendUnderTest()
    alice = backend.routed.realm.add_user("alice", "7")
    theirs, others = backend.subscriber("organization.7", alice), backend.subscriber("organization.7")
    backend.publish("organization.7", options={"eligible_authid": ["alice"]})
    assert (len(theirs.heard()), len(others.heard())) == (1, 0)
    backend.publish("organization.7", options={"exclude_authrole": ["member"]})
    assert (len(theirs.heard()), len(others.heard())) == (0, 1)
    backend.publish("organization.7", options={"exclude": [theirs.session.id], "eligible": [theirs.session.id]})
    assert (len(theirs.heard()), len(others.heard())) == (0, 0)


def test_identity_is_the_principals_and_disclosed_by_the_rules() -> None:
    backend = BackendUnderTest()
    subscriber = backend.subscriber("com.example.a")
    backend.publish("com.example.a", options={"disclose_me": True})
    details = subscriber.heard()[0][3]
    assert (details["publisher_authid"], details["publisher_authrole"]) == ("backend", "backend")
    alice = backend.routed.realm.add_user("alice")
    refused = backend.publish("com.example.secret.a", token=alice, options={"disclose_me": True})
    assert (refused.status, refused.body["error"]) == (403, "wamp.error.option_disallowed.disclose_me")


def test_whoever_may_not_publish_is_refused_and_the_log_says_why() -> None:
    backend = BackendUnderTest()
    alice = backend.routed.realm.add_user("alice", "7")
    reply = backend.publish("organization.7", token=alice)
    assert (reply.status, reply.body["error"], reply.body["status"]) == (403, "wamp.error.not_authorized", 403)
    assert reply.answer.content_type == b"application/problem+json"
    assert ("refused", "organization.7") in [(name, fields.get("uri")) for name, fields in backend.routed.records]
    assert backend.is_idle()


@pytest.mark.parametrize("topic", ["wampgate.revoked", "wamp.session.on_join"])
def test_nobody_publishes_as_the_router(topic: str) -> None:
    assert BackendUnderTest().publish(topic).status == 403


def test_a_batch_is_published_in_order_each_with_its_own_result() -> None:
    backend = BackendUnderTest()
    alice = backend.routed.realm.add_user("alice")
    subscriber = backend.subscriber("com.example.a", alice)
    publications = [{"topic": topic, "args": [n]} for n, topic in enumerate(["com.example.a", "x.y", "com.example.a"])]
    reply = backend.ask("/publish/batch", {"publications": publications}, alice)
    first, second, third = reply.body["results"]
    events = subscriber.heard()
    assert reply.status == 207
    assert [event[4] for event in events] == [[0], [2]]
    assert [first, third] == [{"publication": event[2]} for event in events]
    assert second["problem"]["error"] == "wamp.error.not_authorized"
    assert second["problem"]["status"] == 403


def test_a_batch_of_which_one_is_invalid_is_not_published_at_all() -> None:
    backend = BackendUnderTest()
    subscriber = backend.subscriber("com.example.a")
    for bad in ({"topic": "a..b"}, {"topic": "com.example.a", "args": {}}, {"topic": "com.example.a", "retain": True}):
        reply = backend.ask("/publish/batch", {"publications": [{"topic": "com.example.a"}, bad]})
        assert reply.status == 422, bad
        assert "publications[1]" in reply.body["detail"]
    assert subscriber.heard() == []


def test_a_batch_that_is_longer_than_the_inbox_waits_for_decisions_in_order() -> None:
    backend = BackendUnderTest()
    alice = backend.routed.realm.add_user("alice", "7")
    backend.routed.realm.realm._authorizer = _Slow(backend)  # type: ignore[assignment]  # an authorizer that waits
    subscriber = backend.subscriber("com.example.a")
    publications = [{"topic": "com.example.a", "args": [n]} for n in range(100)]
    backend.routed.realm.realm.requests.limits = type(backend.routed.realm.realm.requests.limits)(inbox=10)
    reply = backend.ask("/publish/batch", {"publications": publications}, alice)
    authorizer: Any = backend.routed.realm.realm._authorizer
    assert not reply.answered
    assert len(authorizer.waiting) == 10
    while authorizer.waiting:
        authorizer.decide()
        backend.routed.flush()
    assert [event[4] for event in subscriber.heard()] == [[n] for n in range(100)]
    assert (reply.status, len(reply.body["results"])) == (200, 100)


class _Slow:
    """Decides publications when told to, in any case with yes."""

    def __init__(self, backend: BackendUnderTest) -> None:
        self.waiting: list[Any] = []
        self._other = backend.routed.realm.realm._authorizer

    def authorize(self, who: Any, action: str, uri: str, match: Any) -> Any:
        from wampgate.core.decisions import Pending

        if action != "publish":
            return self._other.authorize(who, action, uri, match)  # type: ignore[arg-type]  # one of four
        self.waiting.append(Pending())
        return self.waiting[-1]

    def decide(self) -> None:
        from wampgate.core.decisions import Decision

        self.waiting.pop(0).resolve(Decision(True, "the test says so"))


def test_rates_count_every_publication_of_all_requests_together() -> None:
    backend = BackendUnderTest()
    realm = backend.routed.realm.realm
    realm.requests.buckets = Buckets(session=Rates(publishes=1.0), burst_seconds=3.0, now=backend.routed.clock)
    statuses = [backend.publish("organization.7").status for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert backend.publish("organization.7").header("Retry-After") == "1"
    assert realm.counters["limit_publishes_per_second_per_session"] == 3
    backend.routed.pass_time(2.0)
    reply = backend.ask("/publish/batch", {"publications": [{"topic": "organization.7"}] * 4})
    assert [("publication" in one) for one in reply.body["results"]] == [True, True, False, False]
    # wampgate.publish counts as publishing here as anywhere, in its caller's bucket.
    assert backend.call("wampgate.publish", "organization.7").status == 429
    alice = backend.routed.realm.add_user("alice")
    assert [backend.publish("com.example.a", token=alice).status for _ in range(4)] == [200, 200, 200, 429]


def test_sizes() -> None:
    backend = BackendUnderTest(bounds=Bounds(message_bytes=100, batch_publications=2))
    assert backend.publish("organization.7", "x" * 70).status == 200
    reply = backend.publish("organization.7", "x" * 100)
    assert (reply.status, reply.body["error"]) == (413, "wamp.error.payload_size_exceeded")
    reply = backend.ask("/publish/batch", {"publications": [{"topic": "organization.7"}] * 3})
    assert (reply.status, reply.body["error"]) == (422, "wampgate.error.limit_exceeded")
    counters = backend.backend.counters
    assert (counters["limit_message_bytes"], counters["limit_batch_publications"], counters["http_200"]) == (1, 1, 1)
    assert backend.is_idle()


def deep(levels: int) -> bytes:
    return b'{"topic": "organization.7", "args": ' + b"[" * levels + b"]" * levels + b"}"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"nonsense", 400),
        (b"\xff", 400),
        (b'{"topic": "\xff"}', 400),
        (b'{"topic": "a", "args": [NaN]}', 400),
        (b'{"topic": "a"} {}', 400),
        (b"[]", 422),
        (b"null", 422),
        (b"{}", 422),
        (b'{"topic": 7}', 422),
        (b'{"topic": ""}', 422),
        (b'{"topic": "a..b"}', 422),
        (b'{"topic": "a b"}', 422),
        (b'{"topic": "a\\u0000"}', 422),
        (b'{"topic": "a", "topics": []}', 422),
        (b'{"topic": "a", "args": {}}', 422),
        (b'{"topic": "a", "args": null}', 422),
        (b'{"topic": "a", "kwargs": []}', 422),
        (b'{"topic": "a", "args": ["\\u0000 is no Base64"]}', 422),
        (b'{"topic": "a", "args": ["\xff"]}', 422),
        (b'{"topic": "a", "options": {"acknowledge": true}}', 422),
        (b'{"topic": "a", "options": {"exclude": [0]}}', 422),
        (b'{"topic": "a", "options": {"eligible": "alice"}}', 422),
        (b'{"topic": "organization.7", "options": {"eligible": [1.5]}}', 200),
        (b'{"topic": "a", "options": {"eligible": [1e300]}}', 422),
        (b'{"topic": "organization.7", "options": {"eligible": [7.0]}}', 200),
        (b'{"topic": "a", "realm": 1}', 422),
        (deep(65), 422),
        (deep(100_000), 422),
        (deep(64), 200),
        (b'{"topic": "organization.7", "topic": "organization.8"}', 200),
        (b'{"topic": "organization.7", "args": ["\\u0000AQID"], "options": {}}', 200),
    ],
    ids=lambda value: value[:60].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_bodies(body: bytes, status: int) -> None:
    backend = BackendUnderTest()
    reply = backend.ask("/publish", body)
    assert reply.status == status
    if status != 200:
        assert reply.body["detail"]
        assert not reply.answer.settled
    assert backend.is_idle()


def test_realms() -> None:
    rules = (rule("backend", ["publish"], "com.example.", "prefix"),)
    backend = BackendUnderTest(RealmUnderTest(), RealmUnderTest("realm2", rules=rules))
    assert backend.publish("com.example.a", realm="realm2").status == 200
    assert backend.publish("organization.7", realm="realm2").status == 403
    assert backend.publish("organization.7", realm="realm1").status == 200
    missing, unknown = backend.publish("organization.7"), backend.publish("organization.7", realm="realm3")
    assert (missing.status, missing.body["error"]) == (422, "wamp.error.invalid_argument")
    assert (unknown.status, unknown.body["error"]) == (404, "wamp.error.no_such_realm")
