"""The one port: what is served on it, whose Host and Origin may come in, deadlines, caps, and malformed requests."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import static_configuration, ticket_of
from raw_wamp import Peer, random_name
from raw_websocket import RawConnection, Refused, upgrade_request
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def named() -> Iterator[RouterProcess]:
    """A router that has a name and trusts pages of another origin."""
    configuration = static_configuration(
        hosts=["news.example.org", "intern.example.org:8443"],
        origins=["https://app.example.org", "http://localhost:3000"],
        limits={"header_seconds": 1, "hello_seconds": 1, "join_seconds": 1.5},
    )
    with RouterProcess(configuration) as process:
        yield process


@pytest.fixture
def raw() -> Iterator[Callable[[RouterProcess], RawConnection]]:
    connections: list[RawConnection] = []

    def open_one(process: RouterProcess) -> RawConnection:
        connections.append(RawConnection(process.port))
        return connections[-1]

    yield open_one
    for connection in connections:
        connection.close()


def upgrade_status(process: RouterProcess, headers: list[tuple[str, str]], path: str = "/ws") -> int:
    with RawConnection(process.port) as raw:
        try:
            return raw.upgrade(headers=headers, path=path).status
        except Refused as refused:
            return refused.response.status


# --- what is served ---


def test_the_page_and_wamp_are_on_one_port(router: RouterProcess, raw: Callable[..., RawConnection]) -> None:
    page = raw(router).request("/")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["connection"] == "close"
    assert b"wamp" in page.body.lower()
    assert raw(router).request("/health/live").body == b"ok\n"
    assert raw(router).request("/ws").status == 426
    assert raw(router).request("/nothing").status == 404
    assert raw(router).request("/../../etc/passwd").status == 404
    assert raw(router).request("/", method="POST").status == 405
    assert upgrade_status(router, []) == 101


def test_websockets_are_at_their_path_only(router: RouterProcess) -> None:
    for path in ("/", "/wss", "/ws/", "/WS", "/health/live", "//ws"):
        assert upgrade_status(router, [], path) == 404
    assert upgrade_status(router, [], "/ws?token=ignored") == 101


def test_the_first_subprotocol_that_is_known_is_chosen(router: RouterProcess) -> None:
    for offered, chosen in (
        ("wamp.2.json", "wamp.2.json"),
        ("wamp.2.cbor, wamp.2.json", "wamp.2.cbor"),
        ("soap, wamp.2.json.batched, wamp.2.msgpack", "wamp.2.msgpack"),
    ):
        with RawConnection(router.port) as raw:
            assert raw.upgrade(offered).headers["sec-websocket-protocol"] == chosen
    for unknown in (None, "soap", "wamp.2.ubjson", "WAMP.2.JSON"):
        with RawConnection(router.port) as raw, pytest.raises(Refused) as refused:
            raw.upgrade(unknown)
        assert refused.value.response.status == 400
        assert "wamp.2.json" in refused.value.response.reason


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Sec-WebSocket-Version", "8")], 400),
        ([("Sec-WebSocket-Version", "x")], 400),
        ([("Sec-WebSocket-Version", "")], 400),
        ([("Sec-WebSocket-Key", "")], 400),
        ([("Sec-WebSocket-Key", "short")], 400),
        ([("Connection", "keep-alive")], 400),
        ([("Connection", "keep-alive, Upgrade")], 101),
        ([("Upgrade", "WebSocket")], 101),
    ],
)
def test_an_upgrade_has_to_be_complete(router: RouterProcess, headers: list[tuple[str, str]], status: int) -> None:
    assert upgrade_status(router, headers) == status


# --- Host and Origin ---


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:PORT", 101),
        ("127.0.0.1", 101),
        ("localhost:PORT", 101),
        ("LocalHost:PORT", 101),
        ("[::1]:PORT", 101),
        ("news.example.org", 101),
        ("news.example.org:8080", 101),
        ("NEWS.example.org", 101),
        ("intern.example.org:8443", 101),
        ("intern.example.org", 421),
        ("intern.example.org:PORT", 421),
        ("evil.example", 421),
        ("evil.example:PORT", 421),
        ("news.example.org.evil.example", 421),
        ("evilnews.example.org", 421),
        ("a.news.example.org", 421),
        ("news.example.org.", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:PORT", 421),
        ("evil.example#localhost", 421),
        ("evil.example@localhost", 421),
        ("localhost@evil.example", 421),
        ("localhost:PORT:80", 421),
        ("localhost:x", 421),
        ("localhost,evil.example", 421),
        ("127.1", 421),
        ("0.0.0.0:PORT", 421),
        ("2130706433", 421),
        (" ", 421),
        ("", 400),
    ],
)
def test_hosts(named: RouterProcess, host: str, status: int) -> None:
    host = host.replace("PORT", str(named.port))
    assert upgrade_status(named, [("Host", host)]) == status
    with RawConnection(named.port) as raw:
        line = f"Host: {host}\r\n" if host else ""
        raw.send_bytes(f"GET /health/live HTTP/1.1\r\n{line}\r\n".encode())
        assert raw.response().status == (200 if status == 101 else status)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:PORT", 101),
        ("https://127.0.0.1:PORT", 101),
        ("HTTP://127.0.0.1:PORT", 101),
        ("https://app.example.org", 101),
        ("http://localhost:3000", 101),
        ("null", 403),
        (" ", 403),
        ("*", 403),
        ("file://", 403),
        ("http://evil.example", 403),
        ("http://127.0.0.1", 403),
        ("http://127.0.0.1:1", 403),
        ("http://127.0.0.1:PORT0", 403),
        ("http://127.0.0.1:PORT.evil.example", 403),
        ("http://127.0.0.1:PORT@evil.example", 403),
        ("http://evil.example@127.0.0.1:PORT", 403),
        ("http://127.0.0.1.evil.example:PORT", 403),
        ("http://127.0.0.1:PORT/", 403),
        ("http://127.0.0.1:PORT/path", 403),
        ("http://127.0.0.1:PORT?query", 403),
        ("http://127.0.0.1:PORT#fragment", 403),
        ("http://127.0.0.1:PORT http://evil.example", 403),
        ("http://evil.example, http://127.0.0.1:PORT", 403),
        ("http://localhost:PORT", 403),
        ("http://[::1]:PORT", 403),
        ("ws://127.0.0.1:PORT", 403),
        ("127.0.0.1:PORT", 403),
        ("//127.0.0.1:PORT", 403),
        ("chrome-extension://abcdefgh", 403),
        ("http://app.example.org", 403),
        ("https://app.example.org:8443", 403),
        ("https://app.example.org.evil.example", 403),
        ("https://evilapp.example.org", 403),
        ("https://app.example.org.", 403),
        ("https://app.example.org\t.evil.example", 403),
        ("http://localhost:30000", 403),
        ("http://127.0.0.1:99999999999", 403),
        ("http://127.0.0.1:-1", 403),
        ("http://[", 403),
        ("http://\xe9vil.example", 403),
    ],
)
def test_origins(named: RouterProcess, origin: str, status: int) -> None:
    assert upgrade_status(named, [("Origin", origin.replace("PORT", str(named.port)))]) == status


def test_a_rebound_name_is_no_way_in(named: RouterProcess, raw: Callable[..., RawConnection]) -> None:
    """To the browser, the attacker's page and the router are of one origin: the attacker's name tells them apart."""
    name = f"evil.example:{named.port}"
    assert upgrade_status(named, [("Host", name), ("Origin", f"http://{name}")]) == 421
    assert raw(named).request("/", headers=[("Host", name)]).status == 421


def test_the_log_names_the_key_that_would_let_them_in(named: RouterProcess) -> None:
    upgrade_status(named, [("Host", "forgotten.example.org")])
    upgrade_status(named, [("Origin", "https://forgotten.example.org")])
    log = named.wait_for_log("Origin 'https://forgotten.example.org'")
    assert "Host 'forgotten.example.org': add it to `hosts`" in log
    assert "add it to `origins`" in log


# --- malformed and smuggled requests ---


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /ws HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHOST: localhost\r\n\r\n", 400),
        (b"GET /ws HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\nOrigin: http://localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"EHLO evil.example\r\n\r\n", 400),
        (b"hello there\r\n\r\n", 400),
        (b"{}", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 8192 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 8192 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: x\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: xxxxxxxxxxxxx\r\n" * 2000, 431),
        (b"GET " + b"x" * 33_000, 431),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else str(value),
)
def test_what_is_no_request_is_refused(
    router: RouterProcess, raw: Callable[..., RawConnection], request_bytes: bytes, status: int
) -> None:
    connection = raw(router)
    connection.send_bytes(request_bytes)
    assert connection.response().status == status


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;a\r\nhello\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
        b"GET / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n",
    ],
)
def test_one_connection_serves_one_request(
    router: RouterProcess, raw: Callable[..., RawConnection], first: bytes
) -> None:
    """A second request on it would not have had its Host and Origin checked."""
    connection = raw(router)
    smuggled = b"GET /health/live HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    connection.send_bytes(first + smuggled)
    response = connection.response()
    assert b"HTTP/1.1" not in response.body
    assert not response.body.endswith(b"ok\n")


def test_an_upgrade_with_a_body_is_frames_from_there_on(
    router: RouterProcess, raw: Callable[..., RawConnection]
) -> None:
    connection = raw(router)
    request = upgrade_request(router.port, headers=[("Content-Length", "50"), ("Transfer-Encoding", "chunked")])
    connection.send_bytes(request + b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    try:
        connection.upgraded()
    except Refused:
        return
    assert connection.closed()[0] == 1002


def test_headers_may_come_byte_by_byte(router: RouterProcess, raw: Callable[..., RawConnection]) -> None:
    connection = raw(router)
    request = upgrade_request(router.port)
    connection.send_split(request, range(len(request)))
    assert connection.upgraded().status == 101


# --- deadlines ---


def test_a_header_that_does_not_come_is_not_waited_for(named: RouterProcess, raw: Callable[..., RawConnection]) -> None:
    silent, slow = raw(named), raw(named)
    slow.send_bytes(b"GET / HTTP/1.1\r\nHost: local")
    start = time.monotonic()
    with suppress(OSError):
        while time.monotonic() - start < 3:
            slow.send_bytes(b"x")
            time.sleep(0.05)
    assert 0.9 < time.monotonic() - start < 2.5
    assert silent.ended(2) < 2


def test_silence_after_the_upgrade(named: RouterProcess, raw: Callable[..., RawConnection]) -> None:
    connection = raw(named)
    connection.upgrade()
    start = time.monotonic()
    assert connection.closed()[0] == 1008
    assert 0.9 < time.monotonic() - start < 2.5


def test_pings_do_not_prolong_the_wait_for_hello(named: RouterProcess, raw: Callable[..., RawConnection]) -> None:
    connection = raw(named)
    connection.upgrade()
    start = time.monotonic()
    for _ in range(8):
        connection.send_frame(9, b"still here")
        time.sleep(0.1)
    assert connection.closed()[0] == 1008
    assert time.monotonic() - start < 2.5


def test_silence_after_challenge(named: RouterProcess, connect: Callable[..., Peer]) -> None:
    peer = connect(named)
    start = time.monotonic()
    peer.hello(authmethods=["ticket"])
    assert peer.receive()[0] == 4
    assert peer.aborted() == ("wamp.error.authentication_failed", 1008)
    assert 1 < time.monotonic() - start < 3.5


def test_a_session_outlives_the_deadlines_of_joining(named: RouterProcess, connect: Callable[..., Peer]) -> None:
    peer = connect(named).join(ticket_of("alice"))
    time.sleep(2)
    assert peer.publish(random_name()) > 0


def test_an_honest_login_is_quick_among_many_that_stall(router: RouterProcess) -> None:
    stalled: list[RawConnection] = []
    try:
        for number in range(240):
            connection = RawConnection(router.port)
            stalled.append(connection)
            if number % 3 == 1:
                connection.send_bytes(b"GET / HTTP/1.1\r\nHost: local")
            elif number % 3 == 2:
                connection.upgrade()
        waits = []
        for _ in range(20):
            start = time.monotonic()
            with Peer(router.port).join(ticket_of("alice")) as peer:
                assert peer.publish(random_name()) > 0
            waits.append(time.monotonic() - start)
    finally:
        for connection in stalled:
            connection.close()
    assert max(waits) < 1


# --- the demo ---


@pytest.mark.parametrize(
    "header",
    ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via", "x-forwarded-for"],
)
def test_the_demo_refuses_what_came_through_a_proxy(
    demo: RouterProcess, router: RouterProcess, raw: Callable[..., RawConnection], header: str
) -> None:
    assert upgrade_status(demo, [(header, "127.0.0.1")]) == 403
    assert raw(demo).request("/", headers=[(header, "127.0.0.1")]).status == 403
    assert upgrade_status(router, [(header, "127.0.0.1")]) == 101


def test_the_demo_listens_on_loopback_only(demo: RouterProcess) -> None:
    # Where clients come, and where operators do.
    found = listening(demo)
    assert ("0100007F", demo.port) in found
    assert {address for address, _ in found} == {"0100007F"}
    assert len(found) == 2


def listening(process: RouterProcess) -> set[tuple[str, int]]:
    """Addresses (as the kernel writes them) and ports on which a process listens."""
    sockets = {
        link.split("[")[1].rstrip("]")
        for link in (str(path.readlink()) for path in Path(f"/proc/{process.pid}/fd").iterdir())
        if link.startswith("socket:")
    }
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process.pid}/net/{table}").read_text().splitlines()[1:]:
            fields: list[Any] = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                address, _, port = fields[1].partition(":")
                found.add((address, int(port, 16)))
    return found
