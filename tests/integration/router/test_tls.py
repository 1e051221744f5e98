"""On an ``ssl:`` endpoint no byte leaves unencrypted: a proxy between client and router looks for canaries."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import pytest
from conftest import static_configuration, ticket_of
from raw_wamp import Peer
from raw_websocket import Ended, RawConnection, Refused
from redis_server import write_certificates
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY = "canary-2f9c71e4"
TOPIC = f"com.example.{CANARY}"


class SniffingProxy:
    """Forwards one connection after another to a port and keeps every byte of both directions.

    Attributes:
        port: where it listens on 127.0.0.1.
        upwards, downwards: what clients sent, and what they were sent.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.port = self._listener.getsockname()[1]
        self.upwards = bytearray()
        self.downwards = bytearray()

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open += [client, server]
                self._pump(client, server, self.upwards)
                self._pump(server, client, self.downwards)

    def _pump(self, source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
        def pump() -> None:
            with suppress(OSError):
                while data := source.recv(65536):
                    kept.extend(data)
                    sink.sendall(data)
            with suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=pump, daemon=True)
        self._threads.append(thread)
        thread.start()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    write_certificates(folder, ["localhost", "127.0.0.1"])
    return folder


@pytest.fixture(scope="module")
def secure(certificates: Path) -> Iterator[RouterProcess]:
    key, certificate = certificates / "server.key", certificates / "server.pem"
    endpoint = f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1"
    configuration = static_configuration(
        listen=[{"endpoint": endpoint}], limits={"stalled_seconds": 2, "outbox_bytes": 1 << 20}
    )
    with RouterProcess(configuration) as process:
        yield process


@pytest.fixture(scope="module")
def context(certificates: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificates / "ca.pem"))


def use(port: int, tls: ssl.SSLContext | None, serializer: str) -> None:
    """Do what sends canaries in both directions in every way: handshake, ticket, events one by one and in bursts."""
    with (
        Peer(port, serializer, tls=tls, headers=[("X-Canary", CANARY)]).join(ticket_of("alice")) as alice,
        Peer(port, serializer, tls=tls).join(ticket_of("bob")) as bob,
    ):
        bob.subscribe(TOPIC)
        bob.register(f"{TOPIC}.procedure")
        for _ in range(20):
            alice.publish(TOPIC, [CANARY])
            assert bob.event()[4] == [CANARY]
        burst = [[16, alice.next_request(), {}, TOPIC, [CANARY, number]] for number in range(200)]
        alice.send_bytes(b"".join(alice.framed(message) for message in burst))
        assert [bob.event()[4][1] for _ in range(200)] == list(range(200))
        alice.publish(TOPIC, [CANARY * 20_000])
        assert bob.event()[4] == [CANARY * 20_000]
        call = alice.start_call(f"{TOPIC}.procedure", [CANARY])
        bob.send(70, bob.receive()[1], {}, [CANARY])
        assert alice.result(call)[3] == [CANARY]
        alice.send_frame(9, CANARY.encode())
        alice.publish(TOPIC, [1])
        assert alice.pongs == [CANARY.encode()]
        alice.leave()


def forms_of(text: str) -> list[bytes]:
    """A text as it stands in messages, and as a client's frame masks it, wherever in the mask it begins."""
    from raw_websocket import MASK, unmask

    plain = text.encode()
    return [plain, *(unmask(plain, MASK[at:] + MASK[:at]) for at in range(4))]


def hits(data: bytes) -> int:
    return sum(data.count(form) for text in (CANARY, "the-ticket-of", "wamp.2.") for form in forms_of(text))


@pytest.mark.parametrize("serializer", ["json", "msgpack", "cbor"])
def test_nothing_is_readable_on_the_way(secure: RouterProcess, context: ssl.SSLContext, serializer: str) -> None:
    with SniffingProxy(secure.port) as proxy:
        use(proxy.port, context, serializer)
    assert len(proxy.upwards) > 300_000
    assert len(proxy.downwards) > 300_000
    assert hits(bytes(proxy.upwards)) == 0
    assert hits(bytes(proxy.downwards)) == 0


def test_the_proxy_would_have_seen_it(router: RouterProcess) -> None:
    with SniffingProxy(router.port) as proxy:
        use(proxy.port, None, "json")
    assert hits(bytes(proxy.upwards)) > 200
    assert hits(bytes(proxy.downwards)) > 200


def test_a_slow_reader_gets_no_clear_byte_either(secure: RouterProcess, context: ssl.SSLContext) -> None:
    with (
        SniffingProxy(secure.port) as proxy,
        Peer(secure.port, tls=context).join(ticket_of("alice")) as alice,
        Peer(proxy.port, tls=context, receive_buffer=4096).join(ticket_of("bob")) as slow,
    ):
        slow.subscribe(TOPIC)
        count = 300
        for number in range(count):
            alice.publish(TOPIC, [CANARY, number, "x" * 16_000])
        assert [slow.event()[4][1] for _ in range(count)] == list(range(count))
    assert hits(bytes(proxy.downwards)) == 0
    assert len(proxy.downwards) > 4_000_000


def test_a_reader_that_does_not_read_is_cut_off(secure: RouterProcess, context: ssl.SSLContext) -> None:
    with (
        Peer(secure.port, tls=context).join(ticket_of("alice")) as alice,
        Peer(secure.port, tls=context).join(ticket_of("carol")) as neighbour,
        Peer(secure.port, tls=context, receive_buffer=4096).join(ticket_of("bob")) as slow,
    ):
        slow.subscribe(TOPIC)
        neighbour.subscribe(TOPIC)
        secure.forget_peak()
        before = secure.rss()
        for number in range(2000):
            alice.publish(TOPIC, [number, "x" * 16_000])
            assert neighbour.event()[4][0] == number
        secure.wait_for_log("cut off")
        assert secure.peak_rss() - before < 8 << 20
        with pytest.raises((Ended, TimeoutError, ssl.SSLError)):
            slow.closed()


def test_the_page_comes_encrypted_as_well(secure: RouterProcess, context: ssl.SSLContext) -> None:
    with RawConnection(secure.port, tls=context) as raw:
        page = raw.request("/", headers=[("Host", f"localhost:{secure.port}")])
        assert page.status == 200


def test_a_page_that_came_in_clear_is_of_another_origin(secure: RouterProcess, context: ssl.SSLContext) -> None:
    """A client certificate, as a cookie, comes along whoever has written the page."""
    Peer(secure.port, tls=context, headers=[("Origin", f"https://127.0.0.1:{secure.port}")]).close()
    with pytest.raises(Refused) as refused:
        Peer(secure.port, tls=context, headers=[("Origin", f"http://127.0.0.1:{secure.port}")])
    assert refused.value.response.status == 403


def test_plain_text_on_the_encrypted_port_gets_no_answer_in_clear(secure: RouterProcess) -> None:
    with RawConnection(secure.port) as raw:
        raw.send_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        raw.socket.settimeout(5)
        received: Any = b""
        with suppress(OSError):
            received = raw.socket.recv(65536)
        assert b"HTTP" not in received


def test_a_silent_tls_client_is_not_waited_for(certificates: Path) -> None:
    key, certificate = certificates / "server.key", certificates / "server.pem"
    endpoint = f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1"
    with (
        RouterProcess(static_configuration(listen=[{"endpoint": endpoint}], limits={"header_seconds": 1})) as process,
        RawConnection(process.port) as raw,
    ):
        assert raw.ended(4) < 3
