"""Principals whom the store knows, on the running router: they join by its rows and leave with them."""

from __future__ import annotations

import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from conftest import principal
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from postgres_server import PostgresServer
from raw_wamp import ABORT, AUTHENTICATE, CHALLENGE, GOODBYE, WELCOME, Message, Peer

from wampgate.authentication.wampcra import signature_of

from .cookies import PostgresTables, Router, SqliteTables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .cookies import Tables

AT_ONCE = 1.0
DENIED = "wamp.error.authentication_denied"
REVOKED = "wampgate.close.token_revoked"
SECRET = "canary-secret-of-joe"
KEY = Ed25519PrivateKey.from_private_bytes(sha256(b"joe's key").digest())
PUBLIC = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> Tables:
    if request.param == "sqlite":
        return SqliteTables(tmp_path)
    return PostgresTables(request.getfixturevalue("server"))


def put(tables: Tables, authmethod: str, authid: str, key: str = "", *, user: str = "NULL", data: str = "{}") -> None:
    tables.execute(
        "INSERT INTO wampgate_credentials (authmethod, authid, key, role, user_id, data)"
        f" VALUES ('{authmethod}', '{authid}', '{key}', NULL, {user}, '{data}')"
    )


@pytest.fixture
def router(tables: Tables) -> Iterator[Router]:
    realm = {
        "name": "realm1",
        "store": tables.section(),
        "authentication": {
            "wampcra": {"role": "member"},
            "cryptosign": {"role": "device"},
            "principals": [principal("backend", "backend")],
        },
    }
    put(tables, "wampcra", "joe", user="'7'", data=f'{{"secret": "{SECRET}"}}')
    put(tables, "wampcra", "ann", data='{"secret": "of ann", "extra": {"name": "Ann"}}')
    put(tables, "cryptosign", "device", PUBLIC)
    tables.execute("INSERT INTO organization_members (organization_id, user_id) VALUES ('acme', '7')")
    with Router(realm) as router:
        if tables.kind == "postgres":
            router.process.wait_for_log("are heard")
        yield router


@pytest.fixture
def connect(router: Router) -> Iterator[Callable[[], Peer]]:
    peers: list[Peer] = []

    def connect() -> Peer:
        peers.append(Peer(router.process.port))
        return peers[-1]

    yield connect
    for peer in peers:
        peer.close()


def by_wampcra(peer: Peer, authid: str, secret: str) -> Message:
    peer.hello(authmethods=["wampcra"], authid=authid)
    challenge = peer.receive()
    assert challenge[:2] == [CHALLENGE, "wampcra"]
    peer.send(AUTHENTICATE, signature_of(secret, challenge[2]["challenge"]).decode(), {})
    return peer.receive()


def by_cryptosign(peer: Peer, key: Ed25519PrivateKey = KEY, **details: Any) -> Message:
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    peer.hello(authmethods=["cryptosign"], authextra={"pubkey": public}, **details)
    message = peer.receive()
    if message[0] == ABORT:
        return message
    challenge = message[2]["challenge"]
    peer.send(AUTHENTICATE, key.sign(bytes.fromhex(challenge)).hex() + challenge, {})
    return peer.receive()


def farewell(peer: Peer) -> str:
    begun = time.monotonic()
    while (message := peer.receive())[0] != GOODBYE:
        pass
    assert time.monotonic() - begun < AT_ONCE
    return str(message[2])


def test_who_can_sign_is_whom_the_row_says(connect: Callable[[], Peer]) -> None:
    peer = connect()
    welcome = by_wampcra(peer, "joe", SECRET)
    assert welcome[0] == WELCOME
    details = welcome[2]
    assert (details["authid"], details["authrole"], details["authprovider"]) == ("joe", "member", "store")
    peer.subscribe("organization.acme")
    assert by_wampcra(connect(), "ann", "of ann")[2]["authextra"]["name"] == "Ann"
    device = by_cryptosign(connect())
    assert (device[2]["authid"], device[2]["authrole"]) == ("device", "device")


def test_who_can_not_is_told_nothing(connect: Callable[[], Peer], router: Router) -> None:
    refusals = [by_wampcra(connect(), authid, "wrong") for authid in ("joe", "nobody", "' OR 1=1 --", "device")]
    refusals.append(by_cryptosign(connect(), Ed25519PrivateKey.generate()))
    refusals.append(by_cryptosign(connect(), authid="joe"))
    assert {(message[0], message[2]) for message in refusals} == {(ABORT, DENIED)}
    assert len({message[1]["message"] for message in refusals}) == 1
    assert SECRET not in router.process.log()


CHANGES = {
    "deleted": "DELETE FROM wampgate_credentials WHERE authid = 'joe'",
    "disabled": "UPDATE wampgate_credentials SET disabled = {true} WHERE authid = 'joe'",
    "another role": "UPDATE wampgate_credentials SET role = 'admin' WHERE authid = 'joe'",
    "another secret": """UPDATE wampgate_credentials SET data = '{{"secret": "new"}}' WHERE authid = 'joe'""",
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_becomes_of_the_row_becomes_of_its_sessions_within_a_second(
    tables: Tables, connect: Callable[[], Peer], change: str
) -> None:
    joe, ann, device = connect(), connect(), connect()
    by_wampcra(joe, "joe", SECRET)
    by_wampcra(ann, "ann", "of ann")
    by_cryptosign(device)
    tables.execute(CHANGES[change].format(true="true" if tables.kind == "postgres" else "1"))
    assert farewell(joe) == REVOKED
    time.sleep(0.3)
    for peer in (ann, device):
        peer.subscribe("wampgate.revoked")
    again = by_wampcra(connect(), "joe", SECRET)
    assert (again[0] == WELCOME) == (change == "another role")


def test_a_key_that_is_taken_away(tables: Tables, connect: Callable[[], Peer]) -> None:
    device, joe = connect(), connect()
    by_cryptosign(device)
    by_wampcra(joe, "joe", SECRET)
    tables.execute(f"UPDATE wampgate_credentials SET key = '{'ab' * 32}' WHERE authmethod = 'cryptosign'")
    assert farewell(device) == REVOKED
    assert by_cryptosign(connect())[2] == DENIED
    joe.subscribe("organization.acme")


def test_a_membership_that_ends_ends_for_who_joined_by_a_secret(tables: Tables, connect: Callable[[], Peer]) -> None:
    joe = connect()
    by_wampcra(joe, "joe", SECRET)
    joe.subscribe("wampgate.revoked")
    joe.subscribe("organization.acme")
    tables.execute("DELETE FROM organization_members")
    assert joe.event()[5]["topic"] == "organization.acme"


def test_rows_of_garbage_open_nothing_and_leave_no_traceback(
    tables: Tables, connect: Callable[[], Peer], router: Router
) -> None:
    for number, data in enumerate(("{}", "[]", '{"secret": 7}', '"text"', '{"secret": ""}')):
        put(tables, "wampcra", f"odd{number}", data=data)
        assert by_wampcra(connect(), f"odd{number}", "x")[2] == DENIED
    put(tables, "wampcra", "wampgate.bridge", data='{"secret": "x"}')
    assert by_wampcra(connect(), "wampgate.bridge", "x")[2] == DENIED
    put(tables, "wampcra", "backend", data='{"secret": "x"}')
    assert by_wampcra(connect(), "backend", "x")[2] == DENIED
    log = router.process.wait_for_log("can't be used", count=6)
    assert "Traceback" not in log
