"""The "Session Meta API": what each procedure answers, to whom it shows whom, and what it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from unit.core.routed import RULES
from unit.procedures.observed import Listener, Observed, call

from wampgate.core.interfaces import Connection
from wampgate.core.local import LocalLink
from wampgate.core.session import Session, State

if TYPE_CHECKING:
    from unit.core.routed import Peer

NONE = "(wamp.error.no_such_session)"
BAD = "(wamp.error.invalid_argument)"
DENIED = "(wamp.error.not_authorized)"


@pytest.fixture
def observed() -> Observed:
    return Observed()


def crowd(observed: Observed) -> dict[str, Peer]:
    """Everyone there is, ann twice."""
    return {
        "joe": observed.user("joe"),
        "ann": observed.user("ann"),
        "ann again": observed.user("ann"),
        "eve": observed.user("eve"),
        "backend": observed.backend(),
        "guest": observed.guest(),
    }


def named(peers: dict[str, Peer], ids: list[int]) -> set[str]:
    names = {peer.session.id: name for name, peer in peers.items()}
    assert len(set(ids)) == len(ids)
    return {names[number] for number in ids}


ALL = {"joe", "ann", "ann again", "eve", "backend", "guest"}
SEEN = {
    "backend": ALL,
    "joe": {"joe", "ann", "ann again"},
    "ann": {"joe", "ann", "ann again"},
    "eve": {"eve"},
    "guest": {"guest"},
}


@pytest.mark.parametrize("who", SEEN)
def test_each_sees_what_is_its_own(observed: Observed, who: str) -> None:
    peers = crowd(observed)
    seen = call(peers[who], "wamp.session.list")
    assert named(peers, seen) == SEEN[who]
    assert call(peers[who], "wamp.session.count") == len(SEEN[who])
    for name, peer in peers.items():
        answer = call(peers[who], "wamp.session.get", peer.session.id)
        assert (answer != NONE) == (name in SEEN[who]), name


def test_a_filter_of_roles(observed: Observed) -> None:
    peers = crowd(observed)
    backend = peers["backend"]
    assert named(peers, call(backend, "wamp.session.list", ["guest", "backend"])) == {"guest", "backend"}
    assert call(backend, "wamp.session.count", ["member"]) == 4
    assert call(backend, "wamp.session.count", []) == 0
    assert call(backend, "wamp.session.count", None) == 6
    assert call(backend, "wamp.session.count", filter_authroles=["guest"]) == 1
    assert call(peers["joe"], "wamp.session.count", ["member", "backend"]) == 3


def test_what_a_session_is(observed: Observed) -> None:
    peers = crowd(observed)
    joe = peers["joe"].session
    details = call(peers["ann"], "wamp.session.get", joe.id)
    assert details == {
        "session": joe.id,
        "authid": "joe",
        "authrole": "member",
        "authmethod": "ticket",
        "authprovider": joe.principal.authprovider,
        "transport": {"secure": False},
    }
    whole = {"secure": False, "peer": "127.0.0.1:50000", "agent": ""}
    for who in ("joe", "backend"):
        assert call(peers[who], "wamp.session.get", joe.id)["transport"] == whole
    assert call(peers["guest"], "wamp.session.get", peers["guest"].session.id)["transport"] == whole


def test_memberships_of_today_decide(observed: Observed) -> None:
    peers = crowd(observed)
    eve, joe = peers["eve"], peers["joe"]
    observed.under_test.memory.add_membership("eve", "8")
    assert named(peers, call(eve, "wamp.session.list")) == {"eve", "joe"}
    assert call(joe, "wamp.session.count") == 4
    observed.under_test.memory.remove_membership("joe", "8")
    assert named(peers, call(eve, "wamp.session.list")) == {"eve"}
    assert call(joe, "wamp.session.get", eve.session.id) == NONE


def test_a_role_sees_what_the_configuration_says() -> None:
    observed = Observed(sees={"guest": "all", "member": "own", "backend": "organizations"})
    peers = crowd(observed)
    assert named(peers, call(peers["guest"], "wamp.session.list")) == ALL
    assert named(peers, call(peers["ann"], "wamp.session.list")) == {"ann", "ann again"}
    assert named(peers, call(peers["backend"], "wamp.session.list")) == {"backend"}


@pytest.mark.parametrize("who", ["joe", "guest"])
@pytest.mark.parametrize(
    "name",
    ["count", "list", "get", "kill", "kill_by_authid", "kill_by_authrole", "kill_all"],
)
def test_nobody_may_unasked(who: str, name: str) -> None:
    observed = Observed(rules=())
    peer = observed.user("joe") if who == "joe" else observed.guest()
    assert call(peer, f"wamp.session.{name}", *([1] if name in ("get", "kill") else [])) == DENIED


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("count", ["member"]),
        ("count", [[1]]),
        ("list", [{}]),
        ("list", [[], []]),
        ("get", []),
        ("get", ["1"]),
        ("get", [True]),
        ("kill", [1.5]),
        ("kill", [None]),
        ("kill_by_authid", []),
        ("kill_by_authid", [7]),
        ("kill_by_authrole", [None]),
        ("kill_all", ["com.example.reason", 5]),
    ],
)
def test_arguments_that_are_none(observed: Observed, name: str, args: list[Any]) -> None:
    assert call(observed.backend(), f"wamp.session.{name}", *args) == BAD


@pytest.mark.parametrize("number", [0, -1, 1, 2**53, 2**60])
def test_ids_that_no_session_has(observed: Observed, number: int) -> None:
    backend = observed.backend()
    assert call(backend, "wamp.session.get", number) == NONE
    assert call(backend, "wamp.session.kill", number) == NONE


def test_kill(observed: Observed) -> None:
    backend, joe, ann = observed.backend(), observed.user("joe"), observed.user("ann")
    assert call(backend, "wamp.session.kill", joe.session.id) is None
    assert joe.heard() == [[6, {}, "wamp.close.killed"]]
    assert joe.session.state is State.CLOSING
    assert call(backend, "wamp.session.kill", joe.session.id) == NONE
    why = {"reason": "com.example.tired", "message": "go home"}
    assert call(backend, "wamp.session.kill", ann.session.id, **why) is None
    assert ann.heard() == [[6, {"message": "go home"}, "com.example.tired"]]


def test_one_s_own_session_is_no_other(observed: Observed) -> None:
    backend = observed.backend()
    assert call(backend, "wamp.session.kill", backend.session.id) == NONE
    assert backend.session.established


@pytest.mark.parametrize("reason", ["", "not a uri", "com..x", 5, {}, "com.example.\u0007"])
@pytest.mark.parametrize("name", ["kill", "kill_by_authid", "kill_by_authrole", "kill_all"])
def test_a_reason_has_to_be_a_uri(observed: Observed, name: str, reason: Any) -> None:
    backend, joe = observed.backend(), observed.user("joe")
    whom: dict[str, list[Any]] = {"kill": [joe.session.id], "kill_by_authid": ["joe"], "kill_by_authrole": ["member"]}
    assert call(backend, f"wamp.session.{name}", *whom.get(name, []), reason=reason) == "(wamp.error.invalid_uri)"
    assert joe.session.established


def test_what_one_does_not_see_one_does_not_end(observed: Observed) -> None:
    peers = crowd(observed)
    ann = peers["ann"]
    for name in ("eve", "backend", "guest"):
        assert call(ann, "wamp.session.kill", peers[name].session.id) == NONE
        assert call(ann, "wamp.session.kill_by_authid", peers[name].session.principal.authid) == []
    assert call(ann, "wamp.session.kill_by_authrole", "guest") == 0
    assert call(ann, "wamp.session.kill_by_authrole", "member") == 2
    living = {name for name, peer in peers.items() if peer.session.established}
    assert living == {"ann", "eve", "backend", "guest"}
    assert call(ann, "wamp.session.kill_all") == 0
    assert call(ann, "wamp.session.kill", peers["joe"].session.id) == NONE


def test_kill_by_authid_spares_the_caller(observed: Observed) -> None:
    peers = crowd(observed)
    assert call(peers["ann"], "wamp.session.kill_by_authid", "ann") == [peers["ann again"].session.id]
    assert peers["ann"].session.established
    assert call(peers["backend"], "wamp.session.kill_by_authid", "ann", message="bye") == [peers["ann"].session.id]
    assert peers["ann"].heard()[-1] == [6, {"message": "bye"}, "wamp.close.killed"]
    assert call(peers["backend"], "wamp.session.kill_by_authid", "nobody") == []


def test_kill_by_authrole_and_all_spare_the_caller(observed: Observed) -> None:
    peers = crowd(observed)
    other = observed.backend()
    assert call(peers["backend"], "wamp.session.kill_by_authrole", "backend") == 1
    assert not other.session.established
    assert call(peers["backend"], "wamp.session.kill_all", reason="com.example.night") == 5
    assert {name for name, peer in peers.items() if peer.session.established} == {"backend"}
    assert peers["eve"].heard()[-1] == [6, {}, "com.example.night"]
    assert call(peers["backend"], "wamp.session.list") == [peers["backend"].session.id]


def test_when_all_are_killed_nobody_is_told(observed: Observed) -> None:
    backend = Listener(observed.backend(), "wamp.session.on_leave", "com.example.left")
    joe = observed.user("joe")
    call(joe, "wamp.session.add_testament", "com.example.left", ["joe"], {})
    assert call(backend.peer, "wamp.session.kill_all") == 1
    assert backend.heard() == []
    # What follows is told again.
    observed.user("ann").leave()
    assert [topic for topic, _ in backend.heard()] == ["session.on_leave"]


def test_when_some_are_killed_the_others_are_told(observed: Observed) -> None:
    backend = Listener(observed.backend(), "wamp.session.on_leave", "com.example.left")
    joe, ann = observed.user("joe"), observed.user("ann")
    call(joe, "wamp.session.add_testament", "com.example.left", ["joe"], {})
    assert call(ann, "wamp.session.kill_all") == 1
    assert backend.heard() == [("com.example.left", ["joe"]), ("session.on_leave", [joe.session.id, "joe", "member"])]


class Visit:
    """A session of a single HTTP request, as the backend's routes make it."""

    def __init__(self, observed: Observed, like: Peer) -> None:
        self.session = session = Session(LocalLink(lambda *_: None), Connection("1.2.3.4:5", "1.2.3.4"))
        session.id = 77
        session.principal = like.session.principal
        session.realm = observed.realm
        session.state = State.ESTABLISHED
        observed.realm.join(session)
        observed.realm.welcomed(session, 0.0)


def test_requests_are_not_shown(observed: Observed) -> None:
    backend = Listener(observed.backend(), "wamp.session.on_join", "wamp.session.on_leave")
    visit = Visit(observed, backend.peer)
    assert call(backend.peer, "wamp.session.list") == [backend.peer.session.id]
    assert call(backend.peer, "wamp.session.count") == 1
    assert call(backend.peer, "wamp.session.get", 77) == NONE
    assert call(backend.peer, "wamp.session.kill", 77) == NONE
    assert call(backend.peer, "wamp.session.kill_by_authid", "backend") == []
    assert call(backend.peer, "wamp.session.kill_all") == 0
    assert visit.session.established
    observed.routed.router.disconnected(visit.session)
    assert backend.heard() == []


def test_the_router_s_own_sessions_are_not_shown(observed: Observed) -> None:
    backend = observed.backend()
    assert observed.realm.dealer.registrations.get("wamp.session.list", "exact") is not None
    assert call(backend, "wamp.session.list") == [backend.session.id]


def test_joining_and_leaving(observed: Observed) -> None:
    topics = ("wamp.session.on_join", "wamp.session.on_leave")
    ears = {
        name: Listener(peer, *topics)
        for name, peer in (
            ("backend", observed.backend()),
            ("joe", observed.user("joe")),
            ("eve", observed.user("eve")),
            ("guest", observed.guest()),
        )
    }
    for listener in ears.values():
        listener.heard()
    ann = observed.user("ann")
    details = {
        "session": ann.session.id,
        "authid": "ann",
        "authrole": "member",
        "authmethod": "ticket",
        "authprovider": ann.session.principal.authprovider,
        "transport": {"secure": False},
    }
    ann.leave()
    told = [("session.on_join", [details]), ("session.on_leave", [ann.session.id, "ann", "member"])]
    assert {name: listener.heard() for name, listener in ears.items()} == {
        "backend": told,
        "joe": told,
        "eve": [],
        "guest": [],
    }


def test_a_role_that_sees_nothing_more_hears_nothing_more() -> None:
    observed = Observed(sees={"member": "own"})
    joe = Listener(observed.user("joe"), "wamp.session.on_join")
    observed.user("ann")
    assert joe.heard() == []
    observed.user("joe")
    assert len(joe.heard()) == 1


def test_rules_of_the_configuration_are_unchanged() -> None:
    """The rules by which the others are tested say nothing of the meta API."""
    assert not any(rule.role in ("member", "guest") and rule.uri.startswith("wamp.") for rule in RULES)
