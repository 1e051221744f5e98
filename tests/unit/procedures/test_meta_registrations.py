"""The "Registration Meta API": what is there for whom, and in which order it is told of."""

from __future__ import annotations

from typing import Any

import pytest
from unit.core.routed import rule
from unit.procedures.observed import META, Listener, Observed, call, register

NONE = "(wamp.error.no_such_registration)"
BAD = "(wamp.error.invalid_argument)"
EVENTS = tuple(f"wamp.registration.on_{what}" for what in ("create", "register", "unregister", "delete"))
INTERNAL = rule("member", ("register", "call"), "com.internal.", "prefix")


@pytest.fixture
def observed() -> Observed:
    return Observed(rules=(*META, INTERNAL))


def test_list_by_match_policy_without_the_router_s_own(observed: Observed) -> None:
    joe, guest, backend = observed.user("joe"), observed.guest(), observed.backend()
    exact = register(joe, "com.example.one")
    prefix = register(backend, "com.example.a.", match="prefix")
    wildcard = register(backend, "com.example.a..x", match="wildcard")
    wide = register(backend, "com.", match="prefix")
    hidden = register(joe, "com.internal.one")
    everything = {"exact": [exact, hidden], "prefix": [prefix, wide], "wildcard": [wildcard]}
    assert call(backend, "wamp.registration.list") == everything
    assert call(joe, "wamp.registration.list") == everything | {"prefix": [prefix]}
    assert call(guest, "wamp.registration.list") == {"exact": [exact], "prefix": [prefix], "wildcard": [wildcard]}
    assert call(backend, "wamp.registration.list", 1) == BAD


def test_lookup(observed: Observed) -> None:
    joe, guest = observed.user("joe"), observed.guest()
    exact, internal = register(joe, "com.example.one"), register(joe, "com.internal.", match="prefix")
    assert call(guest, "wamp.registration.lookup", "com.example.one") == exact
    assert call(guest, "wamp.registration.lookup", "com.example.one", {"match": "prefix"}) is None
    assert call(joe, "wamp.registration.lookup", "com.internal.", options={"match": "prefix"}) == internal
    assert call(guest, "wamp.registration.lookup", "com.internal.", {"match": "prefix"}) is None
    assert call(guest, "wamp.registration.lookup", "com.example.two") is None
    assert call(guest, "wamp.registration.lookup", "wamp.session.list") is None


def test_match_is_what_a_call_finds(observed: Observed) -> None:
    joe, backend = observed.user("joe"), observed.backend()
    exact = register(joe, "com.example.a.b")
    longer = register(backend, "com.example.a", match="prefix")
    register(backend, "com.example.", match="prefix")
    wildcard = register(backend, "com..x", match="wildcard")
    assert call(backend, "wamp.registration.match", "com.example.a.b") == exact
    assert call(backend, "wamp.registration.match", "com.example.a.c") == longer
    assert call(backend, "wamp.registration.match", "com.internal.x") == wildcard
    assert call(backend, "wamp.registration.match", "org.example") is None
    assert call(backend, "wamp.registration.match", "wamp.session.list") is None


def test_get(observed: Observed) -> None:
    joe, guest = observed.user("joe"), observed.guest()
    registration = register(joe, "com.internal.shared", invoke="roundrobin")
    details = call(joe, "wamp.registration.get", registration)
    assert details.pop("created").endswith("Z")
    assert details == {
        "id": registration,
        "uri": "com.internal.shared",
        "match": "exact",
        "invoke": "roundrobin",
    }
    assert call(guest, "wamp.registration.get", registration) == NONE
    assert call(guest, "wamp.registration.get", registration + 100) == NONE
    (fields,) = (fields for event, fields in observed.routed.records if event == "refused")
    assert (fields["action"], fields["uri"]) == ("call", "com.internal.shared")


def test_the_router_s_own_registrations_are_not_there(observed: Observed) -> None:
    backend = observed.backend()
    for registration in list(observed.realm.dealer.registrations):
        for name in ("get", "list_callees", "count_callees"):
            assert call(backend, f"wamp.registration.{name}", registration.id) == NONE


def test_callees_are_those_one_sees(observed: Observed) -> None:
    peers = [observed.user("joe"), observed.user("ann"), observed.user("eve"), observed.backend()]
    (registration,) = {register(peer, "com.example.shared", invoke="random") for peer in peers}
    ids = [peer.session.id for peer in peers]
    joe, _, eve, backend = peers
    for peer, seen in ((backend, ids), (joe, ids[:2]), (eve, [ids[2]]), (observed.guest(), [])):
        assert call(peer, "wamp.registration.list_callees", registration) == seen
        assert call(peer, "wamp.registration.count_callees", registration) == len(seen)
    other = register(joe, "com.internal.one")
    for name in ("list", "count"):
        assert call(observed.guest(), f"wamp.registration.{name}_callees", other) == NONE
        assert call(joe, f"wamp.registration.{name}_callees", 9999) == NONE


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("lookup", []),
        ("lookup", ["com.example.x", {"match": 5}]),
        ("match", [5]),
        ("get", ["1"]),
        ("list_callees", [None]),
        ("count_callees", [False]),
    ],
)
def test_arguments_that_are_none(observed: Observed, name: str, args: list[Any]) -> None:
    assert call(observed.backend(), f"wamp.registration.{name}", *args) == BAD


# --- events ---


def test_a_registration_s_life(observed: Observed) -> None:
    ears = Listener(observed.backend(), *EVENTS)
    joe, ann = observed.user("joe"), observed.user("ann")
    registration = register(joe, "com.example.shared", invoke="first")
    register(ann, "com.example.shared", invoke="first")
    joe.ask(66, registration)
    ann.ask(66, registration)
    one, two = joe.session.id, ann.session.id
    (_, (creator, details)), *others = ears.heard()
    assert creator == one
    assert details.pop("created").endswith("Z")
    assert details == {"id": registration, "uri": "com.example.shared", "match": "exact", "invoke": "first"}
    assert others == [
        ("registration.on_register", [one, registration]),
        ("registration.on_register", [two, registration]),
        ("registration.on_unregister", [one, registration]),
        ("registration.on_unregister", [two, registration]),
        ("registration.on_delete", [two, registration]),
    ]


def test_a_callee_that_is_killed_while_it_is_called(observed: Observed) -> None:
    """Everything is told in order, the calls end with an error, and only then it is said that the session has left."""
    ears = Listener(observed.backend(), *EVENTS, "wamp.session.on_leave")
    joe, ann = observed.user("joe"), observed.user("ann")
    registrations = [register(joe, f"com.example.{name}") for name in "ab"]
    for name in "ab":
        assert ann.ask(48, {}, f"com.example.{name}") == []
    ears.heard()
    call(ears.peer, "wamp.session.kill", joe.session.id)
    number = joe.session.id
    ended = [(what, registration) for registration in registrations for what in ("unregister", "delete")]
    assert sorted(message[:3] for message in ann.heard()) == [[8, 48, ann.request - 1], [8, 48, ann.request]]
    observed.routed.flush()
    heard = [
        (ears._topic_by_subscription[message[1]], message[4]) for message in ears.peer.messages if message[0] == 36
    ]
    assert heard[-5:] == [
        *((f"wamp.registration.on_{what}", [number, registration]) for what, registration in ended),
        ("wamp.session.on_leave", [number, "joe", "member"]),
    ]


def test_each_hears_of_what_it_may_call_by_whom_it_sees(observed: Observed) -> None:
    ears = {name: Listener(observed.user(name), *EVENTS) for name in ("joe", "ann", "eve")}
    ears["guest"] = Listener(observed.guest(), *EVENTS)
    for name, procedure, hearing in (
        ("joe", "com.example.one", {"joe", "ann"}),
        ("eve", "com.internal.one", {"eve"}),
    ):
        peer = observed.user(name)
        register(peer, procedure)
        assert {who for who, listener in ears.items() if listener.heard()} == hearing, procedure
        peer.leave()
        assert {who for who, listener in ears.items() if listener.heard()} == hearing, procedure
    # A guest sees no one, so it hears nothing even of what it may call.
    assert ears["guest"].heard() == []
