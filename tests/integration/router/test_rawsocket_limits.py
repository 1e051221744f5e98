"""What protects the router and its clients over WebSocket does so over RawSocket: deadlines, places, slow readers."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest
from conftest import static_configuration, ticket_of
from network_of_its_own import NetworkNotPossible, NetworkOfItsOwn
from raw_rawsocket import MESSAGE, PING, HandshakeError, RawPeer, RawSocket, handshake, raw_frame
from raw_wamp import GOODBYE, PUBLISH, Aborted, Peer, WampError, random_name
from raw_websocket import Ended, RawConnection
from router_process import RouterProcess

from .served import Served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MIB = 1 << 20


@pytest.fixture(scope="module")
def hasty() -> Iterator[RouterProcess]:
    """A router with short deadlines."""
    limits = {"header_seconds": 0.5, "hello_seconds": 0.5, "join_seconds": 1, "stalled_seconds": 1, "ping_seconds": 1}
    with RouterProcess(static_configuration(limits=limits)) as process:
        yield process


# --- deadlines ---


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_handshake_that_does_not_come_is_not_waited_for(hasty: RouterProcess, count: int) -> None:
    with RawSocket(hasty.port) as raw:
        raw.send_bytes(handshake()[:count])
        assert 0.3 < raw.ended() < 1.5


def test_silence_after_the_handshake(hasty: RouterProcess) -> None:
    with RawPeer(hasty.port) as peer:
        assert 0.3 < peer.ended() < 1.5


def test_neither_pings_nor_halves_of_messages_prolong_the_wait_for_hello(hasty: RouterProcess) -> None:
    with RawPeer(hasty.port) as peer:
        peer.send_bytes(raw_frame(MESSAGE, length=100)[:4])
        ends(lambda: peer.send_bytes(b"x"), pause=0.05)
    with RawPeer(hasty.port) as peer:
        ends(lambda: (peer.send_raw_frame(PING, b""), peer.receive_raw_frame()))


def test_silence_after_challenge(hasty: RouterProcess) -> None:
    with RawPeer(hasty.port) as peer:
        peer.hello(authmethods=["ticket"])
        assert peer.receive()[0] == 4
        assert peer.aborted()[0] == "wamp.error.authentication_failed"


def test_a_session_outlives_the_deadlines_of_joining(hasty: RouterProcess) -> None:
    with RawPeer(hasty.port).join(ticket_of("alice")) as peer:
        time.sleep(1.5)
        assert peer.publish(random_name()) > 0


# --- signs of life ---


def test_who_has_shown_that_it_knows_pings_is_pinged(hasty: RouterProcess) -> None:
    with RawPeer(hasty.port).join(ticket_of("alice")) as peer:
        peer.send_raw_frame(PING, b"I know them")
        peer.receive_raw_frame()
        for _ in range(2):
            assert peer.receive_raw_frame() == (PING, b"")
            peer.send_raw_frame(2, b"")
        # Now it is silent.
        ends(peer.receive_raw_frame)
    hasty.wait_for_log("no sign of life since the last ping")


def test_who_has_not_is_never_sent_one(hasty: RouterProcess) -> None:
    """Stock Autobahn Python would take it for the beginning of a long message."""
    with RawPeer(hasty.port).join(ticket_of("alice")) as peer:
        peer.socket.settimeout(2.5)
        with pytest.raises(TimeoutError):
            peer.receive_raw_frame()


def test_a_peer_whose_packets_vanish_is_dropped_all_the_same() -> None:
    try:
        network = NetworkOfItsOwn().__enter__()
    except NetworkNotPossible as reason:
        pytest.skip(str(reason))
    try:
        limits = {"ping_seconds": 1.0}
        with RouterProcess(static_configuration(limits=limits)) as process:
            procedure, topic = random_name(), random_name()
            for sends in (False, True):
                with (
                    RawPeer(process.port).join(ticket_of("alice")) as gone,
                    RawPeer(process.port).join(ticket_of("bob")) as alive,
                ):
                    gone.register(procedure)
                    gone.subscribe(topic)
                    network.lose(int(gone.socket.getsockname()[1]))
                    start = time.monotonic()
                    while is_registered(alive, procedure):
                        if sends:
                            alive.publish(topic, ["x" * 1000])
                        assert time.monotonic() - start < 8
                        time.sleep(0.1)
                    assert time.monotonic() - start > 0.5
    finally:
        network.__exit__()


def is_registered(caller: RawPeer, procedure: str) -> bool:
    try:
        caller.unregister(caller.register(procedure))
    except WampError as error:
        return error.uri == "wamp.error.procedure_already_exists"
    return False


def ends(repeatedly: Callable[[], object], *, pause: float = 0.0, seconds: float = 5.0) -> float:
    """Do something until the connection ends; how many seconds that took."""
    start = time.monotonic()
    with suppress(Ended, OSError):
        while True:
            repeatedly()
            time.sleep(pause)
            assert time.monotonic() - start < seconds
    return time.monotonic() - start


# --- places ---


@pytest.mark.parametrize(
    "limits", [{"connections": 3}, {"connections_per_address": 3}, {"unauthenticated_connections": 3}], ids=str
)
def test_one_too_many_is_told_so_and_places_come_back(limits: dict[str, int]) -> None:
    with RouterProcess(static_configuration(limits=limits)) as process, ExitStack() as stack:
        peers = [stack.enter_context(RawPeer(process.port)) for _ in range(3)]
        for _ in range(3):
            with pytest.raises(HandshakeError) as error:
                RawPeer(process.port)
            assert error.value.code == 4
        # Whoever speaks something else, or nothing, is dropped.
        with RawConnection(process.port) as other, pytest.raises((Ended, OSError)):
            other.request("/health/live")
        with RawSocket(process.port) as silent:
            assert silent.ended() < 2.5
        process.wait_for_log(f"limits.{next(iter(limits))} is reached")
        peers[0].close()
        peers[1].reset()
        peers[2].send_raw_frame(7)
        peers[2].ended()
        peers[2].close()
        time.sleep(0.2)
        again = [stack.enter_context(RawPeer(process.port)) for _ in range(3)]
        assert all(peer.join(ticket_of("alice")) for peer in again)


def test_those_who_are_turned_away_take_no_places_and_are_gone_in_time() -> None:
    with RouterProcess(static_configuration(limits={"connections": 2})) as process, ExitStack() as stack:
        joined = [stack.enter_context(RawPeer(process.port).join(ticket_of("alice"))) for _ in range(2)]
        before = process.descriptors()
        knocking = [stack.enter_context(RawSocket(process.port)) for _ in range(150)]
        for raw in knocking:
            assert raw.ended() < 5
        assert process.descriptors() <= before
        joined[0].close()
        wait_for(lambda: process.descriptors() < before)
        stack.enter_context(RawPeer(process.port)).join(ticket_of("bob"))
        assert joined[1].publish(random_name()) > 0


def wait_for(true: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.02)


def test_a_thousand_that_come_and_go_leave_nothing_behind(router: RouterProcess) -> None:
    for _ in range(50):
        RawPeer(router.port).join(ticket_of("alice")).close()
    time.sleep(0.2)
    descriptors = router.descriptors()
    for number in range(400):
        raw = RawSocket(router.port)
        if number % 4 == 1:
            raw.send_bytes(b"\x7f")
        elif number % 4:
            raw.shake_hands(handshake())
            raw.send_bytes(
                raw_frame(MESSAGE, b'[1,"realm1",{"roles":{"caller":{}}}]')[: 10 if number % 4 == 2 else None]
            )
        if number % 2:
            raw.reset()
        else:
            raw.close()
    wait_for(lambda: router.descriptors() <= descriptors)


# --- bytes ---


def test_a_lying_length_costs_nothing(router: RouterProcess) -> None:
    with ExitStack() as stack:
        before = router.rss()
        for _ in range(50):
            peer = stack.enter_context(RawPeer(router.port).join(ticket_of("alice")))
            peer.send_bytes(raw_frame(MESSAGE, b"x", length=1 << 20))
        time.sleep(0.3)
        assert router.rss() - before < 16 * MIB


def test_half_messages_in_small_pieces_cost_no_more_than_their_bytes(router: RouterProcess) -> None:
    with RawPeer(router.port).join(ticket_of("alice")) as peer:
        router.forget_peak()
        before = router.rss()
        peer.send_bytes(raw_frame(MESSAGE, length=MIB)[:4])
        for _ in range(20_000):
            peer.send_bytes(b"xy" * 20)
        assert router.peak_rss() - before < 8 * MIB


def test_one_that_pings_and_never_reads_does_not_fill_the_router() -> None:
    limits = {"stalled_seconds": 1}
    with RouterProcess(static_configuration(limits=limits)) as process:
        with RawPeer(process.port, receive_buffer=4096).join(ticket_of("alice")) as peer:
            process.forget_peak()
            before = process.rss()
            ends(lambda: peer.send_raw_frame(PING, bytes(100_000)))
            assert process.peak_rss() - before < 32 * MIB
        process.wait_for_log("cut off")


def test_a_slow_reader_is_cut_off_and_its_neighbours_notice_nothing() -> None:
    topic = random_name()
    with (
        RouterProcess(static_configuration(limits={"stalled_seconds": 2})) as process,
        RawPeer(process.port).join(ticket_of("alice")) as alice,
        RawPeer(process.port, "msgpack").join(ticket_of("carol")) as neighbour,
        RawPeer(process.port, receive_buffer=4096).join(ticket_of("bob")) as slow,
    ):
        slow.subscribe(topic)
        neighbour.subscribe(topic)
        process.forget_peak()
        before = process.rss()
        for number in range(1500):
            alice.publish(topic, [number, "x" * 16_000])
            assert neighbour.event()[4][0] == number
        process.wait_for_log("cut off")
        assert process.peak_rss() - before < 8 * MIB


def test_a_slow_reader_that_wakes_up_gets_all_in_order() -> None:
    topic = random_name()
    with (
        RouterProcess(static_configuration(limits={"outbox_bytes": 64 * MIB, "stalled_seconds": 60})) as process,
        RawPeer(process.port).join(ticket_of("alice")) as alice,
        RawPeer(process.port, "cbor", receive_buffer=4096).join(ticket_of("bob")) as slow,
    ):
        slow.subscribe(topic)
        slow.send_raw_frame(PING, b"before")
        count = 1000
        for number in range(count):
            alice.send(PUBLISH, alice.next_request(), {}, topic, [number, "x" * 10_000])
        alice.events()
        slow.send_raw_frame(PING, b"behind")
        assert [slow.event()[4][0] for _ in range(count)] == list(range(count))
        slow.events()
        assert slow.pongs == [b"before", b"behind"]


# --- ends ---


def test_a_shutdown_ends_the_connection_without_a_word_so_that_clients_come_back() -> None:
    with RouterProcess(static_configuration()) as process, RawPeer(process.port).join(ticket_of("alice")) as alice:
        process.signal(signal.SIGTERM)
        with pytest.raises(Ended):
            alice.receive()
        alice.close()
        assert process.wait() == 0
        process.start()


def test_unless_everything_is_to_be_told() -> None:
    with (
        RouterProcess(static_configuration(goodbye="always")) as process,
        RawPeer(process.port).join(ticket_of("alice")) as alice,
    ):
        process.signal(signal.SIGTERM)
        message = alice.receive()
        assert (message[0], message[2]) == (GOODBYE, "wamp.close.system_shutdown")
        assert alice.ended() < 1
        alice.close()
        assert process.wait() == 0
        process.start()


def test_a_client_that_keeps_its_end_open_is_not_waited_for_long(router: RouterProcess) -> None:
    with RawPeer(router.port).join(ticket_of("alice")) as alice:
        descriptors = router.descriptors()
        alice.leave()
        # Ours is closed; it sends on as if nothing were.
        assert ends(lambda: alice.send_raw_frame(PING, b""), pause=0.05) > 1
        assert router.descriptors() < descriptors


# --- counted ---


def test_what_reaches_a_limit_is_counted(tmp_path: Path) -> None:
    limits = {"message_bytes": 1024, "header_seconds": 0.5}
    with Served(tmp_path, static_configuration(limits=limits)) as served:
        for request in (handshake(9), handshake(1, 0), handshake(1, 15, 1)):
            with RawSocket(served.port) as raw, pytest.raises(HandshakeError):
                raw.shake_hands(request)
        with RawPeer(served.port).join(ticket_of("alice")) as alice:
            alice.send_raw_frame(MESSAGE, length=1025)
            assert alice.aborted()[0] == "wamp.error.protocol_violation"
        with RawPeer(served.port, length=2).join(ticket_of("bob")) as bob:
            bob.subscribe("com.example.x")
            with RawPeer(served.port).join(ticket_of("alice")) as alice:
                alice.register("com.example.p")
                call = bob.start_call("com.example.p")
                alice.send(70, alice.receive()[1], {}, ["x" * 900], {"more": "y" * 50})
                assert bob.result(call)[3] == ["x" * 900]
        counters: Any = served.counters()
        assert counters["limit_message_bytes"] == 1
        assert [counters[f"rawsocket_refused_{code}"] for code in (1, 2, 3)] == [1, 1, 1]
        assert counters["too_long_for_receiver"] == 0


# --- listeners ---


def test_where_wamp_is_not_served_there_is_no_rawsocket() -> None:
    listen = [{"endpoint": "tcp:0:interface=127.0.0.1", "serves": ["page", "backend"]}]
    with RouterProcess(static_configuration(listen=listen)) as process, RawSocket(process.port) as raw:
        raw.send_bytes(handshake())
        assert raw.response().status == 400


def test_it_is_served_by_the_demo(demo: RouterProcess) -> None:
    with RawPeer(demo.port).join(demo.tokens()["alice"]) as alice:
        alice.subscribe("organization.7")


def test_not_behind_a_request_on_one_connection() -> None:
    listen = [{"endpoint": "tcp:0:interface=127.0.0.1", "serves": ["wamp", "page", "backend"]}]
    with RouterProcess(static_configuration(listen=listen)) as process, RawSocket(process.port) as raw:
        raw.send_bytes(f"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1:{process.port}\r\n\r\n".encode())
        while b"\r\n\r\n" not in raw._buffer:
            raw._fill()
        time.sleep(0.2)
        raw._buffer = b""
        raw.send_bytes(handshake())
        assert b"\x7f" not in raw._rest()


@pytest.mark.parametrize("version", [1, 2])
def test_behind_the_proxy_protocol(version: int) -> None:
    listen = [{"endpoint": "tcp:0:interface=127.0.0.1", "proxy_protocol": True}]
    limits = {"connections_per_address": 1}
    header = b"PROXY TCP4 203.0.113.7 127.0.0.1 5000 80\r\n"
    if version == 2:
        header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes((203, 0, 113, 7, 127, 0, 0, 1)) + b"\x13\x88\0\x50"
    configuration = static_configuration(listen=listen, limits=limits, trusted_proxies=["127.0.0.1"])
    with RouterProcess(configuration) as process, Behind(process.port, header) as alice:
        with pytest.raises(Aborted):
            alice.join("a wrong one")
        process.wait_for_log("join refused to 203.0.113.7:5000")
        alice.close()
        time.sleep(0.1)
        with Behind(process.port, header) as bob:
            bob.join(ticket_of("bob"))
            with pytest.raises(HandshakeError) as error:
                Behind(process.port, header)
            assert error.value.code == 4


class Behind(RawPeer):
    """A client behind a proxy that speaks the PROXY protocol."""

    def __init__(self, port: int, header: bytes) -> None:
        self._header = header
        super().__init__(port)

    def shake_hands(self, request: bytes) -> bytes:
        return super().shake_hands(self._header + request)


def test_a_trusted_proxys_own_connections_are_counted_as_its(join: Callable[..., Peer]) -> None:
    configuration = static_configuration(limits={"connections_per_address": 2}, trusted_proxies=["127.0.0.1"])
    with RouterProcess(configuration) as process, RawPeer(process.port), RawPeer(process.port):
        with pytest.raises(HandshakeError) as error:
            RawPeer(process.port)
        assert error.value.code == 4
        # A client that the proxy's headers tell has places of its own.
        join("alice", process=process, headers=[("X-Forwarded-For", "203.0.113.1")])
