"""Behind a proxy: the daemon counts, refuses and logs by the client's address, and believes no one who is not named."""

from __future__ import annotations

import re
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

import pytest
from conftest import static_configuration, ticket_of
from raw_wamp import Aborted, Peer, random_name
from raw_websocket import Ended, RawConnection, Refused, upgrade_request
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROXY = "127.0.0.9"
"""Loopback addresses stand for machines: this one is the proxy, 127.0.0.1 is anyone."""

GUESSES = 5


class WithOneMore(RouterProcess):
    """A daemon with a second listener, which Twisted announces in another way."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        super().__init__(configuration)
        self.second = str(configuration["listen"][1]["endpoint"])

    @property
    def behind(self) -> int:
        """The second listener's port."""
        return int(self.second.split(":")[1])

    def start(self) -> None:
        super().start()
        self.wait_for_log(f"listening on {self.second}")

    def _endpoints(self) -> int:
        return 1


@pytest.fixture(scope="module")
def proxied() -> Iterator[WithOneMore]:
    """A router that trusts one proxy, on a plain listener and on one with the PROXY protocol."""
    configuration = static_configuration(
        listen=[
            {"endpoint": "tcp:0:interface=127.0.0.1"},
            {"endpoint": f"tcp:{free_port()}:interface=127.0.0.1", "proxy_protocol": True},
        ],
        trusted_proxies=[PROXY, "127.0.1.0/24"],
        limits={
            "failed_logins_per_address_per_minute": GUESSES,
            "connections_per_address": 3,
            "header_seconds": 1,
        },
    )
    with WithOneMore(configuration) as process:
        yield process


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def refused_address(process: RouterProcess, headers: list[tuple[str, str]], source: str = PROXY) -> str:
    """As whom the log knows a client that guesses."""
    before = process.log().count("join refused to")
    with Peer(process.port, headers=headers, source=source) as peer, pytest.raises(Aborted):
        peer.join("a wrong one")
    log = process.wait_for_log("join refused to", count=before + 1)
    return re.findall(r"join refused to (.*?): ", log)[-1]


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ([], rf"{PROXY}:\d+"),
        ([("X-Forwarded-For", "203.0.113.1")], r"203\.0\.113\.1:"),
        ([("X-Forwarded-For", "198.51.100.1, 203.0.113.2")], r"203\.0\.113\.2:"),
        ([("X-Forwarded-For", "198.51.100.1, 203.0.113.3, 127.0.1.7")], r"203\.0\.113\.3:"),
        ([("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-For", "203.0.113.4")], r"203\.0\.113\.4:"),
        ([("X-Forwarded-For", "2001:db8::5")], r"2001:db8::5:"),
        ([("X-Forwarded-For", "203.0.113.6:5000")], r"203\.0\.113\.6:5000"),
        ([("X-Forwarded-For", "203.0.113.7, evil.example")], rf"{PROXY}:\d+"),
        ([("Forwarded", "for=203.0.113.8"), ("X-Real-IP", "203.0.113.8")], rf"{PROXY}:\d+"),
    ],
)
def test_the_log_names_the_client(proxied: WithOneMore, headers: list[tuple[str, str]], address: str) -> None:
    assert re.fullmatch(address, refused_address(proxied, headers))


def test_who_is_no_trusted_proxy_is_not_believed(proxied: WithOneMore) -> None:
    claims = [("X-Forwarded-For", "203.0.113.1"), ("X-Forwarded-Proto", "https")]
    assert refused_address(proxied, claims, source="127.0.0.1").startswith("127.0.0.1:")
    assert refused_address(proxied, claims, source="127.0.0.1").startswith("127.0.0.1:")
    # One line says what to do, and only one, or everyone could fill the log.
    log = proxied.wait_for_log("`trusted_proxies`")
    assert log.count("came with x-forwarded-for") == 1


def guess(process: RouterProcess, client: str, ticket: str, source: str = PROXY) -> str:
    """The answer to a login behind the proxy."""
    try:
        with Peer(process.port, headers=[("X-Forwarded-For", client)], source=source) as peer:
            peer.join(ticket)
    except Aborted as aborted:
        return aborted.reason
    return "joined"


def test_one_clients_guesses_do_not_lock_the_others_out(proxied: WithOneMore) -> None:
    # An honest one behind the same proxy logs in as often as it likes.
    for _ in range(3 * GUESSES):
        assert guess(proxied, "203.0.113.20", ticket_of("alice")) == "joined"
    for _ in range(GUESSES):
        assert guess(proxied, "203.0.113.21", "wrong") == "wamp.error.authentication_denied"
    assert guess(proxied, "203.0.113.21", ticket_of("alice")) == "wamp.error.authentication_denied"
    proxied.wait_for_log("join refused to 203.0.113.21:: too many refused logins from this address")
    # Neither does a forged hop help the one, nor does it harm another.
    assert guess(proxied, "203.0.113.20, 203.0.113.21", ticket_of("alice")) == "wamp.error.authentication_denied"
    assert guess(proxied, "203.0.113.21, 203.0.113.22", ticket_of("alice")) == "joined"


def test_each_client_has_places_of_its_own(proxied: WithOneMore) -> None:
    def open_one(client: str) -> Peer:
        return Peer(proxied.port, headers=[("X-Forwarded-For", client)], source=PROXY)

    mine = [open_one("203.0.113.30") for _ in range(3)]
    with pytest.raises(Refused) as refused:
        open_one("203.0.113.30")
    assert refused.value.response.status == 429
    others = [open_one("203.0.113.31") for _ in range(3)]
    # The proxy holds six connections by now, and may hold more.
    assert "refused a connection from 203.0.113.30: limits.connections_per_address" in proxied.log()
    for peer in mine:
        peer.close()
    deadline = time.monotonic() + 5
    while True:
        try:
            open_one("203.0.113.30").close()
            break
        except Refused:
            assert time.monotonic() < deadline, "the places did not come back"
    for peer in others:
        peer.close()


# --- the PROXY protocol ---


def version_1(client: str = "203.0.113.40") -> bytes:
    return f"PROXY TCP4 {client} 127.0.0.1 5000 443\r\n".encode()


def version_2(client: str = "203.0.113.40", *, command: int = 0x21) -> bytes:
    body = socket.inet_aton(client) + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 5000, 443) + b"\x04\0\x01x"
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", command, 0x11, len(body)) + body


def behind(process: WithOneMore, source: str = PROXY) -> RawConnection:
    return RawConnection(process.behind, source=source)


@pytest.mark.parametrize("header", [version_1, version_2])
@pytest.mark.parametrize("split", [False, True])
def test_a_proxy_header_tells_who_is_there(proxied: WithOneMore, header: Any, split: bool) -> None:
    client = f"203.0.113.{50 + 2 * split + (header is version_2)}"
    with behind(proxied) as connection:
        data = header(client) + upgrade_request(connection.port)
        connection.send_split(data, range(1, 60) if split else ())
        connection.upgraded()
        connection.send_frame(1, b'[1,"realm1",{"roles":{"caller":{}},"authmethods":["ticket"]}]')
        connection.receive_message()
        connection.send_frame(1, b'[5,"wrong",{}]')
        assert b"authentication_denied" in connection.receive_message()[1]
    proxied.wait_for_log(f"join refused to {client}:5000: ")


def test_a_proxys_own_health_check_is_answered(proxied: WithOneMore) -> None:
    for header in (b"PROXY UNKNOWN\r\n", version_2(command=0x20)):
        with behind(proxied) as connection:
            connection.send_bytes(header + b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.response().status == 200


def test_http_headers_of_a_second_proxy_are_believed_if_that_is_trusted_as_well(proxied: WithOneMore) -> None:
    for inner, outer in (("127.0.1.5", "203.0.113.60"), ("203.0.113.61", "198.51.100.9")):
        with behind(proxied) as connection:
            connection.send_bytes(
                version_1(inner) + upgrade_request(connection.port, headers=[("X-Forwarded-For", outer)])
            )
            connection.upgraded()
            connection.send_frame(1, b'[1,"realm1",{"roles":{"caller":{}},"authmethods":["nothing"]}]')
            connection.receive_message()
    log = proxied.wait_for_log("join refused to 203.0.113.61:5000: ")
    assert "join refused to 203.0.113.60:: " in log
    assert "198.51.100.9" not in log


@pytest.mark.parametrize(
    "data",
    [
        b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PROXY TCP4 x y 1 2\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_without_the_header_nothing_is_served(proxied: WithOneMore, data: bytes) -> None:
    with behind(proxied) as connection:
        connection.send_bytes(data)
        with pytest.raises(Ended):
            connection.response()
    proxied.wait_for_log(f"refused a connection from {PROXY}: ")


def test_the_header_has_to_come_in_time(proxied: WithOneMore) -> None:
    with behind(proxied) as silent, behind(proxied) as slow:
        slow.send_bytes(version_2()[:20])
        start = time.monotonic()
        assert silent.ended(3) < 2.5
        assert slow.ended(3) < 2.5
        assert time.monotonic() - start > 0.7


def is_served(process: WithOneMore, source: str) -> bool:
    try:
        with behind(process, source) as connection:
            connection.send_bytes(version_1() + b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return connection.response().status == 200
    except (Ended, OSError):
        return False


def test_from_others_no_header_is_taken(proxied: WithOneMore) -> None:
    assert is_served(proxied, PROXY)
    assert not is_served(proxied, "127.0.0.1")
    proxied.wait_for_log("and the address is not in `trusted_proxies`")


def test_a_header_where_none_is_expected_is_refused_and_the_key_named(proxied: WithOneMore) -> None:
    for header in (version_1(), version_2()):
        with RawConnection(proxied.port, source=PROXY) as connection:
            connection.send_bytes(header + b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.response().status == 400
    proxied.wait_for_log("set `proxy_protocol` on the listener")


# --- Unix sockets ---


@pytest.mark.parametrize("trusted", [[], ["unix"]])
def test_a_unix_socket_is_trusted_if_it_is_named(tmp_path: Path, trusted: list[str]) -> None:
    path = tmp_path / "router.sock"
    listen = [{"endpoint": "tcp:0:interface=127.0.0.1"}, {"endpoint": f"unix:{path}"}]
    with WithOneMore(static_configuration(listen=listen, trusted_proxies=trusted)) as process:
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(10)
            plain.connect(str(path))
            plain.sendall(upgrade_request(0, headers=[("Host", "localhost"), ("X-Forwarded-For", "203.0.113.70")]))
            assert b" 101 " in plain.recv(4096)
            hello = b'[1,"realm1",{"roles":{"caller":{}},"authmethods":["nothing"]}]'
            plain.sendall(b"\x81" + bytes([0x80 | len(hello)]) + b"\0\0\0\0" + hello)
            assert b"no_matching_auth_method" in plain.recv(4096)
        expected = "203.0.113.70:" if trusted else "unix:"
        process.wait_for_log(f"join refused to {expected}: ")
        with Peer(process.port).join(ticket_of("alice")) as peer:
            assert peer.publish(random_name()) > 0
