"""Whatever was changed on the way: a realm answers by the configuration that it goes by, as if it had begun with it."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from unit.composition.test_judging import OTHER, TICKET, configuration, known

from wampgate.composition.process import Process
from wampgate.composition.running import Running
from wampgate.composition.succession import Succession
from wampgate.core.decisions import Decision
from wampgate.core.interfaces import Principal
from wampgate.core.local import local_session
from wampgate.journal import Journal
from wampgate.observation.log_levels import Levels
from wampgate.observation.records import Records
from wampgate.transports.proxy import TrustedProxies
from wampgate.wire.messages import RegisterOptions

URIS: Final = ("a.b", "a.b.c", "a.c", "organization.7", "wampgate.publish", "wampgate.history.recover")
ROLES: Final = ("client", "boss", "anonymous", "wampgate.bridge.one")
ACTIONS: Final = ("subscribe", "publish", "call", "register")

rules = st.lists(
    st.builds(
        lambda role, actions, uri, match, allow: {
            "role": role,
            "actions": sorted(actions),
            "uri": f"{uri}." if match == "prefix" else uri,
            "match": match,
            "allow": allow,
        },
        st.sampled_from(ROLES[:3]),
        st.sets(st.sampled_from(ACTIONS), min_size=1),
        st.sampled_from(["a", "a.b", "a.c"]),
        st.sampled_from(["exact", "prefix"]),
        st.booleans(),
    ),
    max_size=4,
    unique_by=lambda each: (each["role"], each["uri"], each["match"]),
)
topics = st.lists(
    st.builds(
        lambda uri, count: {"uri": uri} if count is None else {"uri": uri, "history": {"count": count}},
        st.sampled_from(URIS[:3]),
        st.none() | st.integers(1, 3),
    ),
    max_size=2,
    unique_by=lambda each: str(each["uri"]),
)
bridges = st.lists(
    st.builds(
        lambda name, topic: {
            "type": "redis",
            "name": name,
            "url": "redis://127.0.0.1:1",
            "rules": [{"dialect": "plain", "channel": f"{topic}.{{id}}", "topic": f"{topic}.{{id}}"}],
            "subscribe": "all",
        },
        st.sampled_from(["one", "two"]),
        st.sampled_from(["a", "a.b"]),
    ),
    max_size=2,
    unique_by=lambda each: str(each["name"]),
)
principals = st.sampled_from([(), (known(),), (known(role="boss"), known("bob", ticket_sha256=OTHER))])
configurations = st.builds(
    lambda rules, topics, bridges, principals, retained, subscriptions: configuration(
        {
            "name": "realm1",
            "authentication": {"ticket": {}, "anonymous": {}, "principals": list(principals)},
            "authorization": {"rules": rules},
            "topics": topics,
            "bridges": bridges,
            "retained": {} if retained else None,
        },
        limits={"subscriptions_per_session": subscriptions},
    ),
    rules,
    topics,
    bridges,
    principals,
    st.booleans(),
    st.integers(1, 3),
)


def started(begin: Any) -> Running:
    """A router of a configuration; nothing of it is open."""
    process = Process(MemoryReactorClock(), begin, record=Records(Journal(Levels())))
    running = Running(process, lambda _procedures, _realm: None)
    running.make(begin)
    return running


def changed(running: Running, after: Any) -> None:
    """Go by another configuration, as a reload does."""
    succession = Succession(running.process, running.realms["realm1"], 0, after, frozenset())
    outcome: list[Any] = []
    Deferred.fromCoroutine(succession.open()).addBoth(outcome.append)
    assert outcome == [[]]
    running.process.adopt(after, TrustedProxies())
    succession.commit()
    succession.bound()
    running.show()


def answers(running: Running) -> Any:
    """What the realm answers to many questions."""
    realm = running.realms["realm1"].realm
    decisions = []
    for role in ROLES:
        who = Principal("someone", role, "ticket", "static", token_id=TICKET)
        for action in ACTIONS:
            for uri in URIS:
                for match in ("exact", "prefix") if action in ("subscribe", "register") else ("exact",):
                    answer = realm.authorize_principal(who, action, uri, match)  # type: ignore[arg-type]  # of the names above
                    assert isinstance(answer, Decision)
                    decisions.append((answer.allowed, answer.because, answer.disclose))
    procedures = [uri for uri in URIS if realm.dealer.registrations.get(uri, "exact") is not None]
    kept = [realm.topics.of(uri) for uri in URIS]
    histories = None if realm.history is None else [realm.history.options(uri) for uri in URIS]
    bridged = sorted(bridge.name for bridge in running.realms["realm1"].parts.bridges)
    return (
        decisions,
        list(realm.authenticators),
        procedures,
        kept,
        histories,
        realm.roles,
        realm.requests.limits,
        bridged,
        len(realm.dealer.registrations),
    )


@settings(max_examples=25, deadline=None)
@given(first=configurations, second=configurations)
def test_there_and_back_is_where_it_was(first: Any, second: Any) -> None:
    running = started(first)
    expected = answers(running)
    changed(running, second)
    assert answers(running) == answers(started(second))
    changed(running, first)
    assert answers(running) == expected


@settings(max_examples=10, deadline=None)
@given(first=configurations, second=configurations)
def test_what_is_the_same_stays_what_it_is(first: Any, second: Any) -> None:
    running = started(first)
    living = running.realms["realm1"]
    realm, bridges_before = living.realm, {bridge.section: bridge for bridge in living.parts.bridged}
    callee = local_session(realm, Principal("x", "client", "ticket", "static"), lambda _message, _payload: None)
    registration = realm.dealer.register(callee, "a.mine", RegisterOptions())
    changed(running, second)
    assert living.realm is realm
    assert realm.dealer.registrations.get("a.mine", "exact") is registration
    for bridged in living.parts.bridged:
        if bridged.section in bridges_before:
            assert bridged is bridges_before[bridged.section]
