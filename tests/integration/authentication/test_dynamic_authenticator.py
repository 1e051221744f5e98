"""A dynamic authenticator on a running router: every method, in its own realm and another, and when it fails."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from callee import SILENCE, Callee, ProcedureError
from conftest import principal, rule, ticket_of
from cryptography import x509
from raw_rawsocket import RawPeer
from raw_wamp import SERIALIZERS, Aborted, Peer, WampError
from raw_websocket import Closed
from router_process import RouterProcess
from unit.authentication.proving import KEY, ScramClient, cra, public, sign

from wampgate.authentication.derivation import scram_secret, wampcra_secret

from .authorities import Authority, client_context

if TYPE_CHECKING:
    from collections.abc import Iterator

ASK = "com.example.authenticate"
CANARY = "canary-ticket-51f0"
SALTED = wampcra_secret("password", iterations=100)
SCRAM = scram_secret("pencil", kdf="pbkdf2", iterations=100)
METHODS = ["ticket", "wampcra", "scram", "cryptosign", "anonymous"]
DENIED = "wamp.error.authentication_denied"


def configuration(endpoint: str = "tcp:0:interface=127.0.0.1", **more: Any) -> dict[str, Any]:
    """Clients join ``realm1``; the procedure is registered there, or in the realm ``inside``."""
    dynamic = {"procedure": ASK, "methods": METHODS, "deadline_seconds": 1} | more.pop("dynamic", {})
    rules = [
        rule("backend", ["register"], ASK),
        rule("backend", ["call"], "wampgate.sessions.kill"),
        rule("member", ["subscribe"], "com.example.", "prefix"),
    ]
    methods = {"wampcra": {}, "scram": {}, "cryptosign": {}} | more.pop("methods", {})
    home = {
        "name": "realm1",
        "authentication": {"principals": [principal("backend", "backend")], "dynamic": dynamic} | methods,
        "authorization": {"rules": rules},
    }
    inside = {
        "name": "inside",
        "authentication": {"principals": [principal("backend", "backend")]},
        "authorization": {"rules": rules[:1]},
    }
    return {"listen": [{"endpoint": endpoint}], "realms": [home, inside]} | more


def authenticate(realm: str, authid: str | None, details: dict[str, Any]) -> Any:
    """A backend's own idea of who is who."""
    method = details["authmethod"]
    if method == "ticket":
        return by_ticket(details["ticket"])
    if method == "anonymous":
        return "guest" if details["authextra"].get("invitation") == 7 else None
    if method == "cryptosign":
        known = details["key"] == public(KEY)
        return {"authid": "ann", "role": "member", "pubkey": details["key"]} if known else None
    if method == "tls":
        subject = details["transport"]["client_cert"]["subject"]
        return {"authid": subject.removeprefix("CN="), "role": "member"} if subject.startswith("CN=m") else None
    if authid != "ann":
        return None
    secret = SALTED if method == "wampcra" else SCRAM
    return {"role": "member", "user": "42", "extra": {"plan": "gold"}, "expires_in": 60} | secret


def by_ticket(ticket: str) -> Any:
    if ticket == "slow":
        return SILENCE
    if ticket == "nonsense":
        return {"role": "member", "authid": "ann", "exipres_in": 60}
    if ticket == "refused":
        raise ProcedureError("com.example.no_such_ticket")
    if ticket == "broken":
        raise ProcedureError("wamp.error.runtime_error")
    if ticket == "two seconds":
        return {"role": "member", "authid": "shortlived", "expires_in": 2}
    return {"role": "member", "authid": "ann", "user": "42"} if ticket == "good" else None


@pytest.fixture(scope="module")
def router() -> Iterator[RouterProcess]:
    with RouterProcess(configuration()) as process:
        yield process
        assert CANARY not in process.log()


@pytest.fixture(scope="module")
def backend(router: RouterProcess) -> Iterator[Callee]:
    with Callee(Peer(router.port).join(ticket_of("backend")), {ASK: authenticate}) as callee:
        yield callee


def proved(peer: Any, method: str) -> dict[str, Any]:
    """Join as ann by a method; WELCOME's details."""
    client = ScramClient("ann", "pencil")
    shown = {"cryptosign": {"pubkey": public(KEY)}, "wamp-scram": client.authextra}.get(method, {})
    named = {} if method == "cryptosign" else {"authid": "ann"}
    peer.hello(authmethods=[method], authextra=shown, **named)
    challenge = peer.receive()
    assert challenge[:2] == [4, method], challenge
    extra = challenge[2]
    if method == "wampcra":
        peer.send(5, cra(SALTED["secret"], extra["challenge"]), {})
    elif method == "cryptosign":
        peer.send(5, sign(KEY, extra["challenge"]), {})
    else:
        peer.send(5, *client.answer(extra))
    welcome = peer.receive()
    assert welcome[0] == 2, welcome
    details: dict[str, Any] = welcome[2]
    return details


@pytest.mark.parametrize("kind", [Peer, RawPeer])
@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_a_ticket(router: RouterProcess, backend: Callee, kind: Any, serializer: str) -> None:
    with kind(router.port, serializer) as peer:
        welcome = peer.join("good").welcome
        assert (welcome["authid"], welcome["authrole"], welcome["authprovider"]) == ("ann", "member", "dynamic")
        peer.subscribe("com.example.news")
        with pytest.raises(WampError, match="not_authorized"):
            peer.subscribe("org.example.news")


def test_what_the_backend_is_told(router: RouterProcess, backend: Callee) -> None:
    header = ("User-Agent", "a test")
    with Peer(router.port, headers=[header]) as peer:
        peer.join("good", authid="someone", authextra={"device": 7})
    realm, authid, details = backend.asked[-1]
    transport = details.pop("transport")
    assert transport.pop("peer").startswith("127.0.0.1:")
    assert transport == {"address": "127.0.0.1", "secure": False, "agent": "a test", "client_cert": None}
    assert (realm, authid) == ("realm1", "someone")
    assert details == {
        "authmethod": "ticket",
        "authextra": {"device": 7},
        "ticket": "good",
    }


def test_a_ticket_in_the_header_s_authorization(router: RouterProcess, backend: Callee) -> None:
    with Peer(router.port, headers=[("Authorization", "Bearer good")]) as peer:
        assert peer.join().welcome["authprovider"] == "dynamic"
    _, _, details = backend.asked[-1]
    assert details["ticket"] == "good"
    assert "Bearer" not in str(details)


@pytest.mark.parametrize("method", ["wampcra", "wamp-scram", "cryptosign"])
def test_methods_that_check_a_secret_themselves(router: RouterProcess, backend: Callee, method: str) -> None:
    with Peer(router.port) as peer:
        welcome = proved(peer, method)
        assert (welcome["authid"], welcome["authrole"], welcome["authmethod"]) == ("ann", "member", method)
        assert welcome["authprovider"] == "dynamic"
        assert welcome["authextra"].get("plan") == (None if method == "cryptosign" else "gold")


def test_a_wrong_secret_and_an_unknown_name_look_the_same(router: RouterProcess, backend: Callee) -> None:
    seen = []
    for authid in ("ann", "nobody"):
        with Peer(router.port) as peer:
            peer.hello(authmethods=["wampcra"], authid=authid)
            assert peer.receive()[0] == 4
            peer.send(5, "wrong", {})
            seen.append(peer.aborted())
    assert seen[0] == seen[1] == (DENIED, 1008)


def test_certificates(tmp_path_factory: pytest.TempPathFactory) -> None:
    authority = Authority(tmp_path_factory.mktemp("authority"), "ca")
    server = authority.issue("server", names=[x509.DNSName("localhost")])
    member, stranger = authority.issue("member", common="mona"), authority.issue("stranger", common="eve")
    endpoint = f"ssl:0:privateKey={server.key}:certKey={server.pem}:interface=127.0.0.1"
    made = configuration(endpoint, dynamic={"methods": ["tls"]}, methods={"tls": {}})
    made["listen"][0]["client_certificates"] = {"ca_file": str(authority.ca)}
    with RouterProcess(made) as process:
        backend = Peer(process.port, tls=client_context(authority.ca)).join(ticket_of("backend"))
        with Callee(backend, {ASK: authenticate}) as callee:
            with Peer(process.port, tls=client_context(authority.ca, member)) as peer:
                welcome = peer.join(authmethods=["tls"]).welcome
                assert (welcome["authid"], welcome["authmethod"]) == ("mona", "tls")
            told = callee.asked[-1][2]["transport"]
            assert told["client_cert"] == {"fingerprint": member.fingerprint, "subject": "CN=mona"}
            assert told["secure"] is True
            with Peer(process.port, tls=client_context(authority.ca, stranger)) as peer:
                peer.hello(authmethods=["tls"])
                assert peer.aborted()[0] == DENIED


def test_without_a_name(router: RouterProcess, backend: Callee) -> None:
    with Peer(router.port) as peer:
        welcome = peer.join(authextra={"invitation": 7}).welcome
        assert (welcome["authrole"], welcome["authmethod"]) == ("guest", "anonymous")
    with Peer(router.port) as peer, pytest.raises(Aborted) as caught:
        peer.join()
    assert caught.value.reason == DENIED


@pytest.mark.parametrize("ticket", ["unknown", "refused", CANARY])
def test_who_is_refused(router: RouterProcess, backend: Callee, ticket: str) -> None:
    with Peer(router.port) as peer, pytest.raises(Aborted) as caught:
        peer.join(ticket)
    assert caught.value.reason == DENIED
    router.wait_for_log(f"{ASK} knows no such ticket")


@pytest.mark.parametrize(
    ("ticket", "why"),
    [
        ("slow", "it did not answer within 1 s"),
        ("nonsense", "answers nonsense: unknown field 'exipres_in'"),
        ("broken", "it failed with wamp.error.runtime_error"),
    ],
)
def test_when_it_can_not_say_nobody_gets_in_and_may_come_back(
    router: RouterProcess, backend: Callee, ticket: str, why: str
) -> None:
    begun = time.monotonic()
    with Peer(router.port) as peer, pytest.raises(Closed) as caught:
        peer.join(ticket)
    assert caught.value.args[0] == 1013
    assert time.monotonic() - begun < 3
    router.wait_for_log(f"the dynamic authenticator {ASK}")
    router.wait_for_log(why)


def test_a_session_ends_when_its_answer_said(router: RouterProcess, backend: Callee) -> None:
    with Peer(router.port) as peer:
        peer.join("two seconds")
        begun = time.monotonic()
        message = peer.receive()
        assert (message[0], message[2]) == (6, "wampgate.close.token_expired")
        assert 1 < time.monotonic() - begun < 4


def test_a_session_goes_on_with_another_ticket_as_the_same_one(router: RouterProcess, backend: Callee) -> None:
    with Peer(router.port) as peer:
        peer.join("good")
        assert peer.call("wampgate.auth.refresh", ["good"]) is None
        assert backend.asked[-1][1:] == [
            "ann",
            {"authmethod": "ticket", "authextra": {}, "transport": None, "ticket": "good"},
        ]
        with pytest.raises(WampError, match="authentication_denied"):
            peer.call("wampgate.auth.refresh", ["two seconds"])
        peer.subscribe("com.example.news")


def test_guesses_are_counted_and_honest_ones_elsewhere_get_in() -> None:
    limits = {"failed_logins_per_address_per_minute": 5}
    with (
        RouterProcess(configuration(limits=limits)) as process,
        Callee(Peer(process.port).join(ticket_of("backend")), {ASK: authenticate}) as callee,
    ):
        for number in range(8):
            with Peer(process.port) as peer, pytest.raises(Aborted):
                peer.join(f"guess {number}")
        for _ in range(4):
            with Peer(process.port) as peer, pytest.raises(Aborted):
                peer.join()
        assert len(callee.asked) == 5


def test_it_is_in_another_realm() -> None:
    with RouterProcess(configuration(dynamic={"realm": "inside"})) as process:
        with Peer(process.port) as peer, pytest.raises(Closed):
            peer.join("good")
        process.wait_for_log("nobody has registered it")
        # In the realm of the clients it answers nothing, even to whom the rules let register it there.
        astray = Callee(Peer(process.port).join(ticket_of("backend")), {ASK: authenticate})
        home = Callee(Peer(process.port).join(ticket_of("backend"), realm="inside"), {ASK: authenticate})
        with astray, home, Peer(process.port) as peer:
            assert peer.join("good").welcome["authid"] == "ann"
            assert (len(astray.asked), len(home.asked)) == (0, 1)
            assert home.asked[0][0] == "realm1"
        with Peer(process.port) as peer, pytest.raises(Closed):
            peer.join("good")


def test_one_that_joined_by_it_can_be_ended(router: RouterProcess) -> None:
    """By a backend of its own: the shared one's connection is read by its thread."""
    with RouterProcess(configuration()) as process:
        boss = Peer(process.port).join(ticket_of("backend"))
        with (
            Callee(Peer(process.port).join(ticket_of("backend")), {ASK: authenticate}),
            boss,
            Peer(process.port) as peer,
        ):
            peer.join("good")
            request = boss.start_call("wampgate.sessions.kill", [], {"authid": "ann"})
            assert boss.result(request)[3] == [1]
            assert peer.receive()[0] == 6


def test_a_frozen_one_lets_nobody_in_and_hurts_no_one_else() -> None:
    """It holds a connection and a registration, and reads nothing: as a backend that was stopped."""
    with RouterProcess(configuration()) as process:
        frozen = Peer(process.port).join(ticket_of("backend"))
        frozen.register(ASK)
        before = process.rss()
        start = threading.Barrier(21)

        def knock(number: int) -> str:
            start.wait()
            with Peer(process.port) as peer:
                try:
                    peer.join(f"ticket {number}")
                except Closed as closed:
                    return str(closed.args[0])
            return "in"

        with ThreadPoolExecutor(20) as pool:
            outcomes = [pool.submit(knock, number) for number in range(20)]
            start.wait()
            begun = time.monotonic()
            with Peer(process.port) as honest:
                honest.join(ticket_of("backend"))
            assert time.monotonic() - begun < 0.5
            assert {outcome.result(20) for outcome in outcomes} == {"1013"}
            assert time.monotonic() - begun < 6
        assert process.rss() - before < 8 * 2**20
        frozen.close()
        with Callee(Peer(process.port).join(ticket_of("backend")), {ASK: authenticate}), Peer(process.port) as peer:
            assert peer.join("good").welcome["authid"] == "ann"
