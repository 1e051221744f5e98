"""WAMP Advanced Profile, "Payload Passthru Mode", for calls."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from raw_wamp import ERROR, INVOCATION, YIELD, WampError, random_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Wamp


@pytest.fixture
def procedure() -> str:
    return random_name()


SEAL = {
    "ppt_scheme": "wamp",
    "ppt_serializer": "cbor",
    "ppt_cipher": "xsalsa20poly1305",
    "ppt_keyid": "GTtQ37XGJO2O4R8Dvx4AUo8pe61D9evIWpKGQAPdOh0=",
}
MODE = "payload_passthru_mode"
DATA = bytes(range(256))


def binary(peer: Wamp) -> Any:
    """The sealed payload as a peer's serializer has it ("Binary serialization in JSON")."""
    return "\0" + b64encode(DATA).decode() if peer.serializer == "json" else DATA


def test_it_is_announced(alice: Wamp) -> None:
    for role in ("broker", "dealer"):
        assert alice.welcome["roles"][role]["features"][MODE] is True


def test_a_sealed_call_its_result_and_its_error(enter: Callable[..., Wamp], procedure: str) -> None:
    caller, callee = enter("alice", MODE), enter("bob", MODE)
    callee.register(procedure)
    call = caller.start_call(procedure, [binary(caller)], **SEAL)
    invocation = callee.receive()
    assert invocation[3:] == [SEAL, [binary(callee)]]
    callee.send(YIELD, invocation[1], SEAL, [binary(callee)])
    assert caller.result(call)[2:] == [SEAL, [binary(caller)]]
    again = caller.start_call(procedure, [binary(caller)], ppt_scheme="x_own")
    invocation = callee.receive()
    assert invocation[3] == {"ppt_scheme": "x_own"}
    callee.send(ERROR, INVOCATION, invocation[1], SEAL, "com.myapp.invalid_revenue_year", [binary(callee)])
    with pytest.raises(WampError) as error:
        caller.result(again)
    assert error.value.message[3:] == [SEAL, "com.myapp.invalid_revenue_year", [binary(caller)]]


def test_it_goes_between_serializers(enter: Callable[..., Wamp], join: Callable[..., Wamp], procedure: str) -> None:
    roles = {role: {"features": {MODE: True}} for role in ("caller", "callee")}
    caller, callee = join("carol", hello={"roles": roles}), enter("bob", MODE)
    callee.register(procedure)
    call = caller.start_call(procedure, [binary(caller)], **SEAL)
    invocation = callee.receive()
    assert invocation[3:] == [SEAL, [binary(callee)]]
    callee.send(YIELD, invocation[1], SEAL, [binary(callee)])
    assert caller.result(call)[3] == [binary(caller)]


def test_a_caller_that_has_not_announced_it(alice: Wamp, bob: Wamp, procedure: str) -> None:
    bob.register(procedure)
    alice.start_call(procedure, [binary(alice)], **SEAL)
    assert alice.violated()


def test_a_caller_that_has_not_announced_it_calls_what_nobody_answers(alice: Wamp, procedure: str) -> None:
    alice.start_call(procedure, [binary(alice)], **SEAL)
    assert alice.violated()


def test_an_empty_scheme_is_none(alice: Wamp, bob: Wamp, procedure: str) -> None:
    bob.register(procedure)
    call = alice.start_call(procedure, [1], ppt_scheme="")
    bob.send(YIELD, bob.receive()[1], {"ppt_scheme": ""}, [2])
    assert alice.result(call)[3] == [2]


def test_a_callee_that_does_not_know_it(enter: Callable[..., Wamp], bob: Wamp, procedure: str) -> None:
    caller = enter("alice", MODE)
    bob.register(procedure)
    with pytest.raises(WampError) as error:
        caller.call(procedure, [binary(caller)], **SEAL)
    assert error.value.uri == "wamp.error.feature_not_supported"


def test_a_callee_that_has_not_announced_it(enter: Callable[..., Wamp], bob: Wamp, procedure: str) -> None:
    caller = enter("alice", MODE)
    bob.register(procedure)
    call = caller.start_call(procedure)
    bob.send(YIELD, bob.receive()[1], SEAL, [binary(bob)])
    assert bob.violated()
    with pytest.raises(WampError) as error:
        caller.result(call)
    assert error.value.uri == "wamp.error.canceled"


def test_a_caller_that_does_not_know_it(enter: Callable[..., Wamp], alice: Wamp, procedure: str) -> None:
    """The text has ERROR go to the callee; stock callees end their session at that, so the caller alone gets it."""
    callee = enter("bob", MODE)
    callee.register(procedure)
    call = alice.start_call(procedure)
    callee.send(YIELD, callee.receive()[1], SEAL, [binary(callee)])
    with pytest.raises(WampError) as error:
        alice.result(call)
    assert error.value.uri == "wamp.error.feature_not_supported"
    assert callee.register(random_name()) > 0
