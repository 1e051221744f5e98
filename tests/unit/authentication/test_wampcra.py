"""The authmethod wampcra: the challenge says all that the session will be; only the secret's own signature opens it."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import pbkdf2_hmac
from typing import Any

import pytest
from unit.authentication.proving import PLAIN, Table, authenticators, cra, credentials, hello, routed, tampered
from unit.core.routed import Clock, Peer, outcome_of

from wampgate.authentication.mock_credentials import MockCredentials
from wampgate.authentication.sources import KnownPrincipals
from wampgate.authentication.wampcra import WampcraAuthenticator
from wampgate.core.errors import JoinRefused

DENIED = "wamp.error.authentication_denied"


def challenged(peer: Peer, authid: str = "ann") -> dict[str, Any]:
    """The extra of the challenge that a HELLO gets."""
    (message,) = peer.hello(authmethods=["wampcra"], authid=authid)
    assert message[:2] == [4, "wampcra"], message
    extra: dict[str, Any] = message[2]
    return extra


def denied(peer: Peer, signature: str) -> None:
    (message,) = peer.say(5, signature, {})
    assert message[0] == 3
    assert message[2] == DENIED
    assert message[1] == {"message": "the credentials are not accepted"}


def test_a_signature_opens_the_session_that_the_challenge_names() -> None:
    peer = routed().peer()
    text = challenged(peer)["challenge"]
    (welcome,) = peer.say(5, cra("the secret of ann", text), {})
    said = json.loads(text)
    assert welcome[:2] == [2, said["session"]]
    assert {name: welcome[2][name] for name in ("authid", "authrole", "authmethod", "authprovider")} == {
        name: said[name] for name in ("authid", "authrole", "authmethod", "authprovider")
    }
    assert (said["authid"], said["authrole"], said["authmethod"]) == ("ann", "client", "wampcra")


def test_the_challenge_has_all_that_the_specification_asks_for() -> None:
    known = KnownPrincipals(Table(("wampcra", credentials("ann", {"secret": "x"}))), role="member", now=Clock())
    time = datetime(2026, 1, 31, 16, 51, 41, 643999, tzinfo=UTC)
    authenticator = WampcraAuthenticator(
        known, MockCredentials([credentials("", {"secret": ""})]), wall_clock=lambda: time
    )
    challenge = outcome_of(authenticator.hello(hello("ann"), PLAIN))
    said = json.loads(challenge.extra["challenge"])
    assert set(said) == {"authid", "authrole", "authmethod", "authprovider", "nonce", "timestamp", "session"}
    assert said["timestamp"] == "2026-01-31T16:51:41.643Z"
    assert said["session"] == challenge.session
    assert 1 <= said["session"] <= 2**53
    assert len(said["nonce"]) >= 16


def test_the_secret_shows_nowhere() -> None:
    challenge = outcome_of(authenticators()["wampcra"].hello(hello("ann"), PLAIN))
    assert "secret of ann" not in f"{challenge!r} {challenge.private!r} {challenge.extra}"


def test_a_salted_secret_is_derived_by_the_client() -> None:
    peer = routed().peer()
    extra = challenged(peer, "salty")
    assert (extra["salt"], extra["iterations"], extra["keylen"]) == ("salt123", 10, 32)
    key = pbkdf2_hmac("sha256", b"password", b"salt123", 10, 32)
    assert peer.say(5, cra(b64encode(key).decode(), extra["challenge"]), {})[0][0] == 2


def test_an_unsalted_secret_says_nothing_of_salt() -> None:
    assert set(challenged(routed().peer())) == {"challenge"}


def test_wrong_signatures() -> None:
    router = routed(guesses=100)
    right = cra("the secret of ann", challenged(router.peer())["challenge"])
    for wrong in tampered(right):
        peer = router.peer()
        text = challenged(peer)["challenge"]
        if wrong != right:
            denied(peer, wrong.encode("utf-8", "replace").decode())
        assert peer.say(5, cra("the secret of ann", text), {}) == []
    peer = router.peer()
    denied(peer, cra("another secret", challenged(peer)["challenge"]))


def test_a_signature_is_good_for_its_own_challenge_only() -> None:
    router = routed()
    first, second = router.peer(), router.peer()
    signature = cra("the secret of ann", challenged(first)["challenge"])
    challenged(second)
    denied(second, signature)
    assert first.say(5, signature, {})[0][0] == 2
    third = router.peer()
    challenged(third)
    denied(third, signature)


def test_another_s_signature_opens_nothing() -> None:
    peer = routed().peer()
    extra = challenged(peer, "salty")
    denied(peer, cra("the secret of ann", extra["challenge"]))


def test_nobody_is_answered_like_somebody() -> None:
    router = routed()
    extras = [challenged(router.peer(), "nobody") for _ in range(3)]
    assert len({json.dumps({**extra, "challenge": ""}) for extra in extras}) == 1
    peer = router.peer()
    text = challenged(peer, "nobody")["challenge"]
    said = json.loads(text)
    assert (said["authid"], said["authprovider"], said["authrole"]) == ("nobody", "static", "client")
    denied(peer, cra("the secret of ann", text))
    assert router.records[-1][1]["because"] == "no wampcra credentials are known of 'nobody'"


def test_some_of_nobody_s_challenges_are_salted_like_somebody_s() -> None:
    router = routed()
    shapes = {frozenset(challenged(router.peer(), f"nobody-{number}")) for number in range(64)}
    assert shapes == {frozenset({"challenge"}), frozenset({"challenge", "salt", "iterations", "keylen"})}
    salts = [challenged(router.peer(), f"nobody-{number}").get("salt") for number in range(64)]
    assert {len(salt) for salt in salts if salt is not None} == {len("salt123")}


def test_an_authid_is_needed() -> None:
    for authid in (None, "", "x" * 257):
        with pytest.raises(JoinRefused) as found:
            outcome_of(authenticators()["wampcra"].hello(hello(authid), PLAIN))
        assert found.value.error == "wamp.error.invalid_argument"


def test_the_promised_session_id_is_not_another_s() -> None:
    router = routed()
    peer = router.peer()
    text = challenged(peer)["challenge"]
    promised = json.loads(text)["session"]
    router.realm.realm.sessions[promised] = peer.session
    (welcome,) = peer.say(5, cra("the secret of ann", text), {})
    assert welcome[1] != promised
    del router.realm.realm.sessions[promised]
