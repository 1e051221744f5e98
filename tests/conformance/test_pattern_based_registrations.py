"""WAMP Advanced Profile, "Pattern-based Registrations"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from raw_wamp import YIELD, WampError, random_name

if TYPE_CHECKING:
    from raw_wamp import Wamp


@pytest.fixture
def procedure() -> str:
    return random_name()


def test_it_is_announced(alice: Wamp) -> None:
    assert alice.welcome["roles"]["dealer"]["features"]["pattern_based_registration"] is True


def answers(caller: Wamp, callee: Wamp, procedure: str) -> tuple[int, dict[str, object]]:
    """Which registration a call finds, and the details of its invocation."""
    call = caller.start_call(procedure)
    invocation = callee.receive()
    callee.send(YIELD, invocation[1], {})
    caller.result(call)
    return invocation[2], invocation[3]


def test_prefix(alice: Wamp, bob: Wamp, procedure: str) -> None:
    registration = bob.register(procedure, match="prefix")
    for called in (procedure, f"{procedure}.a", f"{procedure}-b", f"{procedure}.a.b.c"):
        assert answers(alice, bob, called) == (registration, {"procedure": called})
    with pytest.raises(WampError) as error:
        alice.call(procedure[:-1])
    assert error.value.uri == "wamp.error.no_such_procedure"


def test_wildcard(alice: Wamp, bob: Wamp, procedure: str) -> None:
    registration = bob.register(f"{procedure}..run", match="wildcard")
    for called in (f"{procedure}.a.run", f"{procedure}.b.run"):
        assert answers(alice, bob, called) == (registration, {"procedure": called})
    for other in (f"{procedure}.a.run.b", f"{procedure}.a.go", f"{procedure}.run"):
        with pytest.raises(WampError) as error:
            alice.call(other)
        assert error.value.uri == "wamp.error.no_such_procedure"


def test_one_registration_answers_the_best_match(alice: Wamp, bob: Wamp, procedure: str) -> None:
    """The text's own examples; c33 is x33, since `…c3` is a prefix of `…c33` as "Prefix Matching" has it."""
    ids = {
        (name, match): bob.register(f"{procedure}.{name}", match=match)
        for name, match in [
            ("c3.d4.e55", "exact"),
            ("c3", "prefix"),
            ("c3.d4", "prefix"),
            (".d4.e5", "wildcard"),
            ("x33..e5", "wildcard"),
            (".d4.e5..g7", "wildcard"),
            (".d4..f6.g7", "wildcard"),
        ]
    }
    for called, expected in [
        ("c3.d4.e55", ("c3.d4.e55", "exact")),
        ("c3.d98.e74", ("c3", "prefix")),
        ("c3.d4.e325", ("c3.d4", "prefix")),
        ("c55.d4.e5", (".d4.e5", "wildcard")),
        ("x33.d4.e5", ("x33..e5", "wildcard")),
        ("c88.d4.e5.f6.g7", (".d4.e5..g7", "wildcard")),
    ]:
        assert answers(alice, bob, f"{procedure}.{called}")[0] == ids[expected]
    with pytest.raises(WampError) as error:
        alice.call(f"{procedure}2.b2.c2.d2.e2")
    assert error.value.uri == "wamp.error.no_such_procedure"


def test_one_unregisters_each_by_itself(alice: Wamp, bob: Wamp, procedure: str) -> None:
    wide, narrow = bob.register(procedure, match="prefix"), bob.register(f"{procedure}.a")
    assert answers(alice, bob, f"{procedure}.a")[0] == narrow
    bob.unregister(narrow)
    assert answers(alice, bob, f"{procedure}.a")[0] == wide
    bob.unregister(wide)
    with pytest.raises(WampError):
        alice.call(f"{procedure}.a")


@pytest.mark.parametrize(
    ("pattern", "match"), [("com..x", "exact"), ("com.example..", "prefix"), ("com. .x", "wildcard")]
)
def test_a_pattern_that_is_none(alice: Wamp, pattern: str, match: str) -> None:
    with pytest.raises(WampError) as error:
        alice.register(pattern, match=match)
    assert error.value.uri == "wamp.error.invalid_uri"


def test_an_own_pattern_does_not_reach_what_is_the_router_s(alice: Wamp) -> None:
    for pattern, match in [("", "prefix"), ("wamp", "prefix"), ("..", "wildcard"), ("wampgate.publish", "exact")]:
        with pytest.raises(WampError) as error:
            alice.register(pattern, match=match)
        assert error.value.uri in {"wamp.error.not_authorized", "wamp.error.invalid_uri"}
