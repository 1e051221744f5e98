"""wampcra, scram and cryptosign against a running router: over each serializer and transport, and bound to TLS."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from OpenSSL import SSL
from raw_rawsocket import RawPeer
from raw_wamp import SERIALIZERS, Peer
from router_process import RouterProcess
from unit.authentication.proving import KEY, OTHER_KEY, ScramClient, cra, public, sign

from wampgate.authentication.cryptosign import channel_id
from wampgate.authentication.derivation import scram_secret, wampcra_secret

from .authorities import Authority, ChannelContext, client_context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raw_wamp import Wamp

SALTED = wampcra_secret("password", iterations=100)
METHODS: dict[str, Any] = {
    "wampcra": {},
    "scram": {},
    "cryptosign": {},
    "principals": [
        {
            "authid": "ann",
            "role": "client",
            "wampcra": {"secret": "${CANARY}"},
            "scram": scram_secret("pencil", iterations=1, memory=64),
            "cryptosign": {"public_keys": [public(OTHER_KEY), public(KEY)]},
        },
        {"authid": "salty", "role": "client", "wampcra": SALTED},
        {"authid": "classic", "role": "client", "scram": scram_secret("pencil", kdf="pbkdf2", iterations=100)},
    ],
}
CANARY = "canary-77c3-secret-of-ann"
DENIED = "wamp.error.authentication_denied"
TLS_1_2 = (SSL.TLS1_2_VERSION, "tls-unique")
TLS_1_3 = (SSL.TLS1_3_VERSION, "tls-exporter")


def configuration(endpoint: str = "tcp:0:interface=127.0.0.1", **authentication: Any) -> dict[str, Any]:
    realm = {"name": "realm1", "authentication": METHODS | authentication}
    return {"listen": [{"endpoint": endpoint}], "realms": [realm]}


@pytest.fixture(scope="module")
def plain() -> Iterator[RouterProcess]:
    with RouterProcess(configuration(), environ={"CANARY": CANARY}) as process:
        yield process
        log = process.log()
        assert CANARY not in log
        assert SALTED["secret"] not in log


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "ca")


@pytest.fixture(scope="module")
def endpoint(authority: Authority) -> str:
    server = authority.issue("server", names=[x509.DNSName("localhost")])
    return f"ssl:0:privateKey={server.key}:certKey={server.pem}:interface=127.0.0.1"


@pytest.fixture(scope="module")
def secure(endpoint: str) -> Iterator[RouterProcess]:
    with RouterProcess(configuration(endpoint), environ={"CANARY": CANARY}) as process:
        yield process


def challenged(peer: Wamp, method: str, authid: str | None = None, **authextra: Any) -> dict[str, Any]:
    named = {} if authid is None else {"authid": authid}
    peer.hello(authmethods=[method], authextra=authextra, **named)
    message = peer.receive()
    assert message[:2] == [4, method], message
    extra: dict[str, Any] = message[2]
    return extra


def welcomed(peer: Wamp, signature: str, extra: dict[str, Any] | None = None) -> dict[str, Any]:
    peer.send(5, signature, extra or {})
    message = peer.receive()
    assert message[0] == 2, message
    peer.session, peer.welcome = message[1], message[2]
    return peer.welcome


def prove(peer: Wamp, method: str, authid: str = "ann") -> None:
    """Join by a method, without a channel binding."""
    if method == "wampcra":
        challenge = challenged(peer, method, authid)
        welcome = welcomed(peer, cra(SALTED["secret"] if authid == "salty" else CANARY, challenge["challenge"]))
        assert peer.session == json.loads(challenge["challenge"])["session"]
    elif method == "cryptosign":
        challenge = challenged(peer, method, pubkey=public(KEY))
        welcome = welcomed(peer, sign(KEY, challenge["challenge"]))
    else:
        client = ScramClient(authid, "pencil")
        welcome = welcomed(peer, *client.answer(challenged(peer, method, authid, **client.authextra)))
        assert welcome["authextra"]["verifier"] == client.verifier
    assert (welcome["authid"], welcome["authrole"], welcome["authmethod"]) == (authid, "client", method)
    assert welcome["authprovider"] == "static"


WAYS = [
    ("wampcra", "ann"),
    ("wampcra", "salty"),
    ("wamp-scram", "ann"),
    ("wamp-scram", "classic"),
    ("cryptosign", "ann"),
]


@pytest.mark.parametrize("serializer", SERIALIZERS)
@pytest.mark.parametrize("kind", [Peer, RawPeer])
@pytest.mark.parametrize(("method", "authid"), WAYS)
def test_who_proves_it_is_in(plain: RouterProcess, kind: Any, serializer: str, method: str, authid: str) -> None:
    with kind(plain.port, serializer) as peer:
        prove(peer, method, authid)


@pytest.mark.parametrize("method", ["wampcra", "wamp-scram", "cryptosign"])
def test_what_one_saw_of_another_s_login_opens_nothing(plain: RouterProcess, method: str) -> None:
    """All that went over the wire is said again, in sessions of its own."""
    with Peer(plain.port) as honest, Peer(plain.port) as thief:
        client = ScramClient("ann", "pencil")
        authid = None if method == "cryptosign" else "ann"
        shown = {"pubkey": public(KEY)} if method == "cryptosign" else client.authextra
        challenge = challenged(honest, method, authid, **shown)
        if method == "wampcra":
            answer: tuple[str, dict[str, Any]] = (cra(CANARY, challenge["challenge"]), {})
        elif method == "cryptosign":
            answer = (sign(KEY, challenge["challenge"]), {})
        else:
            answer = client.answer(challenge)
        challenged(thief, method, authid, **shown)
        thief.send(5, *answer)
        assert thief.aborted()[0] == DENIED
        welcomed(honest, *answer)


@pytest.mark.parametrize("method", ["wampcra", "wamp-scram", "cryptosign"])
def test_nobody_is_refused_as_somebody_is(plain: RouterProcess, method: str) -> None:
    outcomes = []
    for authid, key in (("ann", OTHER_KEY), ("nobody", KEY)):
        with Peer(plain.port) as peer:
            client = ScramClient(authid, "wrong")
            shown = {"pubkey": public(key)} if method == "cryptosign" else client.authextra
            challenge = challenged(peer, method, authid, **shown)
            answer = client.answer(challenge) if method == "wamp-scram" else (cra("wrong", challenge["challenge"]), {})
            peer.send(5, *answer)
            abort = peer.receive()
            outcomes.append((sorted(challenge), abort))
    (known, refused_known), (unknown, refused_unknown) = outcomes
    # Some of ours have salted secrets, and so have some of those who are made up.
    assert unknown in (known, ["challenge", "iterations", "keylen", "salt"])
    assert refused_known == refused_unknown == [3, {"message": "the credentials are not accepted"}, DENIED]


# --- bound to the channel ---


@pytest.mark.parametrize(("version", "name"), [TLS_1_2, TLS_1_3])
@pytest.mark.parametrize("kind", [Peer, RawPeer])
def test_scram_is_bound_to_its_channel(secure: RouterProcess, kind: Any, version: int, name: str) -> None:
    for binding in (name, "tls-server-end-point"):
        context = ChannelContext(version)
        with kind(secure.port, tls=context) as peer:
            client = ScramClient("ann", "pencil", binding=(binding, context.binding(binding)))
            welcome = welcomed(peer, *client.answer(challenged(peer, "wamp-scram", "ann", **client.authextra)))
            assert welcome["authextra"]["verifier"] == client.verifier


@pytest.mark.parametrize(("version", "name"), [TLS_1_2, TLS_1_3])
@pytest.mark.parametrize("kind", [Peer, RawPeer])
def test_cryptosign_is_bound_to_its_channel(secure: RouterProcess, kind: Any, version: int, name: str) -> None:
    context = ChannelContext(version)
    with kind(secure.port, tls=context) as peer:
        challenge = challenged(peer, "cryptosign", pubkey=public(KEY), channel_binding=name)
        assert challenge["channel_binding"] == name
        channel = channel_id(name, context.binding(name))
        assert welcomed(peer, sign(KEY, challenge["challenge"], channel))["authid"] == "ann"


@pytest.mark.parametrize(("version", "name"), [TLS_1_2, TLS_1_3])
def test_whoever_stands_between_two_channels_can_not_pass_an_answer_on(
    secure: RouterProcess, version: int, name: str
) -> None:
    """The client is bound to its channel to the one in between, whose channel to the router is another one."""
    client_side = ChannelContext(version)
    with Peer(secure.port, tls=client_side):
        seen = client_side.binding(name)
    for method in ("wamp-scram", "cryptosign"):
        with Peer(secure.port, tls=ChannelContext(version)) as peer:
            if method == "wamp-scram":
                client = ScramClient("ann", "pencil", binding=(name, seen))
                peer.send(
                    1,
                    "realm1",
                    {"roles": {"caller": {}}, "authmethods": [method], "authid": "ann"}
                    | {"authextra": client.authextra},
                )
                answer = client.answer(peer.receive()[2])
            else:
                challenge = challenged(peer, method, pubkey=public(KEY), channel_binding=name)
                answer = (sign(KEY, challenge["challenge"], channel_id(name, seen)), {})
            peer.send(5, *answer)
            assert peer.aborted()[0] == DENIED


@pytest.mark.parametrize(("version", "name"), [TLS_1_2, TLS_1_3])
def test_a_binding_is_there_in_its_own_version_only(secure: RouterProcess, version: int, name: str) -> None:
    other = {"tls-unique": "tls-exporter", "tls-exporter": "tls-unique"}[name]
    for method, authid, shown in (
        ("wamp-scram", {"authid": "ann"}, {"nonce": "egVDf3DMJh0="}),
        ("cryptosign", {}, {"pubkey": public(KEY)}),
    ):
        with Peer(secure.port, tls=ChannelContext(version)) as peer:
            peer.hello(authmethods=[method], authextra=shown | {"channel_binding": other}, **authid)
            assert peer.aborted()[0] == "wamp.error.feature_not_supported"


def test_without_tls_there_is_no_binding(plain: RouterProcess) -> None:
    for name in ("tls-unique", "tls-exporter", "tls-server-end-point"):
        with Peer(plain.port) as peer:
            peer.hello(authmethods=["cryptosign"], authextra={"pubkey": public(KEY), "channel_binding": name})
            assert peer.aborted()[0] == "wamp.error.feature_not_supported"


@pytest.mark.parametrize(("version", "name"), [TLS_1_2, TLS_1_3])
def test_no_session_is_resumed(secure: RouterProcess, version: int, name: str) -> None:
    """In a resumed TLS session the first Finished message is the router's: tls-unique would be another one."""
    context = ChannelContext(version)
    with Peer(secure.port, tls=context) as peer:
        prove(peer, "wampcra")
        context.session = context.connection.get_session()
        secret = context.connection.master_key()
    with Peer(secure.port, tls=context) as peer:
        assert context.connection.master_key() != secret
        challenge = challenged(peer, "cryptosign", pubkey=public(KEY), channel_binding=name)
        welcomed(peer, sign(KEY, challenge["challenge"], channel_id(name, context.binding(name))))


def test_python_s_own_tls_agrees(secure: RouterProcess, authority: Authority) -> None:
    with Peer(secure.port, tls=client_context(authority.ca, version=ssl.TLSVersion.TLSv1_2)) as peer:
        tls: Any = peer.socket
        seen = tls.get_channel_binding("tls-unique")
        client = ScramClient("ann", "pencil", binding=("tls-unique", seen))
        welcomed(peer, *client.answer(challenged(peer, "wamp-scram", "ann", **client.authextra)))


def test_a_binding_can_be_required(endpoint: str) -> None:
    required = {"scram": {"channel_binding": "required"}, "cryptosign": {"channel_binding": "required"}}
    with RouterProcess(configuration(endpoint, **required), environ={"CANARY": CANARY}) as process:
        context = ChannelContext(SSL.TLS1_3_VERSION)
        with Peer(process.port, tls=context) as peer:
            peer.hello(authmethods=["cryptosign"], authextra={"pubkey": public(KEY)})
            assert peer.aborted()[0] == "wamp.error.feature_not_supported"
        context = ChannelContext(SSL.TLS1_3_VERSION)
        with Peer(process.port, tls=context) as peer:
            client = ScramClient("ann", "pencil", binding=("tls-exporter", context.binding("tls-exporter")))
            welcomed(peer, *client.answer(challenged(peer, "wamp-scram", "ann", **client.authextra)))
