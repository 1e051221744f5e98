"""Every authmethod with principals of every source, on one running router: who is in, under which names, who is not."""

from __future__ import annotations

import json
from contextlib import ExitStack
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from callee import Callee
from conftest import principal, rule, ticket_of
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from postgres_server import PostgresServer
from raw_wamp import Peer
from raw_websocket import RawConnection
from router_process import RouterProcess
from unit.authentication.proving import ScramClient, cra, public, sign

from wampgate.authentication.derivation import scram_secret, wampcra_secret

from .authorities import Authority, Certified, client_context
from .cookies import NAME, PostgresTables, SqliteTables, fill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from raw_wamp import Message

    from .cookies import Tables

ASK = "com.example.authenticate"
DENIED = "wamp.error.authentication_denied"
SOURCES = ("static", "store", "dynamic")
METHODS = ("ticket", "cookie", "wampcra", "wamp-scram", "scram", "cryptosign", "tls")
PASSWORD = "canary-pencil"
SALTED = wampcra_secret(PASSWORD, iterations=100)
CLASSIC = scram_secret(PASSWORD, kdf="pbkdf2", iterations=100)
BAHN = scram_secret(PASSWORD, kdf="argon2id-13", iterations=1, memory=64)


def key_of(source: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(f"key of {source}".encode()).digest())


def name_of(source: str, method: str) -> str:
    """SCRAM's two ways need keys of their own, so they are two principals."""
    return f"{source}-bahn" if method == "scram" else source


def scram_of(authid: str) -> dict[str, Any]:
    return BAHN if authid.endswith("-bahn") else CLASSIC


class AutobahnClient(ScramClient):
    """SCRAM as Autobahn speaks it."""

    def extra(self, nonce: str) -> dict[str, Any]:
        return {}

    def _message(self, challenge: Mapping[str, Any]) -> bytes:
        server = f"r={challenge['nonce']},s={challenge['salt']},i={challenge['iterations']}"
        return f"n={self._authid},r={self.nonce},{server},c=,r={challenge['nonce']}".encode()


class Sources:
    """A router that knows someone by every method from each source, and clients of theirs."""

    def __init__(self, tables: Tables, folder: Path) -> None:
        self._authority = Authority(folder, "ca")
        server = self._authority.issue("server", names=[x509.DNSName("localhost")])
        self.certificates = {name: self._authority.issue(name, common=name) for name in (*SOURCES, "stranger")}
        self.stack = ExitStack()
        self._fill(tables)
        made = self._configuration(tables)
        endpoint = f"ssl:0:privateKey={server.key}:certKey={server.pem}:interface=127.0.0.1"
        certificates = {"ca_file": str(self._authority.ca)}
        made["listen"] = [{"endpoint": endpoint, "client_certificates": certificates}]
        self.process = self.stack.enter_context(RouterProcess(made, environ={"SECRET": SALTED["secret"]}))
        decider = Peer(self.process.port, tls=client_context(self._authority.ca)).join(ticket_of("decider"))
        self.decider = self.stack.enter_context(Callee(decider, {ASK: self._who}))

    def _configuration(self, tables: Tables) -> dict[str, Any]:
        static = {
            "authid": "static",
            "role": "member",
            "ticket": "ticket of static",
            "wampcra": SALTED | {"secret": "${SECRET}"},
            "scram": CLASSIC,
            "cryptosign": {"public_keys": [public(key_of("static"))]},
            "tls": {"fingerprints": [self.certificates["static"].fingerprint]},
        }
        sections: dict[str, Any] = {name: {} for name in ("ticket", "cookie", "wampcra", "scram", "cryptosign", "tls")}
        methods = ["ticket", "wampcra", "scram", "cryptosign", "tls"]
        realm = {
            "name": "realm1",
            "store": tables.section(),
            "authentication": {
                **sections,
                "dynamic": {"procedure": ASK, "methods": methods},
                "principals": [
                    static,
                    {"authid": "static-bahn", "role": "member", "scram": BAHN},
                    principal("decider", "decider"),
                ],
            },
            "authorization": {"rules": [rule("decider", ["register"], ASK)]},
        }
        return {"realms": [realm], "limits": {"failed_logins_per_address_per_minute": 1000}}

    def _fill(self, tables: Tables) -> None:
        fill(tables, users=["store"])
        for method, authid, key, data in (
            ("wampcra", "store", "", SALTED),
            ("scram", "store", "", CLASSIC),
            ("scram", "store-bahn", "", BAHN),
            ("cryptosign", "store", public(key_of("store")), {}),
            ("tls", "store", self.certificates["store"].fingerprint, {}),
            # Someone else's rows under names that are the configuration's.
            ("wampcra", "decider", "", SALTED),
            ("cryptosign", "static", public(key_of("thief")), {}),
        ):
            tables.execute(
                "INSERT INTO wampgate_credentials (authmethod, authid, key, data)"
                f" VALUES ('{method}', '{authid}', '{key}', '{json.dumps(data)}')"
            )

    def _who(self, realm: str, authid: str | None, details: dict[str, Any]) -> Any:
        """The procedure that knows the dynamic ones."""
        assert realm == "realm1"
        method = details["authmethod"]
        if method == "ticket":
            return {"authid": "dynamic", "role": "member"} if details["ticket"] == "ticket of dynamic" else None
        if method == "cryptosign":
            known = {public(key_of("dynamic")): "dynamic"}.get(details["key"])
            return None if known is None else {"authid": known, "role": "member", "pubkey": details["key"]}
        if method == "tls":
            known = {self.certificates["dynamic"].fingerprint: "dynamic"}.get(details["key"])
            return None if known is None else {"authid": known, "role": "member"}
        if authid not in ("dynamic", "dynamic-bahn", "static", "decider"):
            return None
        return {"role": "member"} | (SALTED if method == "wampcra" else scram_of(authid))

    # --- clients ---

    def peer(self, shows: Certified | None = None, headers: Mapping[str, str] | None = None) -> Peer:
        context = client_context(self._authority.ca, shows)
        peer = Peer(self.process.port, tls=context, headers=tuple((headers or {}).items()))
        self.stack.callback(peer.close)
        return peer

    def join(self, source: str, method: str, *, password: str = PASSWORD, claims: str | None = None) -> Message:
        """What a client of a source hears in the end; ``claims`` is the authid that it calls itself by."""
        if method == "cookie":
            return self._by_cookie(token_of(source))
        authid = claims or name_of(source, method)
        peer = self.peer(self.certificates[source] if method == "tls" else None)
        client = (AutobahnClient if method == "scram" else ScramClient)(authid, password)
        shown = {"cryptosign": {"pubkey": public(key_of(source))}}.get(method, client.authextra)
        named = {} if claims is None and method in ("cryptosign", "tls") else {"authid": authid}
        peer.hello(authmethods=[method], authextra=shown, **named)
        message = peer.receive()
        if method == "tls":
            return message
        assert message[:2] == [4, method], message
        right = password == PASSWORD
        challenge = message[2]
        if method == "ticket":
            peer.send(5, token_of(source) if right else password, {})
        elif method == "wampcra":
            peer.send(5, cra(SALTED["secret"] if right else password, challenge["challenge"]), {})
        elif method == "cryptosign":
            peer.send(5, sign(key_of(source if right else password), challenge["challenge"]), {})
        else:
            peer.send(5, *client.answer(challenge))
        return peer.receive()

    def _by_cookie(self, token: str) -> Message:
        origin = f"https://localhost:{self.process.port}"
        head = (
            f"POST /session HTTP/1.1\r\nHost: localhost:{self.process.port}\r\nOrigin: {origin}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        cookie = self._made(head)
        headers = {"Host": f"localhost:{self.process.port}", "Origin": origin, "Cookie": f"{NAME}={cookie}"}
        peer = self.peer(headers=headers)
        peer.hello(authmethods=["cookie"])
        return peer.receive()

    def _made(self, head: str) -> str:
        with RawConnection(self.process.port, tls=client_context(self._authority.ca)) as connection:
            connection.send_bytes(head.encode())
            response = connection.response()
        assert response.status == 201, response
        return str(response.headers["set-cookie"]).partition("=")[2].partition(";")[0]


def token_of(source: str) -> str:
    return "canary-token-of-store" if source == "store" else f"ticket of {source}"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def sources(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sources]:
    folder = tmp_path_factory.mktemp("sources")
    with ExitStack() as stack:
        postgres = request.param == "postgres"
        tables = PostgresTables(stack.enter_context(PostgresServer())) if postgres else SqliteTables(folder)
        made = Sources(tables, folder)
        with made.stack:
            yield made
            log = made.process.log()
            secrets = (PASSWORD, SALTED["secret"], CLASSIC["server_key"], BAHN["stored_key"])
            for secret in (*secrets, *map(token_of, SOURCES)):
                assert secret not in log
            assert "Traceback" not in log


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("method", METHODS)
def test_each_method_knows_the_principals_of_each_source(sources: Sources, method: str, source: str) -> None:
    message = sources.join(source, method)
    assert message[0] == 2, message
    details = message[2]
    assert (details["authid"], details["authrole"]) == (name_of(source, method), "member")
    assert (details["authmethod"], details["authprovider"]) == (method, source)


@pytest.mark.parametrize("source", [*SOURCES, "nobody"])
@pytest.mark.parametrize("method", ["ticket", "wampcra", "wamp-scram", "scram", "cryptosign"])
def test_a_wrong_proof_is_refused_alike_wherever_one_is_known(sources: Sources, method: str, source: str) -> None:
    message = sources.join(source, method, password="wrong")
    words = "the token is not accepted" if method == "ticket" else "the credentials are not accepted"
    assert message == [3, {"message": words}, DENIED]


def refused(join: Callable[..., Message], *arguments: str, **more: str) -> None:
    message = join(*arguments, **more)
    assert (message[0], message[2]) == (3, DENIED), message


@pytest.mark.parametrize("method", ["ticket", "cryptosign", "tls"])
@pytest.mark.parametrize(
    "claims", ["static", "decider", "STORE", "store\0", "store ", "stor\N{LATIN SMALL LETTER E}\u0301"]
)
def test_who_proves_to_be_one_is_not_another(sources: Sources, method: str, claims: str) -> None:
    """Nor one whose name looks alike."""
    refused(sources.join, "store", method, claims=claims)


@pytest.mark.parametrize("method", ["wampcra", "wamp-scram"])
def test_no_other_source_gives_away_a_principal_of_the_configuration(sources: Sources, method: str) -> None:
    """The decider has a ticket only; a row and the procedure know it by a password."""
    refused(sources.join, "store", method, claims="decider")
    refused(sources.join, "thief", "cryptosign")


@pytest.mark.parametrize("method", ["wampcra", "wamp-scram", "scram", "cryptosign"])
def test_an_authid_that_nobody_can_have_is_refused_at_once(sources: Sources, method: str) -> None:
    peer = sources.peer()
    extra = {"pubkey": public(key_of("store")), "nonce": "egVDf3DMJh0="}
    peer.hello(authmethods=[method], authextra=extra, authid="x" * 100_000)
    message = peer.receive()
    assert (message[0], message[2]) == (3, "wamp.error.invalid_argument")
    assert len(str(message)) < 500


def test_whoever_shows_a_strangers_certificate_is_nobody(sources: Sources) -> None:
    refused(sources.join, "stranger", "tls")


@pytest.mark.parametrize(
    "offered", [["wamp-scram", "wampcra"], ["wampcra", "wamp-scram"], ["nothing", "wampcra", "ticket"]]
)
def test_the_first_offered_method_that_the_realm_takes_is_it(sources: Sources, offered: list[str]) -> None:
    """Whoever it is for: that nobody learns who has which. There is no second one after it."""
    taken = next(method for method in offered if method in METHODS)
    for authid in ("static", "store", "static-bahn", "nobody"):
        peer = sources.peer()
        peer.hello(authmethods=offered, authid=authid, authextra={"nonce": "egVDf3DMJh0="})
        assert peer.receive()[:2] == [4, taken]
        peer.send(5, "wrong", {})
        assert (peer.receive()[2], peer.closed()[0]) == (DENIED, 1008)


def test_nobody_gets_in_by_a_weaker_method_than_it_has(sources: Sources) -> None:
    """It has keys for scram alone; the same password by another method is nobody's."""
    refused(sources.join, "static", "wampcra", claims="static-bahn")
    refused(sources.join, "static", "ticket", claims="static-bahn")
    refused(sources.join, "static", "wamp-scram", claims="static-bahn")
