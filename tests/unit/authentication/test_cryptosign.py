"""The authmethod cryptosign: the specification's own vectors, channels, and every answer that is not the key's."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from unit.authentication.proving import (
    CHANNEL,
    KEY,
    OTHER_KEY,
    PLAIN,
    SECURE,
    Table,
    authenticators,
    credentials,
    hello,
    public,
    routed,
    sign,
)
from unit.core.routed import Peer, outcome_of

from wampgate.authentication.cryptosign import is_signature
from wampgate.core.errors import JoinRefused

if TYPE_CHECKING:
    from wampgate.core.interfaces import Challenge, Connection, Principal

DENIED = "wamp.error.authentication_denied"

# "Test Vectors": channel id, private key, challenge, signature.
VECTORS = [
    (
        None,
        "4d57d97a68f555696620a6d849c0ce582568518d729eb753dc7c732de2804510",
        "f" * 64,
        "b32675b221f08593213737bef8240e7c15228b07028e19595294678c90d11c0cae80a357331bfc5cc9fb71081464e6e7"
        "5013517c2cf067ad566a6b7b728e5d03" + "f" * 64,
    ),
    (
        None,
        "d511fe78e23934b3dadb52fcd022974b80bd92bccc7c5cf404e46cc0a8a2f5cd",
        "b26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d",
        "d4209ad10d5aff6bfbc009d7e924795de138a63515efc7afc6b01b7fe5201372190374886a70207b042294af5bd64ce7"
        "25cd8dceb344e6d11c09d1aaaf4d660fb26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d",
    ),
    (
        None,
        "6e1fde9cf9e2359a87420b65a87dc0c66136e66945196ba2475990d8a0c3a25b",
        "b05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2",
        "7beb282184baadd08f166f16dd683b39cab53816ed81e6955def951cb2ddad1ec184e206746fd82bda075af03711d3d5"
        "658fc84a76196b0fa8d1ebc92ef9f30bb05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2",
    ),
    (
        "62e935ae755f3d48f80d4d59f6121358c435722a67e859cc0caa8b539027f2ff",
        "4d57d97a68f555696620a6d849c0ce582568518d729eb753dc7c732de2804510",
        "f" * 64,
        "9b6f41540c9b95b4b7b281c3042fa9c54cef43c842d62ea3fd6030fcb66e70b3e80d49d44c29d1635da9348d02ec93f3"
        "ed1ef227dfb59a07b580095c2b82f80f9d16ca518aa0c2b707f2b2a609edeca73bca8dd59817a633f35574ac6fd80d00",
    ),
    (
        "62e935ae755f3d48f80d4d59f6121358c435722a67e859cc0caa8b539027f2ff",
        "d511fe78e23934b3dadb52fcd022974b80bd92bccc7c5cf404e46cc0a8a2f5cd",
        "b26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d",
        "305aaa3ac25e98f651427688b3fc43fe7d8a68a7ec1d7d61c61517c519bd4a427c3015599d83ca28b4c652333920223844ef0725eb5dc2fe"
        "bfd6af7677b73f01d0852a29b460fc92ec943242ac638a053bbacc200512b18b30d15083cbdc9282",
    ),
    (
        "62e935ae755f3d48f80d4d59f6121358c435722a67e859cc0caa8b539027f2ff",
        "6e1fde9cf9e2359a87420b65a87dc0c66136e66945196ba2475990d8a0c3a25b",
        "b05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2",
        "ee3c7644fd8070532bc1fde3d70d742267da545d8c8f03e63bda63f1ad4214f4d2c4bfdb4eb9526def42deeb7e31602a6ff99eba893e0a4a"
        "d4d45892ca75e608d2b75e24a189a7f78ca776ba36fc53f6c3e31c32f251f2c524f0a44202f2902d",
    ),
]


@pytest.mark.parametrize(("channel", "private", "challenge", "signature"), VECTORS)
def test_the_specification_s_vectors(channel: str | None, private: str, challenge: str, signature: str) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private))
    bound = None if channel is None else bytes.fromhex(channel)
    message = bytes(a ^ b for a, b in zip(bytes.fromhex(challenge), bound or bytes(32), strict=True))
    assert is_signature(signature, public(key), message)
    assert sign(key, challenge, bound) == signature


def test_the_vectors_are_not_all_alike() -> None:
    assert not is_signature(VECTORS[0][3], public(KEY), b"\xff" * 32)
    assert not is_signature(
        VECTORS[3][3], public(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS[3][1]))), b"\xff" * 32
    )


def challenge_of(connection: Connection = PLAIN, authid: str | None = None, **authextra: Any) -> Challenge:
    details = hello(authid, **{"pubkey": public(KEY)} | authextra)
    made: Challenge = outcome_of(authenticators()["cryptosign"].hello(details, connection))
    return made


def answered(challenge: Challenge, signature: str) -> Principal:
    made: Principal = outcome_of(authenticators()["cryptosign"].authenticate(hello(), challenge, signature, {}))
    return made


@pytest.mark.parametrize("authid", [None, "ann"])
@pytest.mark.parametrize("spelled", [str.lower, str.upper])
def test_the_key_is_enough(authid: str | None, spelled: Any) -> None:
    challenge = challenge_of(authid=authid, pubkey=spelled(public(KEY)))
    assert challenge.extra["channel_binding"] is None
    principal = answered(challenge, spelled(sign(KEY, challenge.extra["challenge"])))
    assert (principal.authid, principal.authrole, principal.authmethod) == ("ann", "client", "cryptosign")


def test_each_challenge_is_another() -> None:
    assert len({challenge_of().extra["challenge"] for _ in range(100)}) == 100


@pytest.mark.parametrize("pubkey", [None, "", 7, "x" * 64, "ab" * 31, "ab" * 33, "é" * 64])
def test_a_key_is_needed(pubkey: Any) -> None:
    with pytest.raises(JoinRefused) as found:
        challenge_of(pubkey=pubkey)
    assert found.value.error == "wamp.error.invalid_argument"


# --- through a router ---


def challenged(peer: Peer, key: Ed25519PrivateKey = KEY, **details: Any) -> str:
    (message,) = peer.hello(authmethods=["cryptosign"], authextra={"pubkey": public(key)}, **details)
    assert message[:2] == [4, "cryptosign"], message
    return str(message[2]["challenge"])


def denied(peer: Peer, signature: str) -> None:
    (abort,) = peer.say(5, signature, {})
    assert (abort[0], abort[2], abort[1]) == (3, DENIED, {"message": "the credentials are not accepted"})


def test_wrong_signatures() -> None:
    router = routed(guesses=100)
    right = sign(KEY, "ab" * 32)
    for wrong in (right, right[:-2], right + "00", "", "x" * 192, right[:128] + "ab" * 32, "00" * 96, "é" * 192):
        peer = router.peer()
        challenged(peer)
        denied(peer, wrong)
    peer = router.peer()
    denied(peer, sign(OTHER_KEY, challenged(peer)))


def test_a_right_signature_with_another_message_behind_it() -> None:
    peer = routed().peer()
    signature = sign(KEY, challenged(peer))
    denied(peer, signature[:128] + "00" * 32)


def test_a_signature_is_good_for_its_own_challenge_only() -> None:
    router = routed()
    first, second = router.peer(), router.peer()
    signature = sign(KEY, challenged(first))
    challenged(second)
    denied(second, signature)
    assert first.say(5, signature, {})[0][0] == 2


def test_a_key_that_nobody_has_is_answered_like_one_that_somebody_has() -> None:
    router = routed()
    peer = router.peer()
    # The signature is right: it is not by that that it opens nothing.
    denied(peer, sign(OTHER_KEY, challenged(peer, OTHER_KEY)))
    assert router.records[-1][1]["because"] == f"no cryptosign credentials are known of the key {public(OTHER_KEY)}"


def test_another_s_authid_with_one_s_own_key() -> None:
    peer = routed().peer()
    denied(peer, sign(KEY, challenged(peer, authid="backend")))


def test_a_source_that_does_not_look_at_the_key_gives_nothing_away() -> None:
    source = Table(("cryptosign", credentials("joe", {"public_key": public(KEY)}, provider="store")))
    peer = routed(source).peer()
    denied(peer, sign(OTHER_KEY, challenged(peer, OTHER_KEY, authid="joe")))


# --- channel binding ---


@pytest.mark.parametrize(("name", "channel"), [("tls-exporter", CHANNEL), ("tls-unique", sha256(b"f" * 12).digest())])
def test_a_challenge_is_bound_to_its_channel(name: str, channel: bytes) -> None:
    challenge = challenge_of(SECURE, channel_binding=name)
    assert challenge.extra["channel_binding"] == name
    assert answered(challenge, sign(KEY, challenge.extra["challenge"], channel)).authid == "ann"


@pytest.mark.parametrize("channel", [None, bytes(32), CHANNEL[::-1]])
def test_what_is_signed_over_another_channel_opens_nothing(channel: bytes | None) -> None:
    challenge = challenge_of(SECURE, channel_binding="tls-exporter")
    with pytest.raises(JoinRefused) as found:
        answered(challenge, sign(KEY, challenge.extra["challenge"], channel))
    assert found.value.error == DENIED


def test_a_client_that_binds_is_not_taken_for_one_that_does_not() -> None:
    challenge = challenge_of(SECURE)
    with pytest.raises(JoinRefused):
        answered(challenge, sign(KEY, challenge.extra["challenge"], CHANNEL))


@pytest.mark.parametrize("name", ["tls-exporter", "tls-server-end-point", "", 1])
def test_a_binding_that_is_not_there_is_refused_not_left_out(name: Any) -> None:
    with pytest.raises(JoinRefused) as found:
        challenge_of(PLAIN, channel_binding=name)
    assert found.value.error == "wamp.error.feature_not_supported"


def test_a_binding_can_be_required() -> None:
    authenticator = authenticators(binding_required=True)["cryptosign"]
    with pytest.raises(JoinRefused) as found:
        outcome_of(authenticator.hello(hello(pubkey=public(KEY)), SECURE))
    assert found.value.error == "wamp.error.feature_not_supported"
