"""TLS and Unix sockets below RawSocket and WebSocket: nothing readable, nothing older than TLS 1.2, ends that end."""

from __future__ import annotations

import ssl
import time
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from conftest import static_configuration, ticket_of
from raw_rawsocket import MESSAGE, PING, PONG, RawPeer, RawSocket, handshake, raw_frame
from raw_wamp import Peer, random_name
from raw_websocket import RawConnection
from redis_server import write_certificates
from router_process import RouterProcess

from .test_tls import CANARY, SniffingProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOPIC = f"com.example.{CANARY}"
MIB = 1 << 20

OLD_SYSTEM = """openssl_conf = all
[all]
ssl_conf = modules
[modules]
system_default = old
[old]
MinProtocol = TLSv1
CipherString = ALL:@SECLEVEL=0
"""
"""What a system says that would speak TLS 1.0 with anyone."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    write_certificates(folder, ["localhost", "127.0.0.1"])
    (folder / "openssl.cnf").write_text(OLD_SYSTEM)
    return folder


@pytest.fixture(scope="module")
def context(certificates: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificates / "ca.pem"))


def encrypted(certificates: Path, more: str = "") -> str:
    key, certificate = certificates / "server.key", certificates / "server.pem"
    return f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1{more}"


@pytest.fixture(scope="module")
def secure(certificates: Path) -> Iterator[RouterProcess]:
    configuration = static_configuration(
        listen=[{"endpoint": encrypted(certificates)}], limits={"stalled_seconds": 2, "header_seconds": 1}
    )
    with RouterProcess(configuration) as process:
        yield process


# --- TLS ---


@pytest.mark.parametrize("serializer", ["json", "msgpack", "cbor"])
def test_nothing_is_readable_on_the_way(secure: RouterProcess, context: ssl.SSLContext, serializer: str) -> None:
    with SniffingProxy(secure.port) as proxy:
        use(proxy.port, context, serializer)
    for direction in (bytes(proxy.upwards), bytes(proxy.downwards)):
        assert len(direction) > 300_000
        assert direction.count(CANARY.encode()) == 0
        assert handshake()[:1] + b"\xf1\0\0" not in direction


def test_the_proxy_would_have_seen_it(router: RouterProcess) -> None:
    with SniffingProxy(router.port) as proxy:
        use(proxy.port, None, "json")
    for direction in (bytes(proxy.upwards), bytes(proxy.downwards)):
        assert direction.count(CANARY.encode()) > 200


def use(port: int, tls: ssl.SSLContext | None, serializer: str) -> None:
    """Send canaries in both directions in every way: events one by one and in bursts, a call, a ping."""
    with (
        RawPeer(port, serializer, tls=tls).join(ticket_of("alice")) as alice,
        RawPeer(port, serializer, tls=tls).join(ticket_of("bob")) as bob,
    ):
        bob.subscribe(TOPIC)
        burst = [[16, alice.next_request(), {}, TOPIC, [CANARY, number]] for number in range(200)]
        alice.send_bytes(b"".join(alice.framed(message) for message in burst))
        assert [bob.event()[4][1] for _ in range(200)] == list(range(200))
        alice.publish(TOPIC, [CANARY * 20_000])
        assert bob.event()[4] == [CANARY * 20_000]
        alice.send_raw_frame(PING, CANARY.encode())
        assert alice.receive_raw_frame() == (PONG, CANARY.encode())
        alice.leave()
        assert alice.ended() < 1


def test_a_reader_that_does_not_read_is_cut_off(secure: RouterProcess, context: ssl.SSLContext) -> None:
    with (
        RawPeer(secure.port, tls=context).join(ticket_of("alice")) as alice,
        RawPeer(secure.port, tls=context).join(ticket_of("carol")) as neighbour,
        RawPeer(secure.port, tls=context, receive_buffer=4096).join(ticket_of("bob")) as slow,
    ):
        slow.subscribe(TOPIC)
        neighbour.subscribe(TOPIC)
        secure.forget_peak()
        before = secure.rss()
        for number in range(1500):
            alice.publish(TOPIC, [number, "x" * 16_000])
            assert neighbour.event()[4][0] == number
        secure.wait_for_log("cut off")
        assert secure.peak_rss() - before < 8 * MIB


def test_the_last_message_arrives_though_more_was_sent_meanwhile(
    secure: RouterProcess, context: ssl.SSLContext, router: RouterProcess
) -> None:
    for port, tls in ((secure.port, context), (router.port, None)):
        for _ in range(10):
            with RawPeer(port, tls=tls).join(ticket_of("alice")) as alice:
                alice.send_bytes(raw_frame(7) + raw_frame(MESSAGE, bytes(300_000)))
                assert alice.aborted()[0] == "wamp.error.protocol_violation"


def test_who_does_not_answer_the_end_of_tls_is_not_waited_for(secure: RouterProcess, context: ssl.SSLContext) -> None:
    with RawPeer(secure.port, tls=context).join(ticket_of("alice")) as alice:
        descriptors = secure.descriptors()
        alice.send(6, {}, "wamp.close.close_realm")
        time.sleep(3)
        assert secure.descriptors() < descriptors


def test_silence_during_the_handshake_is_not_waited_for(secure: RouterProcess, context: ssl.SSLContext) -> None:
    with RawSocket(secure.port, tls=context) as raw:
        raw.send_bytes(b"\x7f")
        assert raw.ended(4) < 3


# --- the least version of TLS ---


@pytest.mark.parametrize("more", ["", ":sslmethod=TLS_METHOD", ":sslmethod=SSLv23_METHOD"])
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3"])
def test_no_version_before_tls_1_2_is_spoken_whatever_the_system_would(
    old_system: dict[str, RouterProcess], context: ssl.SSLContext, certificates: Path, more: str, version: str
) -> None:
    client = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    client.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.minimum_version = client.maximum_version = ssl.TLSVersion[version]
    port = old_system[more].port
    if version in ("TLSv1", "TLSv1_1"):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            RawConnection(port, tls=client)
        return
    for peer in (Peer(port, tls=client), RawPeer(port, tls=client)):
        with peer:
            assert peer.join(ticket_of("alice")).publish(random_name()) > 0
            assert peer.socket.version() == version.replace("_", ".")  # type: ignore[attr-defined]  # it is one of TLS


@pytest.fixture(scope="module")
def old_system(certificates: Path) -> Iterator[dict[str, RouterProcess]]:
    """Routers on a system that is content with TLS 1.0, by what their endpoint says of the version."""
    processes = {}
    try:
        for more in ("", ":sslmethod=TLS_METHOD", ":sslmethod=SSLv23_METHOD"):
            process = RouterProcess(
                static_configuration(listen=[{"endpoint": encrypted(certificates, more)}]),
                environ={"OPENSSL_CONF": str(certificates / "openssl.cnf")},
            )
            processes[more] = process.__enter__()
        yield processes
    finally:
        for process in processes.values():
            process.__exit__(None)


@pytest.mark.parametrize("method", ["TLSv1_METHOD", "TLSv1_1_METHOD", "SSLv3_METHOD"])
def test_an_endpoint_that_asks_for_an_old_version_is_refused(certificates: Path, method: str) -> None:
    endpoint = encrypted(certificates, f":sslmethod={method}")
    process = RouterProcess(static_configuration(listen=[{"endpoint": endpoint}]))
    try:
        process.launch()
        process.wait_for_log("leave sslmethod out")
        assert process.wait() == 1
    finally:
        process.__exit__(None)


# --- Unix sockets ---


def test_unix_sockets_carry_both(tmp_path: Path) -> None:
    path = tmp_path / "wampgate.sock"
    listen = [{"endpoint": "tcp:0:interface=127.0.0.1"}, {"endpoint": f"unix:{path}"}]
    with OverUnix(static_configuration(listen=listen)) as process, Peer(process.port).join(ticket_of("carol")) as web:
        topic = random_name()
        for serializer in ("json", "msgpack", "cbor"):
            with (
                RawPeer(path, serializer).join(ticket_of("alice")) as alice,
                RawPeer(path, serializer).join(ticket_of("bob")) as bob,
                WebSocketOverUnix(path) as other,
            ):
                assert other.upgrade().status == 101
                for peer in (web, bob):
                    peer.subscribe(topic)
                burst = [[16, alice.next_request(), {}, topic, [number, "x" * 5000]] for number in range(200)]
                alice.send_bytes(b"".join(alice.framed(message) for message in burst))
                for peer in (web, bob):
                    assert [peer.event()[4][0] for _ in range(200)] == list(range(200))
                assert alice.leave()[2] == "wamp.close.goodbye_and_out"
                assert alice.ended() < 1
        with RawPeer(path) as guessing, suppress(Exception):
            guessing.join("a wrong one")
        process.wait_for_log("join refused to unix:")


def test_an_endpoint_says_who_may_use_its_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "wampgate.sock"
    listen = [{"endpoint": "tcp:0:interface=127.0.0.1"}, {"endpoint": f"unix:{path}:mode=660"}]
    with OverUnix(static_configuration(listen=listen)), RawPeer(path) as peer:
        assert path.stat().st_mode & 0o777 == 0o660
        peer.join(ticket_of("alice"))
    assert not path.exists()


def test_a_slow_reader_on_a_unix_socket_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "wampgate.sock"
    listen = [{"endpoint": "tcp:0:interface=127.0.0.1"}, {"endpoint": f"unix:{path}"}]
    topic = random_name()
    with (
        OverUnix(static_configuration(listen=listen)) as process,
        RawPeer(path).join(ticket_of("alice")) as alice,
        RawPeer(path).join(ticket_of("bob")) as slow,
    ):
        slow.subscribe(topic)
        for _ in range(300):
            alice.publish(topic, ["x" * 16_000])
        process.wait_for_log("cut off")
        assert slow.closed() == (None, "")


class OverUnix(RouterProcess):
    """A router with a second listener, which has no port."""

    def start(self) -> None:
        super().start()
        self.wait_for_log("listening on unix:")

    def _endpoints(self) -> int:
        return 1


class WebSocketOverUnix(RawSocket):
    """A connection through a Unix socket that may speak HTTP and WebSocket."""
