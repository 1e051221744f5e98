"""Stock Autobahn Python proves who it is by wampcra, cryptosign (also bound to TLS) and scram, or is refused."""

# Autobahn and pytest-twisted carry no annotations:
# mypy: allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]  # it ships no types
from autobahn.twisted.component import Component
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from redis_server import write_certificates
from router_process import RouterProcess
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.ssl import Certificate, CertificateOptions, TLSVersion

from wampgate.authentication.derivation import scram_secret, wampcra_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(find_spec("nacl") is None, reason="needs autobahn[encryption]")

SEED = bytes(range(32))
PUBLIC = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw().hex()
PRINCIPALS = [
    {"authid": "ann", "role": "client", "wampcra": {"secret": "the secret"}, "cryptosign": {"public_keys": [PUBLIC]}},
    {"authid": "salty", "role": "client", "wampcra": wampcra_secret("password", iterations=100)},
    {
        "authid": "bahn",
        "role": "client",
        "scram": scram_secret("pencil", kdf="argon2id-13", iterations=2, memory=512),
    },
]


def configuration(endpoint: str) -> dict[str, Any]:
    methods: dict[str, Any] = {"wampcra": {}, "scram": {}, "cryptosign": {}}
    realm = {"name": "realm1", "authentication": methods | {"principals": PRINCIPALS}}
    return {"listen": [{"endpoint": endpoint}], "realms": [realm]}


@pytest.fixture(scope="module")
def process() -> Iterator[RouterProcess]:
    with RouterProcess(configuration("tcp:0:interface=127.0.0.1")) as process:
        yield process


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    write_certificates(folder, ["localhost"])
    return folder


@pytest.fixture(scope="module")
def secure(certificates: Path) -> Iterator[RouterProcess]:
    files = f"privateKey={certificates / 'server.key'}:certKey={certificates / 'server.pem'}"
    with RouterProcess(configuration(f"ssl:0:{files}:interface=127.0.0.1")) as process:
        yield process


async def outcome(transport: dict[str, Any], authentication: dict[str, Any]) -> Any:
    """The details of the session, or the reason why there is none."""
    heard: Deferred[Any] = Deferred()
    component = Component(
        transports=[{"type": "websocket", "max_retries": 0} | transport],
        realm="realm1",
        authentication=authentication,
    )

    @component.on_join
    def joined(session: Any, details: Any) -> None:
        heard.callback(details)
        session.leave()

    @component.on_leave
    def left(session: Any, details: Any) -> None:
        if not heard.called:
            heard.callback(details.reason)

    done = component.start(reactor)
    found = await heard
    try:
        await done
    except Exception:  # noqa: BLE001 - as the next line says
        # What the component makes of a refusal is its own affair.
        assert isinstance(found, str)
    return found


def plain(process: RouterProcess) -> dict[str, Any]:
    return {"url": f"ws://127.0.0.1:{process.port}/ws"}


@pytest.mark.parametrize(("authid", "secret"), [("ann", "the secret"), ("salty", "password")])
@pytest_twisted.ensureDeferred
async def test_wampcra(process: RouterProcess, authid: str, secret: str) -> None:
    details = await outcome(plain(process), {"wampcra": {"authid": authid, "secret": secret}})
    assert (details.authid, details.authrole, details.authmethod) == (authid, "client", "wampcra")


@pytest.mark.parametrize("authid", ["ann", "salty", "nobody"])
@pytest_twisted.ensureDeferred
async def test_a_wrong_secret(process: RouterProcess, authid: str) -> None:
    found = await outcome(plain(process), {"wampcra": {"authid": authid, "secret": "wrong"}})
    assert found == "wamp.error.authentication_denied"


@pytest.mark.parametrize("named", [{}, {"authid": "ann"}])
@pytest_twisted.ensureDeferred
async def test_cryptosign(process: RouterProcess, named: dict[str, str]) -> None:
    details = await outcome(plain(process), {"cryptosign": {"privkey": SEED.hex()} | named})
    assert (details.authid, details.authmethod) == ("ann", "cryptosign")


@pytest_twisted.ensureDeferred
async def test_another_key(process: RouterProcess) -> None:
    found = await outcome(plain(process), {"cryptosign": {"privkey": SEED[::-1].hex()}})
    assert found == "wamp.error.authentication_denied"


@pytest_twisted.ensureDeferred
async def test_cryptosign_bound_to_its_channel(secure: RouterProcess, certificates: Path) -> None:
    # Autobahn binds itself by tls-unique only, which there is up to TLS 1.2.
    tls = CertificateOptions(
        trustRoot=Certificate.loadPEM((certificates / "ca.pem").read_bytes()),
        lowerMaximumSecurityTo=TLSVersion.TLSv1_2,
    )
    endpoint = {"type": "tcp", "host": "localhost", "port": secure.port, "tls": tls}
    transport = {"url": f"wss://localhost:{secure.port}/ws", "endpoint": endpoint}
    authextra = {"channel_binding": "tls-unique"}
    details = await outcome(transport, {"cryptosign": {"privkey": SEED.hex(), "authextra": authextra}})
    assert (details.authid, details.authmethod) == ("ann", "cryptosign")


@pytest.mark.skipif(find_spec("passlib") is None, reason="needs autobahn[scram]")
@pytest.mark.parametrize(
    ("password", "found"), [("pencil", ["bahn", "scram"]), ("Pencil", "wamp.error.authentication_denied")]
)
def test_scram(process: RouterProcess, password: str, found: Any) -> None:
    """In a process of its own: what Autobahn needs for it warns of its end when it is imported."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", Path(__file__).with_name("scram_client.py")],
        env=os.environ | {"URL": plain(process)["url"], "PASSWORD": password},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == found, done.stderr
