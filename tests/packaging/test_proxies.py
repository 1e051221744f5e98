"""The proxies' configurations of examples/deploy/, each loaded by the real program, with real traffic through it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import ticket_of
from proxy_programs import DEPLOY, GUESSES, PROXIES, Haproxy, Node, Proxy
from raw_rawsocket import RawPeer
from raw_wamp import Aborted, Peer, random_name
from raw_websocket import PING, PONG, Ended, RawConnection, upgrade_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[Node]]:
    """Two routers, which all proxies have behind them."""
    with Node() as first, Node() as second:
        yield [first, second]


@pytest.fixture(scope="module", params=sorted(PROXIES))
def proxy(request: pytest.FixtureRequest, nodes: list[Node], tmp_path_factory: Any) -> Iterator[Proxy]:
    with started(request.param, nodes, tmp_path_factory.mktemp(request.param)) as running:
        yield running


def started(name: str, nodes: list[Node], folder: Path, other: dict[str, str] | None = None) -> Proxy:
    """A proxy in front of nodes, to be entered; one that is alone stands for both."""
    both = nodes if len(nodes) == 2 else nodes * 2
    return PROXIES[name]([node.port for node in both], [node.rawsocket for node in both], folder, other)


def connected(proxy: Proxy, **more: Any) -> Peer:
    """A WebSocket through the proxy, as a browser's page of the same host opens one."""
    host = f"localhost:{proxy.port}"
    headers = [("Host", host), *more.pop("headers", [("Origin", f"https://{host}")])]
    return Peer(proxy.port, tls=proxy.trusting(), headers=headers, **more)


def logs(nodes: list[Node]) -> str:
    return "".join(node.log() for node in nodes)


def wait_for(found: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_the_program_accepts_it_without_a_warning(proxy: Proxy) -> None:
    assert not re.search(r"\bwarn", proxy.checked, re.IGNORECASE), proxy.checked


def test_news_arrives_at_stock_autobahn(proxy: Proxy, nodes: list[Node], tmp_path: Path) -> None:
    output = tmp_path / "output"
    arguments = [f"wss://localhost:{proxy.port}/ws", "alice", ticket_of("alice"), "7"]
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, EXAMPLES / "python/subscribe.py", *arguments],
            env={**os.environ, "SSL_CERT_FILE": str(proxy.authority)},
            stdout=file,
            stderr=file,
        )
        try:
            wait_for(lambda: "alice listens" in output.read_text(), "no subscription")
            # Nodes without a bridge know nothing of one another, and either may have got the subscriber.
            for node in nodes:
                with Peer(node.port) as publisher:
                    publisher.join(ticket_of("backend")).publish("organization.7", ["through the proxy"])
            wait_for(lambda: "('through the proxy',)" in output.read_text(), output.read_text())
        finally:
            process.kill()
            process.wait()


def test_publishing_and_calling_work_through_it(proxy: Proxy) -> None:
    with connected(proxy) as peer:
        peer.join(ticket_of("alice"))
        topic, procedure = random_name(), random_name()
        peer.subscribe(topic)
        peer.publish(topic, ["x" * 200_000], exclude_me=False)
        assert peer.event()[4] == ["x" * 200_000]
        peer.register(procedure)
        request = peer.start_call(procedure, [1])
        invocation = peer.receive()
        peer.send(70, invocation[1], {}, [2])
        assert peer.result(request)[3] == [2]


def test_the_router_knows_the_clients_address(proxy: Proxy, nodes: list[Node]) -> None:
    with connected(proxy, source="127.0.0.21") as peer, pytest.raises(Aborted):
        peer.join("a wrong one")
    wait_for(lambda: "join refused to 127.0.0.21:" in logs(nodes), logs(nodes)[-2000:])


def test_what_the_client_says_about_its_address_is_not_believed(proxy: Proxy, nodes: list[Node]) -> None:
    headers = [("X-Forwarded-For", "203.0.113.99"), ("X-Forwarded-Proto", "https")]
    with connected(proxy, source="127.0.0.22", headers=headers) as peer, pytest.raises(Aborted):
        peer.join("a wrong one")
    wait_for(lambda: "join refused to 127.0.0.22:" in logs(nodes), logs(nodes)[-2000:])
    assert "203.0.113.99" not in logs(nodes)


def test_one_clients_guesses_lock_nobody_else_out(proxy: Proxy) -> None:
    mine = f"127.0.{30 + sorted(PROXIES).index(proxy.name)}.1"

    def login(source: str, ticket: str) -> str:
        try:
            with connected(proxy, source=source) as peer:
                peer.join(ticket)
        except Aborted as aborted:
            return aborted.reason
        return "joined"

    # Two nodes count for themselves.
    for _ in range(2 * GUESSES + 2):
        assert login(mine, "wrong") == "wamp.error.authentication_denied"
    assert login(mine, ticket_of("alice")) == "wamp.error.authentication_denied"
    assert login("127.0.0.24", ticket_of("alice")) == "joined"


def test_pages_of_other_origins_stay_out(proxy: Proxy) -> None:
    host = f"localhost:{proxy.port}"
    with RawConnection(proxy.port, tls=proxy.trusting()) as connection:
        connection.send_bytes(upgrade_request(proxy.port, headers=[("Host", host), ("Origin", "https://evil.example")]))
        # The proxy keeps its connection to the client, whatever becomes of its own to the node.
        assert connection.socket.recv(12) == b"HTTP/1.1 403"


def test_the_page_and_the_health_are_served(proxy: Proxy) -> None:
    for path, content in (("/", b"<html"), ("/health/live", b"ok")):
        with RawConnection(proxy.port, tls=proxy.trusting()) as connection:
            answer = connection.request(path, headers=[("Host", f"localhost:{proxy.port}"), ("Connection", "close")])
            assert answer.status == 200
            assert content in answer.body


# --- what is cut, and what is not ---

SHORT = {
    "nginx": {"proxy_read_timeout 120s": "proxy_read_timeout 2s", "proxy_send_timeout 120s": "proxy_send_timeout 2s"},
    "haproxy": {"timeout tunnel 120s": "timeout tunnel 2s"},
    "caddy": {},
}
"""The timeouts as short as a test can wait for, in the place of those that the files have."""


@pytest.mark.parametrize("name", sorted(PROXIES))
def test_a_quiet_connection_survives_while_pings_come_sooner_than_the_timeout(name: str, tmp_path: Path) -> None:
    with (
        Node(ping_seconds=0.7) as node,
        started(name, [node], tmp_path, SHORT[name]) as running,
        connected(running) as quiet,
    ):
        topic = random_name()
        quiet.join(ticket_of("alice")).subscribe(topic)
        assert pings_answered(quiet, 5) >= 3
        with Peer(node.port) as publisher:
            publisher.join(ticket_of("bob")).publish(topic, ["still there"])
        assert quiet.event()[4] == ["still there"]


def pings_answered(peer: Peer, seconds: float) -> int:
    """Do nothing for so long but answer pings; how many there were."""
    answered = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        received = peer.receive_frame()
        assert received.opcode == PING, received
        peer.send_frame(PONG, received.payload)
        answered += 1
    return answered


@pytest.mark.parametrize("name", [name for name in sorted(SHORT) if SHORT[name]])
def test_without_pings_it_would_be_cut(name: str, tmp_path: Path) -> None:
    with (
        Node(ping_seconds=60) as node,
        started(name, [node], tmp_path, SHORT[name]) as running,
        connected(running) as quiet,
    ):
        quiet.join(ticket_of("alice"))
        with pytest.raises(Ended):
            quiet.receive()


@pytest.mark.parametrize(
    ("file", "pattern"),
    [("nginx/wampgate.conf", r"proxy_(?:read|send)_timeout (\d+)s"), ("haproxy/haproxy.cfg", r"timeout tunnel (\d+)s")],
)
def test_the_timeouts_are_longer_than_two_periods_of_pings(file: str, pattern: str) -> None:
    from wampgate.config.limits import Limits

    found = re.findall(pattern, (DEPLOY / file).read_text())
    assert found
    assert all(int(seconds) >= 2 * Limits().ping_seconds for seconds in found)


@pytest.mark.parametrize("name", sorted(PROXIES))
def test_a_node_that_is_gone_costs_nobody_an_answer(name: str, tmp_path: Path) -> None:
    with Node() as first, Node() as second, started(name, [first, second], tmp_path) as running:
        held = [connected(running) for _ in range(6)]
        for peer in held:
            peer.join(ticket_of("alice"))
        shares = [count_of(node) for node in (first, second)]
        assert min(shares) >= 2, f"the nodes hold {shares} of 6 connections"
        first.signal(signal.SIGKILL)
        first.wait()
        for _ in range(4):
            with connected(running) as peer:
                peer.join(ticket_of("bob"))
        for peer in held:
            peer.close()
        first.stop()


def count_of(node: Node) -> int:
    """How many clients a node has, as it tells by its open connections from the proxy."""
    established = 0
    for line in Path(f"/proc/{node.pid}/net/tcp").read_text().splitlines()[1:]:
        local, state = line.split()[1], line.split()[3]
        established += local.endswith(f":{node.port:04X}") and state == "01"
    return established


# --- RawSocket, by the PROXY protocol ---


@pytest.fixture
def haproxy(nodes: list[Node], tmp_path: Path) -> Iterator[Haproxy]:
    with started("haproxy", nodes, tmp_path) as running:
        assert isinstance(running, Haproxy)
        yield running


def test_rawsocket_clients_keep_their_addresses(haproxy: Haproxy, nodes: list[Node]) -> None:
    with RawPeer(haproxy.tls_rawsocket, tls=haproxy.trusting(), source="127.0.0.41") as peer, pytest.raises(Aborted):
        peer.join("a wrong one")
    wait_for(lambda: "join refused to 127.0.0.41:" in logs(nodes), logs(nodes)[-2000:])
    with RawPeer(haproxy.tls_rawsocket, tls=haproxy.trusting(), source="127.0.0.42") as peer:
        topic = random_name()
        peer.join(ticket_of("alice")).subscribe(topic)
        peer.publish(topic, ["raw"], exclude_me=False)
        assert peer.event()[4] == ["raw"]


def test_nobody_comes_to_the_nodes_own_listener_without_the_header(nodes: list[Node]) -> None:
    with RawConnection(nodes[0].rawsocket) as connection:
        connection.send_bytes(b"\x7f\xf1\0\0")
        assert connection.ended() < 5


def test_the_nodes_complain_of_nothing(proxy: Proxy, nodes: list[Node]) -> None:
    """Health checks, and connections that a proxy keeps open, are no reason for a line each."""
    before = len(logs(nodes))
    time.sleep(2.5)
    assert logs(nodes)[before:].count("\n") <= 1, logs(nodes)[before:]
