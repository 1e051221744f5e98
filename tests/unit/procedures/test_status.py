"""``wampgate.status.…``: right figures, pages that hold everyone once, nothing of other realms, small steps."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from unit.core.routed import RULES, Peer, RealmUnderTest, Routed, rule
from unit.procedures.observed import subscribe

from wampgate import __version__
from wampgate.composition.status import offer_status
from wampgate.core.procedures import Procedures
from wampgate.core.sifting import Sifter
from wampgate.core.visibility import Visibility
from wampgate.observation.parts import Parts, RealmInView

GET, SESSIONS = "wampgate.status.get", "wampgate.status.sessions"
TOPICS, REFUSALS = "wampgate.status.topics", "wampgate.status.refusals"

OPEN = tuple(rule(role, ("call",), "wampgate.", "prefix") for role in ("member", "guest"))


class Looked:
    """A router of two realms that offers the status procedures, and what it says of itself."""

    def __init__(self) -> None:
        self.one = RealmUnderTest(rules=(*RULES, *OPEN))
        self.two = RealmUnderTest("realm2", rules=(*RULES, *OPEN))
        self.routed = Routed(self.one, self.two)
        self.turns: list[Any] = []
        self.bridge = SimpleNamespace(
            name="old", kind="redis", ready=True, lag_seconds=1.2345, counters=Counter(received=3)
        )
        self.listeners = {name: SimpleNamespace(peers=set(), counters=Counter()) for name in ("websocket", "rawsocket")}
        listeners: Any = self.listeners
        bridges: Any = [self.bridge]
        self.parts = Parts(
            self.routed.router,
            self.routed.deadlines,
            None,
            listeners,
            [RealmInView(self.one.realm, self.one.memory, bridges), RealmInView(self.two.realm)],
            started=self.routed.clock() - 60.5,
        )
        for under_test in (self.one, self.two):
            under_test.realm.visibility = Visibility(None, {"member": "own"})
            under_test.realm.record = self.parts.refusals
            under_test.add_user("joe", "7")
            under_test.add_user("ann", "7")
            sifter = Sifter(self.routed.clock, self.turns.append)
            offer_status(Procedures(under_test.realm, self.routed.run), under_test.realm, lambda: self.parts, sifter)

    def user(self, name: str, **options: Any) -> Peer:
        return self.routed.peer(**options).join(f"the token of {name}")

    def backend(self, realm: str = "realm1") -> Peer:
        return self.routed.peer().join("the ticket of backend", realm=realm)

    def call(self, peer: Peer, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """The result's kwargs, or the error's URI."""
        answers = peer.ask(48, {}, procedure, list(args), kwargs)
        while self.turns:
            self.turns.pop(0)()
            self.routed.flush()
            answers += peer.heard()
        (answer,) = [message for message in answers if message[0] in (8, 50)]
        return answer[4] if answer[0] == 8 or len(answer) > 4 else {}


@pytest.fixture
def looked() -> Looked:
    return Looked()


def test_a_router_as_it_is(looked: Looked) -> None:
    backend = looked.backend()
    looked.user("joe")
    looked.user("joe")
    looked.routed.peer().join()
    looked.backend("realm2")
    status = looked.call(backend, GET)
    assert status["version"] == __version__
    assert (status["state"], status["reasons"], status["realm"]) == ("ready", [], "realm1")
    assert status["sessions"] == {
        "total": 4,
        "by_role": {"backend": 1, "member": 2, "guest": 1},
        "by_method": {"ticket": 3, "anonymous": 1},
    }
    assert status["connections"] == {"open": 0, "joined": 5, "by_transport": {"websocket": 0, "rawsocket": 0}}
    assert status["queues"] == {"bytes": 0, "slow_readers": 0}
    assert status["store"] == {"kind": "memory", "ready": True, "hears": looked.one.memory.hears}
    assert status["bridges"] == [
        {"name": "old", "kind": "redis", "ready": True, "lag_seconds": 1.234, "counters": {"received": 3}}
    ]
    assert status["uptime_seconds"] == 60.5
    assert status["started"].endswith("Z")
    assert status["loop_lag_seconds"] is None


def test_reasons_make_it_not_ready_and_draining_comes_first(looked: Looked) -> None:
    backend, other = looked.backend(), looked.backend("realm2")
    looked.bridge.ready = False
    status = looked.call(backend, GET)
    assert (status["state"], status["reasons"]) == ("not ready", ["realm realm1: bridge old (redis) is not ready"])
    status = looked.call(other, GET)
    assert (status["state"], status["reasons"]) == ("not ready", ["another realm lacks its store or a bridge"])
    looked.parts.draining = True
    looked.parts.loop_lag = lambda: 0.0123456789
    status = looked.call(backend, GET)
    assert status["state"] == "draining"
    assert status["loop_lag_seconds"] == 0.012346


def test_counters_count_what_they_say(looked: Looked) -> None:
    backend, joe, ann = looked.backend(), looked.user("joe"), looked.user("ann")
    before = looked.call(backend, GET)["counters"]
    subscribe(joe, "com.example.news")
    subscribe(ann, "com.example.news")
    subscribe(backend, "com.", "prefix")
    backend.ask(16, {}, "com.example.news", ["text"])
    joe.ask(16, {}, "com.example.news", ["not for joe himself"])
    backend.ask(16, {}, "nobody.there", ["text"])
    backend.ask(48, {}, "nobody.registered")
    assert looked.call(joe, REFUSALS) == "wamp.error.not_authorized"
    joe.ask(32, {}, "organization.8")
    after = looked.call(backend, GET)["counters"]
    named = ("publications", "events", "calls", "refusals", "joins", "drops", "gaps")
    grown = {name: after[name] - before[name] for name in named}
    # Two events of each publication, since nobody hears himself; the calls are joe's and the second look.
    assert grown == {"publications": 3, "events": 4, "calls": 2, "refusals": 1, "joins": 0, "drops": 0, "gaps": 0}
    assert after["joins"] == 3


def test_a_member_may_count_but_sees_its_own_session_only(looked: Looked) -> None:
    looked.backend()
    joe = looked.user("joe")
    looked.user("ann")
    assert looked.call(joe, GET)["sessions"]["total"] == 3
    assert [one["session"] for one in looked.call(joe, SESSIONS)["sessions"]] == [joe.session.id]
    for procedure in (TOPICS, REFUSALS):
        assert looked.call(joe, procedure) == "wamp.error.not_authorized"


def test_what_is_said_of_a_session(looked: Looked) -> None:
    joe = looked.user("joe", address="192.0.2.1", agent="a browser")
    subscribe(joe, "com.example.news")
    looked.routed.clock.now += 10
    link: Any = joe
    link.factory, link.queued = looked.listeners["websocket"], 1234
    backend = looked.backend()
    (row,) = looked.call(backend, SESSIONS, search="joe")["sessions"]
    since = row.pop("since")
    assert row == {
        "session": joe.session.id,
        "authid": "joe",
        "authrole": "member",
        "authmethod": "ticket",
        "authprovider": "store",
        "transport": "websocket",
        "secure": False,
        "peer": "192.0.2.1:50000",
        "agent": "a browser",
        "expires": None,
        "subscriptions": 1,
        "registrations": 0,
        "queue_bytes": 1234,
    }
    assert since < looked.call(backend, SESSIONS, search="backend")["sessions"][0]["since"]
    looked.routed.clock.now += 2
    assert looked.call(backend, GET)["queues"] == {"bytes": 1234, "slow_readers": 1}


def test_pages_hold_everyone_once(looked: Looked) -> None:
    backend = looked.backend()
    peers = [looked.user("joe") for _ in range(25)]
    seen: list[int] = []
    after = None
    while True:
        page = looked.call(backend, SESSIONS, after=after, limit=7)
        seen += [one["session"] for one in page["sessions"]]
        after = page["next"]
        if after is None:
            break
        assert len(page["sessions"]) == 7
        # Who leaves meanwhile, even the one that the next page begins after, makes no hole.
        # (It may be the one that asks, who has to stay.)
        leaving = next((peer for peer in peers if peer.session.id == after), None)
        if leaving is not None and len(seen) == 7:
            leaving.leave()
    assert sorted(seen) == seen
    assert set(seen) == {peer.session.id for peer in (backend, *peers)}


def test_a_page_that_is_just_full_is_the_last_one(looked: Looked) -> None:
    backend = looked.backend()
    looked.user("joe")
    assert looked.call(backend, SESSIONS, limit=2)["next"] is None
    assert looked.call(backend, SESSIONS, limit=1)["next"] is not None


@pytest.mark.parametrize(
    ("search", "found"),
    [("JOE", 1), ("member", 2), ("anonymous", 1), ("192.0.2.7", 1), (" ann ", 1), ("nobody", 0), ("", 4), (None, 4)],
)
def test_search(looked: Looked, search: str | None, found: int) -> None:
    backend = looked.backend()
    looked.user("joe")
    looked.user("ann")
    looked.routed.peer("192.0.2.7").join()
    assert len(looked.call(backend, SESSIONS, search=search)["sessions"]) == found


def test_search_by_id(looked: Looked) -> None:
    backend, joe = looked.backend(), looked.user("joe")
    (row,) = looked.call(backend, SESSIONS, search=str(joe.session.id))["sessions"]
    assert row["authid"] == "joe"


def test_nothing_of_another_realm(looked: Looked) -> None:
    joe, other = looked.user("joe"), looked.backend("realm2")
    subscribe(joe, "com.example.news")
    joe.ask(32, {}, "organization.8")
    assert [one["authid"] for one in looked.call(other, SESSIONS)["sessions"]] == ["backend"]
    assert looked.call(other, TOPICS)["topics"] == []
    assert looked.call(other, REFUSALS)["refusals"] == []
    status = looked.call(other, GET)
    assert (status["sessions"]["total"], status["store"], status["bridges"]) == (1, None, [])
    assert status["counters"]["refusals"] == 0


def test_the_topics_with_most_subscribers_first(looked: Looked) -> None:
    backend = looked.backend()
    for number in range(6):
        peer = looked.user("joe")
        for topic in range(number + 1):
            subscribe(peer, f"com.example.{topic}")
    subscribe(backend, "com.", "prefix")
    answer = looked.call(backend, TOPICS, limit=3)
    assert [(one["topic"], one["match"], one["subscribers"]) for one in answer["topics"]] == [
        ("com.example.0", "exact", 6),
        ("com.example.1", "exact", 5),
        ("com.example.2", "exact", 4),
    ]
    assert answer["total"] == 7


def test_refusals_with_what_decided(looked: Looked) -> None:
    backend, joe = looked.backend(), looked.user("joe")
    joe.ask(32, {}, "organization.8")
    (refusal,) = looked.call(backend, REFUSALS)["refusals"]
    assert (refusal["authid"], refusal["action"], refusal["uri"]) == ("joe", "subscribe", "organization.8")
    assert refusal["because"]


@pytest.mark.parametrize("limit", [0, -1, 1001, "7", 1.5, True])
@pytest.mark.parametrize("procedure", [SESSIONS, TOPICS, REFUSALS])
def test_limits_that_are_none(looked: Looked, procedure: str, limit: object) -> None:
    assert looked.call(looked.backend(), procedure, limit=limit) == "wamp.error.invalid_argument"


@pytest.mark.parametrize("arguments", [{"after": "7"}, {"after": 1.5}, {"search": 7}, {"more": 1}])
def test_arguments_that_are_none(looked: Looked, arguments: dict[str, Any]) -> None:
    assert looked.call(looked.backend(), SESSIONS, **arguments) == "wamp.error.invalid_argument"


def test_ten_thousand_sessions_are_looked_through_in_small_steps(
    looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = looked.backend()
    first = looked.user("joe").session
    sessions = looked.one.realm.sessions
    for number in range(10_000):
        sessions[1 << 52 | number] = first
    looks = 0

    def look(*_: object) -> bool:
        nonlocal looks
        looks += 1
        looked.routed.clock.now += 0.00001
        return True

    monkeypatch.setattr(Visibility, "sees", look)
    steps: list[int] = []
    backend.ask(48, {}, SESSIONS, [], {"limit": 10})
    while looked.turns:
        before, turn = looks, looked.turns.pop(0)
        turn()
        steps.append(looks - before)
    looked.routed.flush()
    assert looks == 10_002
    # 5 ms are 500 looks, and the clock is looked at with every 32nd.
    assert len(steps) >= 18
    assert max(steps) <= 532


def test_who_asks_often_is_answered_from_one_count(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = looked.backend()
    assert looked.call(backend, GET)["sessions"]["total"] == 1
    looked.user("joe")
    assert looked.call(backend, GET)["sessions"]["total"] == 1
    looked.routed.clock.now += 1.0
    assert looked.call(backend, GET)["sessions"]["total"] == 2
