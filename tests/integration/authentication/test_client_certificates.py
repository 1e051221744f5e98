"""TLS client certificates: who is let in by one, and every certificate and way that lets nobody in."""

from __future__ import annotations

import ssl
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from raw_rawsocket import RawPeer
from raw_wamp import Peer
from raw_websocket import Ended, RawConnection
from router_process import RouterDidNotStart, RouterProcess

from .authorities import Authority, Certified, client_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DENIED = "wamp.error.authentication_denied"
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class World:
    """An authority that the router trusts, another that it doesn't, and their certificates."""

    def __init__(self, folder: Path) -> None:
        self.authority, self.stranger = Authority(folder, "ours"), Authority(folder, "theirs")
        self.server = self.authority.issue("server", names=[x509.DNSName("localhost")])
        self.ann = self.authority.issue("ann", common="whoever")
        self.service = self.authority.issue("service", common="service")
        self.named = self.authority.issue("named", names=[x509.DNSName("named.example.org")])
        self.unknown = self.authority.issue("unknown", common="unknown")
        self.forged = self.stranger.issue("forged", common="service", names=[x509.DNSName("named.example.org")])

    def configuration(self, *, required: bool = False, **more: Any) -> dict[str, Any]:
        endpoint = f"ssl:0:privateKey={self.server.key}:certKey={self.server.pem}:interface=127.0.0.1"
        principals = [
            {"authid": "ann", "role": "client", "tls": {"fingerprints": [self.ann.fingerprint]}},
            {"authid": "service", "role": "client", "tls": {"common_name": "service"}},
            {"authid": "named", "role": "client", "tls": {"subject_alt_name": "named.example.org"}},
            {"authid": "by-ticket", "role": "client", "ticket": "the ticket"},
        ]
        realm = {"name": "realm1", "authentication": {"tls": {}, "principals": principals, "anonymous": {}}}
        # A realm that knows no certificates.
        other = {"name": "realm2", "authentication": {"anonymous": {}}}
        certificates = {"ca_file": str(self.authority.ca), "required": required}
        listen = [{"endpoint": endpoint, "client_certificates": certificates}]
        return {"listen": listen, "realms": [realm, other]} | more

    def context(self, shows: Certified | None = None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        return client_context(self.authority.ca, shows, version)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def process(world: World) -> Iterator[RouterProcess]:
    with RouterProcess(world.configuration()) as process:
        yield process


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("who", ["ann", "service", "named"])
@pytest.mark.parametrize("details", [{}, {"authmethods": ["tls"]}, {"authmethods": ["cryptosign", "tls", "anonymous"]}])
def test_a_certificate_is_enough(
    process: RouterProcess, world: World, version: ssl.TLSVersion, who: str, details: dict[str, Any]
) -> None:
    for kind in (Peer, RawPeer):
        with kind(process.port, tls=world.context(getattr(world, who), version)) as peer:
            welcome = peer.join(**details).welcome
            assert (welcome["authid"], welcome["authrole"], welcome["authmethod"]) == (who, "client", "tls")


def test_an_authid_has_to_be_the_certificate_s(process: RouterProcess, world: World) -> None:
    with Peer(process.port, tls=world.context(world.ann)) as peer:
        assert peer.join(authmethods=["tls"], authid="ann").welcome["authid"] == "ann"
    with Peer(process.port, tls=world.context(world.ann)) as peer:
        peer.hello(authmethods=["tls"], authid="service")
        assert peer.aborted()[0] == DENIED


@pytest.mark.parametrize("details", [{}, {"authmethods": ["tls"]}, {"authmethods": ["tls", "anonymous"]}])
def test_a_certificate_that_is_nobody_s_makes_nobody_of_its_owner(
    process: RouterProcess, world: World, details: dict[str, Any]
) -> None:
    with Peer(process.port, tls=world.context(world.unknown)) as peer:
        peer.hello(**details)
        assert peer.aborted()[0] == DENIED
    process.wait_for_log(f"the key {world.unknown.fingerprint}")


def test_who_shows_none_comes_in_by_another_way(process: RouterProcess, world: World) -> None:
    with Peer(process.port, tls=world.context()) as peer:
        assert peer.join("the ticket", authmethods=["tls", "ticket"]).welcome["authid"] == "by-ticket"
    with Peer(process.port, tls=world.context()) as peer:
        assert peer.join().welcome["authmethod"] == "anonymous"
    with Peer(process.port, tls=world.context()) as peer:
        peer.hello(authmethods=["tls"])
        assert peer.aborted()[0] == "wamp.error.authentication_required"


def test_where_certificates_are_not_known_one_is_anonymous(process: RouterProcess, world: World) -> None:
    with Peer(process.port, tls=world.context(world.ann)) as peer:
        assert peer.join(realm="realm2").welcome["authmethod"] == "anonymous"


def turned_away(port: int, context: ssl.SSLContext) -> bool:
    """Whether TLS ends before a byte is answered: with 1.3 the client learns that only when it reads."""
    try:
        with RawConnection(port, tls=context) as raw:
            return raw.request("/health/live").status != 200
    except (ssl.SSLError, Ended, OSError):
        return True


@pytest.mark.parametrize("version", VERSIONS)
def test_certificates_that_no_authority_of_ours_vouches_for(
    process: RouterProcess, world: World, version: ssl.TLSVersion
) -> None:
    expired = world.authority.issue("expired", common="service", lives=-60)
    for_servers = world.authority.issue("for-servers", common="service", usage=x509.ExtendedKeyUsageOID.SERVER_AUTH)
    for bad in (world.forged, expired, for_servers):
        assert turned_away(process.port, world.context(bad, version))
    assert not turned_away(process.port, world.context(world.service, version))
    assert not turned_away(process.port, world.context(None, version))


@pytest.mark.parametrize("version", VERSIONS)
def test_certificates_can_be_required(world: World, version: ssl.TLSVersion) -> None:
    with RouterProcess(world.configuration(required=True)) as process:
        assert turned_away(process.port, world.context(None, version))
        assert turned_away(process.port, world.context(world.forged, version))
        with Peer(process.port, tls=world.context(world.ann, version)) as peer:
            assert peer.join().welcome["authid"] == "ann"


def test_tls_1_1_is_not_spoken(process: RouterProcess, world: World) -> None:
    context = world.context(world.ann)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert turned_away(process.port, context)


def test_a_session_ends_when_its_certificate_does(process: RouterProcess, world: World) -> None:
    short = world.authority.issue("short", common="service", lives=4)
    with Peer(process.port, tls=world.context(short)) as peer:
        peer.join(authmethods=["tls"])
        started = time.monotonic()
        assert peer.receive()[2] == "wampgate.close.token_expired"
        assert time.monotonic() - started < 5


def test_a_proxy_s_own_certificate_is_not_its_clients(world: World) -> None:
    """The proxy shows one to the router, which believes it about those behind it: they are not the proxy."""
    configuration = world.configuration(trusted_proxies=["127.0.0.1"])
    with RouterProcess(configuration) as process:
        forwarded = ("X-Forwarded-For", "10.0.0.1")
        for headers in ([], [forwarded], [("X-Forwarded-For", "x")], [forwarded, ("X-Forwarded-Proto", "https")]):
            with Peer(process.port, tls=world.context(world.ann), headers=headers) as peer:
                assert peer.join().welcome["authmethod"] == "anonymous"
        with RawPeer(process.port, tls=world.context(world.ann)) as raw:
            assert raw.join().welcome["authmethod"] == "anonymous"


def test_a_file_that_holds_no_certificate(world: World, tmp_path: Path) -> None:
    configuration = world.configuration()
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    configuration["listen"][0]["client_certificates"]["ca_file"] = str(empty)
    with suppress(AssertionError), pytest.raises(RouterDidNotStart) as found, RouterProcess(configuration):
        pass
    assert "client_certificates.ca_file" in str(found.value)
    assert "holds no certificate in PEM" in str(found.value)
    assert "Traceback" not in str(found.value)
