"""WAMP Advanced Profile, "Registration Revocation": by another session of the callee's own that takes its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from raw_wamp import INVOCATION, UNREGISTERED, YIELD, WampError, random_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Wamp

FEATURE = "registration_revocation"


def test_it_is_announced(alice: Wamp) -> None:
    assert alice.welcome["roles"]["dealer"]["features"][FEATURE] is True


def test_unregistered_without_a_request_says_which_and_why(
    enter: Callable[..., Wamp], join: Callable[..., Wamp], alice: Wamp, transport: str
) -> None:
    """Over RawSocket nobody says what it is: it might be a client that dies of this message, so none is sent it."""
    procedure = random_name()
    callee = enter("bob", FEATURE)
    registration = callee.register(procedure)
    successor = join("bob")
    successor.register(procedure, force_reregister=True)
    if transport == "websocket":
        code, request, details = callee.receive()
        assert (code, request, details["registration"]) == (UNREGISTERED, 0, registration)
        assert details["reason"].startswith("wampgate.")
    call = alice.start_call(procedure)
    successor.send(YIELD, successor.receive()[1], {}, ["by the successor"])
    assert alice.result(call)[3] == ["by the successor"]
    with pytest.raises(WampError) as error:
        callee.unregister(registration)
    assert error.value.uri == "wamp.error.no_such_registration"


def test_who_has_not_announced_it_hears_nothing_and_may_still_answer(
    alice: Wamp, bob: Wamp, join: Callable[..., Wamp]
) -> None:
    procedure = random_name()
    bob.register(procedure)
    call = alice.start_call(procedure)
    code, invocation, *_ = bob.receive()
    assert code == INVOCATION
    join("bob").register(procedure, force_reregister=True)
    bob.send(YIELD, invocation, {}, ["what ran goes on"])
    assert alice.result(call)[3] == ["what ran goes on"]
    # The next thing that it hears is of its next procedure.
    other = random_name()
    bob.register(other)
    alice.start_call(other)
    assert bob.receive()[0] == INVOCATION
