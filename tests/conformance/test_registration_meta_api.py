"""WAMP Advanced Profile, "Registration Meta API", on a running router over every serializer and transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conformance.watching import Ears, refused, watched_configuration, without_created
from raw_wamp import WampError, random_name
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from raw_wamp import Wamp

NONE = "wamp.error.no_such_registration"
CREATED, REGISTERED, UNREGISTERED, DELETED = (
    f"wamp.registration.on_{what}" for what in ("create", "register", "unregister", "delete")
)


@pytest.fixture(scope="module")
def router() -> Iterator[RouterProcess]:
    with RouterProcess(watched_configuration()) as process:
        yield process


def test_the_dealer_announces_it(alice: Wamp) -> None:
    assert alice.welcome["roles"]["dealer"]["features"]["registration_meta_api"] is True


def test_a_registration_s_life_is_told_in_order(alice: Wamp, bob: Wamp, carol: Wamp) -> None:
    ears = Ears(alice, CREATED, REGISTERED, UNREGISTERED, DELETED)
    procedure = random_name()
    registration = bob.register(procedure, invoke="roundrobin")
    carol.register(procedure, invoke="roundrobin")
    bob.unregister(registration)
    carol.unregister(registration)
    (first, (creator, details)), *others = ears.heard()
    assert (first, creator) == (CREATED, bob.session)
    expected = {"id": registration, "uri": procedure, "match": "exact", "invoke": "roundrobin"}
    assert without_created(details) == expected
    assert others == [
        (REGISTERED, [bob.session, registration]),
        (REGISTERED, [carol.session, registration]),
        (UNREGISTERED, [bob.session, registration]),
        (UNREGISTERED, [carol.session, registration]),
        (DELETED, [carol.session, registration]),
    ]


def test_a_callee_is_killed_while_it_is_called(alice: Wamp, enter: Callable[..., Wamp]) -> None:
    """on_unregister and on_delete come in order, then on_leave; the call ends with an error."""
    ears = Ears(alice, UNREGISTERED, DELETED, "wamp.session.on_leave")
    bob = enter("bob")
    procedures = [random_name() for _ in range(2)]
    registrations = [bob.register(procedure) for procedure in procedures]
    caller = enter("bob")
    calls = [caller.start_call(procedure) for procedure in procedures]
    assert [bob.receive()[2] for _ in calls] == registrations
    alice.call("wamp.session.kill", [bob.session])
    number = bob.session
    assert ears.heard_of(number) == [
        *((topic, [number, registration]) for registration in registrations for topic in (UNREGISTERED, DELETED)),
        ("wamp.session.on_leave", [number, "bob", "client"]),
    ]
    for call in calls:
        with pytest.raises(WampError) as error:
            caller.result(call)
        assert error.value.uri == "wamp.error.canceled"


def test_list(alice: Wamp, bob: Wamp) -> None:
    ids = {match: bob.register(random_name(), match=match) for match in ("exact", "prefix", "wildcard")}
    lists = alice.call("wamp.registration.list")
    assert set(lists) == {"exact", "prefix", "wildcard"}
    for match, number in ids.items():
        assert number in lists[match]


def test_lookup_and_match(alice: Wamp, bob: Wamp) -> None:
    procedure = random_name()
    exact, prefix = bob.register(procedure), bob.register(procedure, match="prefix")
    assert alice.call("wamp.registration.lookup", [procedure]) == exact
    assert alice.call("wamp.registration.lookup", [procedure, {"match": "prefix"}]) == prefix
    assert alice.call("wamp.registration.lookup", [procedure, {"match": "wildcard"}]) is None
    assert alice.call("wamp.registration.match", [procedure]) == exact
    assert alice.call("wamp.registration.match", [f"{procedure}.below"]) == prefix
    assert alice.call("wamp.registration.match", [random_name()]) is None


def test_get(alice: Wamp, bob: Wamp) -> None:
    procedure = random_name()
    registration = bob.register(procedure)
    details = alice.call("wamp.registration.get", [registration])
    expected = {"id": registration, "uri": procedure, "match": "exact", "invoke": "single"}
    assert without_created(details) == expected
    bob.unregister(registration)
    assert refused(alice, "wamp.registration.get", registration) == NONE


def test_callees(alice: Wamp, bob: Wamp, carol: Wamp) -> None:
    procedure = random_name()
    registration = bob.register(procedure, invoke="random")
    carol.register(procedure, invoke="random")
    assert set(alice.call("wamp.registration.list_callees", [registration])) == {bob.session, carol.session}
    assert alice.call("wamp.registration.count_callees", [registration]) == 2
    carol.unregister(registration)
    assert alice.call("wamp.registration.list_callees", [registration]) == [bob.session]
    bob.unregister(registration)
    for name in ("list", "count"):
        assert refused(alice, f"wamp.registration.{name}_callees", registration) == NONE
