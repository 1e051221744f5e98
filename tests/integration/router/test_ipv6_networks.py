"""Limits per address count an IPv6 client by its network: whoever has one address has 2^64 of them."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest
from conftest import rule, static_configuration, ticket_of
from raw_wamp import Aborted, Peer, WampError, random_name
from raw_websocket import Closed, Ended, RawConnection
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

PROXY = "127.0.0.9"
LIMITS = {
    "connections_per_address": 3,
    "failed_logins_per_address_per_minute": 5,
    "publishes_per_second_per_address": 0.1,
    "burst_seconds": 50,
}


def configuration(**limits: Any) -> dict[str, Any]:
    made = static_configuration(trusted_proxies=[PROXY], limits=LIMITS | limits)
    made["realms"][0]["authorization"]["rules"].append(rule("client", ["call"], "wampgate.sessions.kill"))
    return made


@pytest.fixture(scope="module")
def counting() -> Iterator[RouterProcess]:
    with RouterProcess(configuration()) as process:
        yield process


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def status(process: RouterProcess, stack: ExitStack, address: str) -> int:
    """What a WebSocket of an address behind the proxy is answered; it stays open."""
    connection = stack.enter_context(RawConnection(process.port, source=PROXY))
    connection.send_bytes(upgrade(process, address))
    return connection.response().status


def upgrade(process: RouterProcess, address: str) -> bytes:
    from raw_websocket import upgrade_request

    return upgrade_request(process.port, headers=[("X-Forwarded-For", address)])


def peer(process: RouterProcess, address: str) -> Peer:
    return Peer(process.port, source=PROXY, headers=[("X-Forwarded-For", address)])


def test_connections_of_one_network_are_counted_together(counting: RouterProcess, stack: ExitStack) -> None:
    assert [status(counting, stack, f"2001:db8:0:1:{n:x}::1") for n in range(4)] == [101, 101, 101, 429]
    assert status(counting, stack, "2001:db8:0:2::1") == 101
    # The log names the whole address.
    counting.wait_for_log("refused a connection from 2001:db8:0:1:3::1: limits.connections_per_address is reached")


def test_an_ipv4_address_counts_as_itself_however_it_is_written(counting: RouterProcess, stack: ExitStack) -> None:
    written = ["203.0.113.1", "::ffff:203.0.113.1", "::ffff:cb00:7101", "203.0.113.1"]
    assert [status(counting, stack, address) for address in written] == [101, 101, 101, 429]
    assert status(counting, stack, "203.0.113.2") == 101


def test_guesses_of_one_network_are_counted_together(counting: RouterProcess) -> None:
    for number in range(5):
        with peer(counting, f"2001:db8:0:3::{number + 1:x}") as guessing, pytest.raises(Aborted):
            guessing.join(f"guess {number}")
    with peer(counting, "2001:db8:0:3::99") as guessing, pytest.raises(Aborted):
        guessing.join(ticket_of("alice"))
    counting.wait_for_log("too many refused logins from this address")
    with peer(counting, "2001:db8:0:4::1") as honest:
        assert honest.join(ticket_of("alice")).welcome["authid"] == "alice"


def test_rates_of_one_network_are_counted_together(counting: RouterProcess) -> None:
    published = 0
    for number in range(8):
        with peer(counting, f"2001:db8:0:5::{number:x}").join(ticket_of("alice")) as alice, suppress(WampError):
            alice.publish(random_name())
            published += 1
    assert published == 5
    with peer(counting, "2001:db8:0:6::1").join(ticket_of("alice")) as alice:
        assert alice.publish(random_name()) > 0


def test_killing_by_address_means_that_one(counting: RouterProcess) -> None:
    with (
        peer(counting, "2001:db8:0:7::1").join(ticket_of("alice")) as one,
        peer(counting, "2001:db8:0:7::2").join(ticket_of("alice")) as other,
        Peer(counting.port).join(ticket_of("bob")) as bob,
    ):
        assert bob.call("wampgate.sessions.kill", [], {"address": "2001:db8:0:7::1"}) == 1
        assert one.receive()[0] == 6
        with suppress(Closed, Ended):
            one.receive()
        assert other.subscribe(random_name()) > 0


def test_the_prefix_is_configured(stack: ExitStack) -> None:
    with RouterProcess(configuration(ipv6_prefix_bits=128, connections_per_address=1)) as process:
        assert status(process, stack, "2001:db8::1") == 101
        assert status(process, stack, "2001:db8::1") == 429
        assert status(process, stack, "2001:db8::2") == 101


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_over_ipv6_itself() -> None:
    """Its own socket, not a header; and IPv4 through it."""
    listen = [{"endpoint": r"tcp:0:interface=\:\:"}]
    with RouterProcess(configuration() | {"listen": listen}) as process, ExitStack() as stack:
        answered = []
        for host in ("::1", "::1", "::1", "::1", "127.0.0.1"):
            connection = stack.enter_context(socket.create_connection((host, process.port), timeout=5))
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            connection.settimeout(0.3)
            try:
                answered.append(connection.recv(1))
            except TimeoutError:
                answered.append(b"open")
            except ConnectionError:
                answered.append(b"")
        assert answered == [b"open"] * 3 + [b"", b"open"]
        process.wait_for_log("refused a connection from ::1: limits.connections_per_address is reached")
