"""Sealed payloads in calls: handed on as they are, to those who know such ("Payload Passthru Mode")."""

from __future__ import annotations

from typing import Any

import pytest
from unit.core.calls import ADD, INVOCATIONS, PASSTHRU, RESULTS, error_of, only, peer_with, registered
from unit.core.routed import Routed

VIOLATION = "wamp.error.protocol_violation"
UNKNOWN = "wamp.error.feature_not_supported"
SEAL = {"ppt_scheme": "wamp", "ppt_serializer": "cbor", "ppt_cipher": "aes256gcm", "ppt_keyid": "key"}
AUTOBAHNS = {"enc_algo": "cryptobox", "enc_serializer": "json", "enc_key": "key"}
DATA = "\0AAECAw=="

each_seal = pytest.mark.parametrize(("seal", "sealed"), [(SEAL, [DATA]), (AUTOBAHNS, DATA)], ids=["ppt", "enc"])


@pytest.fixture
def routed() -> Routed:
    return Routed()


@each_seal
def test_calls_results_and_errors_keep_their_seal(routed: Routed, seal: dict[str, Any], sealed: Any) -> None:
    callee, caller = peer_with(routed, PASSTHRU, RESULTS), peer_with(routed, PASSTHRU)
    registered(callee)
    caller.ask(48, {**seal, "receive_progress": True}, ADD, sealed)
    invocation = only(callee.heard(), 68)
    assert invocation[3:] == [{**seal, "receive_progress": True}, sealed]
    callee.say(70, 1, {**seal, "progress": True}, sealed)
    callee.say(70, 1, seal, sealed)
    assert caller.heard() == [[50, 1, {**seal, "progress": True}, sealed], [50, 1, seal, sealed]]
    caller.ask(48, seal, ADD, sealed)
    callee.say(8, 68, 2, {**seal, "own": 1}, "com.example.error", sealed)
    assert caller.heard() == [[8, 48, 2, seal, "com.example.error", sealed]]


@each_seal
def test_a_caller_has_to_announce_it(routed: Routed, seal: dict[str, Any], sealed: Any) -> None:
    registered(peer_with(routed, PASSTHRU))
    assert only(peer_with(routed).ask(48, seal, ADD, sealed), 3)[2] == VIOLATION


@each_seal
def test_a_callee_that_does_not_know_it_is_not_asked(routed: Routed, seal: dict[str, Any], sealed: Any) -> None:
    callee, caller = peer_with(routed), peer_with(routed, PASSTHRU)
    registered(callee)
    assert error_of(caller.ask(48, seal, ADD, sealed), 1) == UNKNOWN
    assert callee.heard() == []


@each_seal
def test_a_callee_has_to_announce_it(routed: Routed, seal: dict[str, Any], sealed: Any) -> None:
    callee, caller = peer_with(routed), peer_with(routed, PASSTHRU)
    registered(callee)
    caller.ask(48, {}, ADD)
    callee.heard()
    assert only(callee.say(70, 1, seal, sealed), 3)[2] == VIOLATION
    assert error_of(caller.heard(), 1) == "wamp.error.canceled"


@pytest.mark.parametrize("progress", [False, True])
@each_seal
def test_a_caller_that_does_not_know_it_gets_an_error(
    routed: Routed, seal: dict[str, Any], sealed: Any, progress: bool
) -> None:
    callee, caller = peer_with(routed, PASSTHRU), peer_with(routed)
    registered(callee)
    caller.ask(48, {"receive_progress": True}, ADD)
    callee.heard()
    assert callee.say(70, 1, {**seal, "progress": progress}, sealed) == []
    assert error_of(caller.heard(), 1) == UNKNOWN
    assert callee.session.established


def test_what_autobahn_calls_it_counts(routed: Routed) -> None:
    callee, caller = peer_with(routed, "payload_transparency"), peer_with(routed, "payload_transparency")
    registered(callee)
    caller.ask(48, AUTOBAHNS, ADD, DATA)
    assert only(callee.heard(), 68)[3:] == [AUTOBAHNS, DATA]


def test_each_message_of_a_call_keeps_the_first_one_s_seal(routed: Routed) -> None:
    features = (PASSTHRU, INVOCATIONS, "call_canceling")
    callee, caller = peer_with(routed, *features), peer_with(routed, *features)
    registered(callee)
    caller.ask(48, {**SEAL, "progress": True}, ADD, [DATA])
    caller.say(48, 1, {}, ADD, [DATA])
    assert [message[3:] for message in callee.heard()] == [[{**SEAL, "progress": True}, [DATA]], [SEAL, [DATA]]]
