"""The authmethods wamp-scram and scram: RFC 7677's own numbers, every way of deriving keys, channels, and refusals."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest
from unit.authentication.proving import (
    CHANNEL,
    PLAIN,
    SECURE,
    ScramClient,
    Table,
    authenticators,
    credentials,
    hello,
    routed,
    tampered,
)
from unit.core.routed import Peer, outcome_of

from wampgate.authentication import scram
from wampgate.authentication.derivation import keys_of, salted_password, scram_secret
from wampgate.authentication.sources import Asked
from wampgate.core.errors import JoinRefused
from wampgate.core.interfaces import Challenge, Connection, Principal

DENIED = "wamp.error.authentication_denied"
EXPORTER = ("tls-exporter", CHANNEL)

# RFC 7677, section 3.
RFC_SECTION = {"kdf": "pbkdf2", "salt": "W22ZaJ0SNY7soEsUEjb6gQ==", "iterations": 4096}
RFC_CLIENT_NONCE = "rOprNGfwEbeRWgbNEkqO"
RFC_NONCE = f"{RFC_CLIENT_NONCE}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
RFC_PROOF = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
RFC_VERIFIER = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_the_numbers_of_rfc_7677() -> None:
    client_key, server_key = keys_of(salted_password("pencil", RFC_SECTION))
    secret = RFC_SECTION | {
        "stored_key": b64encode(sha256(client_key).digest()).decode(),
        "server_key": b64encode(server_key).decode(),
    }
    exchange = scram.Exchange(Asked(credentials("user", secret)), "user", RFC_CLIENT_NONCE, None)
    challenge = Challenge("wamp-scram", {"nonce": RFC_NONCE, **RFC_SECTION}, private=exchange)
    principal = outcome_of(
        authenticators()["wamp-scram"].authenticate(hello("user"), challenge, RFC_PROOF, {"nonce": RFC_NONCE})
    )
    assert principal.authid == "user"
    assert principal.extra == {"verifier": RFC_VERIFIER}


def exchanged(client: ScramClient, authid: str, connection: Connection = PLAIN, **options: Any) -> Principal:
    """A whole exchange; what the router makes of the client."""
    authenticator = authenticators(**options)["wamp-scram"]
    details = hello(authid, **client.authextra)
    challenge = outcome_of(authenticator.hello(details, connection))
    signature, extra = client.answer(challenge.extra)
    principal: Principal = outcome_of(authenticator.authenticate(details, challenge, signature, extra))
    return principal


@pytest.mark.parametrize("authid", ["ann", "argon"])
def test_both_sides_prove_that_they_know_the_password(authid: str) -> None:
    client = ScramClient(authid, "pencil")
    principal = exchanged(client, authid)
    assert (principal.authid, principal.authrole, principal.authmethod) == (authid, "client", "wamp-scram")
    assert principal.extra == {"verifier": client.verifier}


@pytest.mark.parametrize("authid", ["ann", "argon"])
def test_a_wrong_password(authid: str) -> None:
    with pytest.raises(JoinRefused) as found:
        exchanged(ScramClient(authid, "Pencil"), authid)
    assert (found.value.error, found.value.message) == (DENIED, "the credentials are not accepted")
    assert found.value.log == f"wrong proof for {authid!r}"


def test_the_challenge_has_all_that_the_specification_asks_for() -> None:
    challenge = outcome_of(authenticators()["wamp-scram"].hello(hello("ann", nonce="egVDf3DMJh0="), PLAIN))
    assert set(challenge.extra) == {"nonce", "salt", "kdf", "iterations", "memory"}
    assert (challenge.extra["kdf"], challenge.extra["iterations"], challenge.extra["memory"]) == ("pbkdf2", 10, None)
    assert len(challenge.extra["nonce"]) == len("egVDf3DMJh0=") + 24


def test_keys_show_nowhere() -> None:
    challenge = outcome_of(authenticators()["wamp-scram"].hello(hello("ann", nonce="egVDf3DMJh0="), PLAIN))
    for key in ("stored_key", "server_key"):
        assert str(challenge.private.asked.credentials.secret[key]) not in f"{challenge!r} {challenge.extra}"


@pytest.mark.parametrize("name", ["joe, the =second", "Ⅸ\N{SOFT HYPHEN}"])
def test_names_are_escaped_and_normalized(name: str) -> None:
    normal = {"Ⅸ\N{SOFT HYPHEN}": "IX"}.get(name, name)
    source = Table(("scram", credentials(normal, scram_secret("pencil", kdf="pbkdf2", iterations=1), provider="store")))
    authenticator = authenticators(source)["wamp-scram"]
    client = ScramClient(name, "pencil")
    details = hello(name, **client.authextra)
    challenge = outcome_of(authenticator.hello(details, PLAIN))
    principal = outcome_of(authenticator.authenticate(details, challenge, *client.answer(challenge.extra)))
    assert (principal.authid, principal.authprovider) == (normal, "store")


@pytest.mark.parametrize("nonce", [None, "", 7, "not base64", "egVDf3DMJh0", "egVD f3DMJh0=", "A" * 260])
def test_a_nonce_is_needed(nonce: Any) -> None:
    with pytest.raises(JoinRefused) as found:
        outcome_of(authenticators()["wamp-scram"].hello(hello("ann", nonce=nonce), PLAIN))
    assert found.value.error == "wamp.error.invalid_argument"


@pytest.mark.parametrize("authid", [None, "", "tab\tbed", "x" * 257])
def test_a_name_is_needed(authid: str | None) -> None:
    with pytest.raises(JoinRefused) as found:
        outcome_of(authenticators()["wamp-scram"].hello(hello(authid, nonce="egVDf3DMJh0="), PLAIN))
    assert found.value.error == "wamp.error.invalid_argument"


# --- through a router ---


def challenged(peer: Peer, client: ScramClient, authid: str = "ann", method: str = "wamp-scram") -> dict[str, Any]:
    (message,) = peer.hello(authmethods=[method], authid=authid, authextra=client.authextra)
    assert message[:2] == [4, method], message
    extra: dict[str, Any] = message[2]
    return extra


def test_welcome_brings_the_verifier() -> None:
    peer, client = routed().peer(), ScramClient("ann", "pencil")
    (welcome,) = peer.say(5, *client.answer(challenged(peer, client)))
    assert welcome[0] == 2
    assert welcome[2]["authextra"]["verifier"] == client.verifier
    assert welcome[2]["authmethod"] == "wamp-scram"


def test_wrong_proofs() -> None:
    router = routed(guesses=100)
    peer, client = router.peer(), ScramClient("ann", "pencil")
    right, _ = client.answer(challenged(peer, client))
    for wrong in tampered(right):
        peer = router.peer()
        extra = client.extra(challenged(peer, client)["nonce"])
        assert peer.say(5, wrong.encode("utf-8", "replace").decode(), extra)[0][2] == DENIED


def test_a_proof_is_good_for_its_own_exchange_only() -> None:
    router = routed()
    client = ScramClient("ann", "pencil")
    first, second, third = (router.peer() for _ in range(3))
    # The same nonce of the client each time: the router's makes the difference.
    signature, extra = client.answer(challenged(first, client))
    other = challenged(second, client)
    assert second.say(5, signature, extra)[0][2] == DENIED
    assert router.records[-1][1]["because"] == "the nonce is another exchange's"
    challenged(third, client)
    assert third.say(5, signature, client.extra(other["nonce"]))[0][2] == DENIED
    assert first.say(5, signature, extra)[0][0] == 2


def test_nobody_is_answered_like_somebody() -> None:
    router = routed()
    client = ScramClient("nobody", "pencil")
    shown = [challenged(router.peer(), client, "nobody") for _ in range(3)]
    assert len({str({**extra, "nonce": ""}) for extra in shown}) == 1
    assert len({challenged(router.peer(), client, f"n{number}")["salt"] for number in range(20)}) == 20
    kdfs = {challenged(router.peer(), client, f"n{number}")["kdf"] for number in range(64)}
    assert kdfs == {"pbkdf2", "argon2id13"}
    peer = router.peer()
    extra = challenged(peer, client, "nobody")
    (abort,) = peer.say(5, *client.answer(extra))
    assert (abort[2], abort[1]) == (DENIED, {"message": "the credentials are not accepted"})


# --- channel binding ---


@pytest.mark.parametrize("binding", [EXPORTER, ("tls-unique", b"f" * 12)])
def test_an_exchange_is_bound_to_its_channel(binding: tuple[str, bytes]) -> None:
    client = ScramClient("ann", "pencil", binding=binding)
    assert exchanged(client, "ann", SECURE).extra == {"verifier": client.verifier}


def test_another_channel_s_data() -> None:
    with pytest.raises(JoinRefused) as found:
        exchanged(ScramClient("ann", "pencil", binding=("tls-exporter", bytes(32))), "ann", SECURE)
    assert found.value.log == "the channel binding data is another channel's"


@pytest.mark.parametrize(
    ("name", "connection"),
    [
        *((name, PLAIN) for name in ("tls-unique", "tls-exporter", "tls-server-end-point", "y", "", 1)),
        *((name, SECURE) for name in ("tls-server-end-point", "y", "", 1, ["tls-exporter"])),
    ],
)
def test_a_binding_that_is_not_there_is_refused_not_left_out(name: Any, connection: Connection) -> None:
    with pytest.raises(JoinRefused) as found:
        outcome_of(
            authenticators()["wamp-scram"].hello(hello("ann", nonce="egVDf3DMJh0=", channel_binding=name), connection)
        )
    assert found.value.error == "wamp.error.feature_not_supported"


@pytest.mark.parametrize(
    ("asked", "signed"), [(None, EXPORTER), (EXPORTER, None), (EXPORTER, ("tls-unique", b"f" * 12))]
)
def test_whoever_stands_between_can_not_take_the_binding_away(
    asked: tuple[str, bytes] | None, signed: tuple[str, bytes] | None
) -> None:
    """HELLO, AUTHENTICATE.Extra, or both are changed on the way: what was signed is something else then."""
    authenticator = authenticators()["wamp-scram"]
    arrives, client = ScramClient("ann", "pencil", binding=asked), ScramClient("ann", "pencil", binding=signed)
    details = hello("ann", **arrives.authextra)
    challenge = outcome_of(authenticator.hello(details, SECURE))
    signature, extra = client.answer(challenge.extra)
    for changed in (extra, arrives.extra(challenge.extra["nonce"])):
        with pytest.raises(JoinRefused) as found:
            outcome_of(authenticator.authenticate(details, challenge, signature, changed))
        assert found.value.error == DENIED


def test_a_binding_can_be_required() -> None:
    with pytest.raises(JoinRefused) as found:
        exchanged(ScramClient("ann", "pencil"), "ann", SECURE, binding_required=True)
    assert found.value.error == "wamp.error.feature_not_supported"
    assert "tls-exporter, tls-unique" in found.value.message
    client = ScramClient("ann", "pencil", binding=EXPORTER)
    assert exchanged(client, "ann", SECURE, binding_required=True).authid == "ann"


# --- the two ways ---


def test_keys_of_one_way_open_nothing_in_the_other() -> None:
    router = routed()
    for authid, method in (("ann", "scram"), ("bahn", "wamp-scram")):
        peer, client = router.peer(), ScramClient(authid, "pencil")
        challenge = challenged(peer, client, authid, method)
        assert challenge["kdf"] == ("argon2id-13" if method == "scram" else challenge["kdf"])
        assert peer.say(5, *client.answer(challenge))[0][2] == DENIED
        assert "does not speak" in str(router.records[-1][1]["because"])


def test_a_store_s_rows_that_hold_no_keys_open_nothing() -> None:
    section = scram_secret("pencil", kdf="pbkdf2", iterations=1) | {"stored_key": "?", "server_key": ""}
    source = Table(("scram", credentials("broken", section, provider="store")))
    peer, client = routed(source).peer(), ScramClient("broken", "pencil")
    assert peer.say(5, *client.answer(challenged(peer, client, "broken")))[0][2] == DENIED
