"""What a scrape says after known traffic, in both formats, and what it never says: a word that a client chose."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from unit.core.routed import RealmUnderTest, rule
from unit.observation.watched import OPENMETRICS, TEXT, Watched

from wampgate.core.errors import StoreUnavailable
from wampgate.observation.metric_families import FAMILIES
from wampgate.stores.engine import Query
from wampgate.stores.timing import QueryTimes, TimedBatches

REALM = "realm1"
CALL, PUBLISH, SUBSCRIBE, REGISTER, YIELD = 48, 16, 32, 64, 70


def decisions(watched: Watched, action: str) -> tuple[float, ...]:
    name = "wampgate_authorization_decisions_total"
    return tuple(
        watched.value(name, realm=REALM, action=action, outcome=outcome)
        for outcome in ("allowed", "denied", "undecided")
    )


def test_messages_publications_events_and_calls_are_counted() -> None:
    watched = Watched()
    callee, one, two = (watched.routed.peer().join() for _ in range(3))
    for peer in (one, two):
        peer.ask(SUBSCRIBE, {}, "com.example.topic")
    callee.ask(REGISTER, {}, "com.example.procedure")
    callee.ask(PUBLISH, {}, "com.example.topic", ["x"])
    callee.ask(PUBLISH, {}, "com.example.nobody", ["x"])
    one.ask(CALL, {}, "com.example.procedure")
    ((_, invocation, *_),) = callee.heard()
    callee.say(YIELD, invocation, {})
    one.ask(CALL, {}, "com.example.nobody")
    one.ask(34, 1)
    received = {"SUBSCRIBE": 2, "REGISTER": 1, "PUBLISH": 2, "CALL": 2, "YIELD": 1, "UNSUBSCRIBE": 1}
    for kind, number in received.items():
        assert watched.value("wampgate_messages_received_total", realm=REALM, type=kind) == number, kind
    assert watched.value("wampgate_messages_received_total", realm="", type="HELLO") == 3
    assert watched.value("wampgate_publications_total", realm=REALM) == 2
    assert watched.value("wampgate_events_delivered_total", realm=REALM) == 2
    assert watched.value("wampgate_calls_total", realm=REALM) == 1
    assert watched.value("wampgate_subscriptions", realm=REALM) == 1
    one.say(6, {}, "wamp.close.normal")
    assert watched.value("wampgate_messages_received_total", realm="", type="GOODBYE") == 1
    assert watched.value("wampgate_sessions", realm=REALM, role="guest", method="anonymous") == 2


def test_decisions_are_told_apart_by_action_and_outcome() -> None:
    watched = Watched(RealmUnderTest(cache_seconds=0.0))
    realm = watched.routed.realm
    alice = watched.routed.peer().join(realm.add_user("alice", "7"))
    assert alice.ask(SUBSCRIBE, {}, "organization.7")[0][0] == 33
    alice.ask(SUBSCRIBE, {}, "organization.8")
    alice.ask(PUBLISH, {}, "com.example.topic")
    alice.ask(PUBLISH, {"acknowledge": True}, "elsewhere")
    alice.ask(PUBLISH, {}, "no uri#")
    alice.ask(CALL, {}, "com.example.x")
    alice.ask(CALL, {}, "elsewhere")
    alice.ask(REGISTER, {}, "com.example.x")
    alice.ask(REGISTER, {}, "elsewhere")
    realm.memory.go_down()
    alice.ask(SUBSCRIBE, {}, "organization.7.news")
    assert decisions(watched, "subscribe") == (1, 1, 1)
    assert decisions(watched, "publish") == (1, 1, 0)
    assert decisions(watched, "call") == (1, 1, 0)
    assert decisions(watched, "register") == (1, 1, 0)
    assert watched.value("wampgate_messages_received_total", realm=REALM, type="PUBLISH") == 3


def test_a_decision_that_had_to_wait_is_counted_once() -> None:
    watched = Watched(RealmUnderTest(cache_seconds=0.0))
    realm = watched.routed.realm
    alice = watched.routed.peer().join(realm.add_user("alice", "7"))
    realm.store.slow = True
    alice.ask(SUBSCRIBE, {}, "organization.7")
    assert decisions(watched, "subscribe") == (0, 0, 0)
    watched.routed.answer()
    assert decisions(watched, "subscribe") == (1, 0, 0)


def test_memberships_that_are_known_are_hits() -> None:
    watched = Watched()
    alice = watched.routed.peer().join(watched.routed.realm.add_user("alice", "7"))
    before = watched.value(
        "wampgate_authorization_cache_requests_total", realm=REALM, cache="memberships", outcome="hit"
    )
    for topic in ("organization.7", "organization.7.a", "organization.7.b"):
        alice.ask(SUBSCRIBE, {}, topic)
    name = "wampgate_authorization_cache_requests_total"
    assert watched.value(name, realm=REALM, cache="memberships", outcome="hit") == before + 3
    assert watched.value(name, realm=REALM, cache="memberships", outcome="miss") == 1


def test_refused_joins_are_counted_by_their_reason() -> None:
    watched = Watched()
    for ticket in ("wrong", "wrong as well"):
        peer = watched.routed.peer()
        peer.hello(authmethods=["ticket"])
        peer.say(5, ticket, {})
    watched.refused_joins("join_refused", watched.routed.peer().session, error="com.example.anything", because="x")
    watched.refused_joins("joined", watched.routed.peer().session)
    assert watched.value("wampgate_joins_refused_total", reason="authentication_denied") == 2
    assert watched.value("wampgate_joins_refused_total", reason="other") == 1


def test_reloads_are_counted_by_what_became_of_them() -> None:
    watched = Watched(RealmUnderTest())
    assert watched.value("wampgate_reloads_total", outcome="refused") == 0
    watched.routed.router.counters.update({"reloaded": 2, "reload_failed": 1})
    assert watched.value("wampgate_reloads_total", outcome="done") == 2
    assert watched.value("wampgate_reloads_total", outcome="refused") == 1


def test_limits_and_refused_connections_are_counted_by_name() -> None:
    watched = Watched()
    watched.parts.port.counters["limit_connections"] += 2
    watched.admin.port.counters["http_421"] += 1
    watched.websocket.counters["limit_message_bytes"] += 3
    watched.parts.router.counters["limit_message_bytes"] += 1
    watched.routed.realm.realm.counters["limit_subscriptions_per_session"] += 4
    watched.parts.answered[404] += 5
    refused = "wampgate_connections_refused_total"
    assert watched.value(refused, listener="public", reason="limit_connections") == 2
    assert watched.value(refused, listener="admin", reason="http_421") == 1
    limits = "wampgate_limits_reached_total"
    assert watched.value(limits, realm="", limit="message_bytes") == 4
    assert watched.value(limits, realm=REALM, limit="subscriptions_per_session") == 4
    assert watched.value("wampgate_http_answers_total", listener="public", status="404") == 5


def test_counters_without_a_metric_of_their_own_are_shown_under_their_names() -> None:
    watched = Watched()
    watched.routed.realm.realm.counters["request_id_gaps"] += 2
    assert watched.value("wampgate_occurrences_total", realm=REALM, what="request_id_gaps") == 2
    shown = [sample.labels["what"] for sample in watched.metrics()["wampgate_occurrences"].samples]
    assert shown == ["request_id_gaps"]


@pytest.mark.parametrize(("accept", "parse"), [(TEXT, parse_text), (OPENMETRICS, parse_openmetrics)])
def test_both_formats_are_what_their_parsers_take(accept: str, parse: Any) -> None:
    watched = Watched()
    watched.routed.peer().join()
    watched.routed.realm.realm.revocation_seconds.observe(0.003)
    body, content_type = watched.exposition.write(accept)
    assert content_type.startswith(accept.partition(";")[0])
    parsed = {family.name: family for family in parse(body.decode())}
    for family in FAMILIES:
        # The older format has no infos.
        info = family.kind == "info" and accept == TEXT
        found = parsed[family.shown if info else family.name]
        assert (found.documentation, found.type) == (family.text, "gauge" if info else family.kind)
    assert {"process_resident_memory_bytes", "python_gc_collections"} <= set(parsed)
    buckets = [sample for sample in parsed["wampgate_revocation_seconds"].samples if sample.name.endswith("_bucket")]
    assert [sample.value for sample in buckets] == [0, 0, 0] + [1] * 12
    assert buckets[-1].labels == {"realm": REALM, "le": "+Inf"}


def test_a_scrape_of_a_prometheus_gets_what_it_asks_for() -> None:
    accept = f"{OPENMETRICS},application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    watched = Watched()
    assert watched.exposition.write(accept)[1].startswith("application/openmetrics-text; version=1.0.0")
    assert watched.text(OPENMETRICS).endswith("# EOF\n")


WORDS = st.text(min_size=1, max_size=40).filter(lambda text: "\0" not in text)


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5))
def test_nothing_that_a_client_says_becomes_a_label(said: list[tuple[str, str]]) -> None:
    watched = Watched(RealmUnderTest(rules=[rule(None, ["publish", "subscribe", "call", "register"], "", "prefix")]))
    before = shape_of(watched)
    canary = "canary-51f0c2"
    for word, other in said:
        peer = watched.routed.peer(agent=canary + word)
        peer.hello(authid=canary + word, authmethods=["anonymous"], authextra={canary: word})
        for code in (SUBSCRIBE, REGISTER, CALL, PUBLISH):
            if peer.closed is None:
                peer.ask(code, {"match": "wildcard"} if code in (SUBSCRIBE, REGISTER) else {}, f"{canary}.{other}")
        refused = watched.routed.peer()
        refused.hello(realm=canary + word)
        late = watched.routed.peer()
        late.hello(authmethods=[canary + word])
        late.leave()
    after = watched.text()
    assert canary not in after
    assert json.dumps(canary)[1:-1] not in after
    # Of what they did there is a bounded number of series, whatever they called it.
    assert len(shape_of(watched)) - len(before) < 40


def shape_of(watched: Watched) -> set[str]:
    """All series, without their values."""
    return {line.rpartition(" ")[0] for line in watched.text().splitlines() if not line.startswith("#")}


def test_roles_and_methods_that_the_configuration_does_not_name_are_one() -> None:
    watched = Watched(roles=("guest",))
    realm = watched.routed.realm
    for user in ("alice", "bob"):
        watched.routed.peer().join(realm.add_user(user, "7"))
    watched.routed.peer().join()
    samples = watched.metrics()["wampgate_sessions"].samples
    assert {(sample.labels["role"], sample.labels["method"]): sample.value for sample in samples} == {
        ("other", "ticket"): 2,
        ("guest", "anonymous"): 1,
    }


def steps_of(watched: Watched) -> int:
    """How many functions a scrape calls."""
    count = 0

    def step(_frame: object, event: str, _what: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(step)
    try:
        watched.exposition.write(TEXT)
    finally:
        sys.setprofile(None)
    return count


def test_a_session_more_costs_a_scrape_next_to_nothing() -> None:
    watched = Watched()
    for _ in range(100):
        watched.routed.peer().join()
    few = steps_of(watched)
    for _ in range(1000):
        watched.routed.peer().join()
    assert steps_of(watched) - few < 100


def test_names_are_as_prometheus_has_them() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    for family in FAMILIES:
        assert family.name.startswith("wampgate_")
        assert not family.name.endswith(("_total", "_count", "_sum", "_bucket", "_info"))
        assert family.text.endswith(".")
        assert family.kind != "histogram" or family.name.endswith("_seconds")
        assert not {"session", "authid", "user", "organization", "topic", "uri", "peer"}.intersection(family.labels)


class Waits:
    """Answers of a database that come when the test says so; see :class:`wampgate.stores.engine.Batches`."""

    def __init__(self) -> None:
        self.answers: list[Deferred[Any]] = []

    def most(self, _query: Query) -> int:
        return 7

    async def ask_each(self, _query: Query, values: Any, _parameters: Any, _deadline: float) -> Any:
        self.answers.append(Deferred())
        return [await self.answers[-1] for _ in values[:1]]


def test_queries_are_timed_by_their_name_however_they_end() -> None:
    clock, waits = Clock(), Waits()
    times = QueryTimes(clock)
    timed = TimedBatches(times, waits)
    one, other = Query("token_query", "token", ""), Query("membership_query", "user", "")
    assert timed.most(one) == 7
    answered = [Deferred.fromCoroutine(timed.ask_each(query, ["x"], {}, 1.0)) for query in (one, one, other)]
    clock.advance(0.3)
    waits.answers[0].callback([])
    clock.advance(0.3)
    waits.answers[1].errback(StoreUnavailable("no answer in time"))
    waits.answers[2].callback([])
    assert [len(times.seconds[name]) for name in ("token_query", "membership_query")] == [2, 1]
    assert times.seconds["token_query"].sum == pytest.approx(0.9)
    answered[1].addErrback(lambda failure: failure.trap(StoreUnavailable))


def test_the_audit_logs_file_is_told_of_where_there_is_one() -> None:
    watched = Watched()
    assert "\nwampgate_audit_up " not in watched.text()
    watched.parts.audit = lambda: {"ready": False, "written": 7, "lost": 2, "failures": 3}
    assert watched.value("wampgate_audit_up") == 0
    assert watched.value("wampgate_audit_entries_total", outcome="written") == 7
    assert watched.value("wampgate_audit_entries_total", outcome="lost") == 2
