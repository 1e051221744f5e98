"""The site, listening on a real port and asked byte by byte."""

from __future__ import annotations

import io
import re
import socket
import time
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]  # ships no types
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread
from twisted.logger import globalLogPublisher, textFileLogObserver

from wampgate.http.site import FILES, make_site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    Test = Callable[..., Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, list[str]]
    body: bytes

    def header(self, name: str) -> str:
        (value,) = self.headers[name.lower()]
        return value


def exchange(port: int, request: bytes) -> bytes:
    """Everything that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def parse(raw: bytes) -> Response:
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower(), []).append(value)
    return Response(int(status.split(" ")[1]), headers, body)


async def ask(port: int, method: str, path: str, *lines: str, body: bytes = b"") -> Response:
    request = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""]).encode("latin-1") + body
    return parse(await deferToThread(exchange, port, request))


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]  # ships no types
async def port() -> AsyncIterator[int]:
    listening: Any = reactor
    listening = listening.listenTCP(0, make_site(deadline=1.0), interface="127.0.0.1")
    yield listening.getHost().port
    await listening.stopListening()


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    written = io.StringIO()
    observer: Any = textFileLogObserver(written)
    globalLogPublisher.addObserver(observer)
    yield written
    globalLogPublisher.removeObserver(observer)


in_reactor: Callable[[Test], Test] = pytest_twisted.ensureDeferred


@pytest.mark.parametrize("name", FILES)
@in_reactor
async def test_each_file_is_served_as_it_is_in_the_package(port: int, name: str) -> None:
    response = await ask(port, "GET", f"/{name}")
    assert response.status == 200
    assert response.body == resources.files("wampgate.http").joinpath("page", name).read_bytes()
    assert response.header("Content-Type") == FILES[name].decode()
    assert response.header("Cache-Control") == "no-cache"
    assert response.header("Content-Length") == str(len(response.body))


@in_reactor
async def test_the_root_is_the_page(port: int) -> None:
    assert (await ask(port, "GET", "/?from=a-link")).body == (await ask(port, "GET", "/index.html")).body


def test_every_file_of_the_page_is_served() -> None:
    there = {path.name for path in resources.files("wampgate.http").joinpath("page").iterdir()}
    assert there == set(FILES)


def test_the_page_names_no_other_host_and_has_nothing_inline() -> None:
    for name in FILES:
        text = resources.files("wampgate.http").joinpath("page", name).read_text("utf-8")
        addresses = set(re.findall(r"(?:https?|wss?)://[\w.-]+", text))
        assert addresses <= {"http://www.w3.org", "wss://news.example.org"}, name
        assert not re.search(r"\bon[a-z]+=|style=|javascript:|<style|innerHTML|eval\(", text), name
    html = resources.files("wampgate.http").joinpath("page", "index.html").read_text("utf-8")
    assert re.findall(r"<script[^>]*>([^<]*)</script>", html) == [""]


@in_reactor
async def test_an_unchanged_file_is_not_sent_again(port: int) -> None:
    first = await ask(port, "GET", "/wamp.js")
    second = await ask(port, "GET", "/wamp.js", f"If-None-Match: {first.header('ETag')}")
    other = await ask(port, "GET", "/wamp.js", 'If-None-Match: "else"')
    assert (second.status, second.body) == (304, b"")
    assert "content-length" not in second.headers
    assert second.header("ETag") == first.header("ETag")
    assert (other.status, other.body) == (200, first.body)


@in_reactor
async def test_head_tells_the_length_and_sends_no_body(port: int) -> None:
    for path in ("/", "/health/live", "/nowhere"):
        full, head = await ask(port, "GET", path), await ask(port, "HEAD", path)
        assert (head.status, head.body) == (full.status, b"")
        assert head.header("Content-Length") == str(len(full.body))


@in_reactor
async def test_liveness(port: int) -> None:
    response = await ask(port, "GET", "/health/live")
    assert (response.status, response.body) == (200, b"ok\n")
    assert response.header("Cache-Control") == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/page",
        "/health",
        "/health/",
        "/health/live/more",
        "/index.html/",
        "/wamp.js/more",
        "/../site.py",
        "/..%2fsite.py",
        "/%2e%2e/site.py",
        "/page/index.html",
        "//etc/passwd",
        "/index.html%00",
        "/<script>alert(1)</script>",
    ],
)
@in_reactor
async def test_what_is_not_there_is_a_short_text(port: int, path: str) -> None:
    response = await ask(port, "GET", path)
    assert (response.status, response.body) == (404, b"There is nothing at this address.\n")
    assert response.header("Content-Type") == "text/plain; charset=utf-8"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/", "/health/live", "/nowhere", "/ws"])
@in_reactor
async def test_other_methods_are_not_allowed(port: int, method: str, path: str) -> None:
    response = await ask(port, method, path)
    assert response.status == 405
    assert response.header("Allow") == "GET, HEAD"
    assert response.header("Content-Type") == "text/plain; charset=utf-8"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("length", "body"),
    [
        ("Content-Length: 5", b"hello"),
        ("Content-Length: 5", b""),
        ("Content-Length: 99999999999", b"x" * 10_000),
        ("Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"),
        ("Content-Length: 5\r\nExpect: 100-continue", b""),
        ("Content-Length: 44", b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    ],
)
@in_reactor
async def test_a_body_is_refused_once_and_unread(port: int, method: str, length: str, body: bytes) -> None:
    response = await ask(port, method, "/", length, body=body)
    assert response.status == 413
    assert int(response.header("Content-Length")) == len(response.body)
    assert b"HTTP/" not in response.body


@in_reactor
async def test_a_plain_request_where_wamp_is_spoken_is_told_so(port: int) -> None:
    response = await ask(port, "GET", "/ws")
    assert (response.status, response.header("Upgrade")) == (426, "websocket")


@pytest.mark.parametrize(
    ("method", "path", "lines"),
    [
        ("GET", "/", []),
        ("GET", "/nowhere", []),
        ("POST", "/", []),
        ("GET", "/", ["Content-Length: 1"]),
        ("GET", "/health/live", []),
        ("GET", "*", []),
    ],
)
@in_reactor
async def test_every_answer_carries_the_security_headers(port: int, method: str, path: str, lines: list[str]) -> None:
    response = await ask(port, method, path, *lines)
    policy = response.header("Content-Security-Policy")
    for directive in ("default-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "form-action 'none'"):
        assert directive in policy
    assert "unsafe" not in policy
    assert response.header("X-Content-Type-Options") == "nosniff"
    assert response.header("Referrer-Policy") == "no-referrer"
    assert response.header("X-Frame-Options") == "DENY"
    assert response.header("Cross-Origin-Opener-Policy") == "same-origin"
    assert "server" not in response.headers
    assert "set-cookie" not in response.headers


@in_reactor
async def test_one_request_per_connection(port: int) -> None:
    one = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    raw = await deferToThread(exchange, port, one + one.replace(b"127.0.0.1", b"evil.example"))
    assert raw.count(b"HTTP/1.1 200") == 1
    assert parse(raw).header("Connection") == "close"


@pytest.mark.parametrize(
    "start",
    [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "],
    ids=["silent", "half a line", "half a header"],
)
@in_reactor
async def test_a_slow_request_is_cut_off_whatever_it_drips(port: int, logged: io.StringIO, start: bytes) -> None:
    def drip() -> float:
        begun = time.monotonic()
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(start)
            connection.settimeout(0.1)
            while time.monotonic() - begun < 5:
                try:
                    if start:
                        connection.sendall(b"x")
                    if not connection.recv(1):
                        break
                except TimeoutError:
                    continue
                except ConnectionError:
                    break
        return time.monotonic() - begun

    assert 0.8 < await deferToThread(drip) < 3
    assert logged.getvalue() == ""


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n",
        b"GET / HTTP/1.1\r\n" + (b"X: " + b"y" * 4000 + b"\r\n") * 9 + b"\r\n",
        b"nonsense\r\n\r\n",
    ],
    ids=["long line", "many headers", "large header", "no request"],
)
@in_reactor
async def test_an_oversize_or_senseless_header_gets_no_file(port: int, request_head: bytes) -> None:
    def attempt() -> bytes:
        try:
            return exchange(port, request_head)
        except ConnectionError:
            return b""

    raw = await deferToThread(attempt)
    assert raw == b"" or raw.startswith(b"HTTP/1.1 400")


@in_reactor
async def test_nothing_is_logged(port: int, logged: io.StringIO) -> None:
    await ask(port, "GET", "/?token=canary")
    await ask(port, "HEAD", "/")
    await ask(port, "POST", "/nowhere", "Content-Length: 1", body=b"x")
    await ask(port, "GET", "/", "X: y\r\n bad")
    assert logged.getvalue() == ""


def test_nothing_ticks_while_nobody_asks() -> None:
    clock: Any = Clock()
    site: Any = make_site(reactor=clock)
    site.doStart()
    assert clock.getDelayedCalls() == []
    site.doStop()


def test_a_body_that_comes_after_its_refusal_is_not_answered_again() -> None:
    make_transport: Any = StringTransport
    transport = make_transport()
    clock: Any = Clock()
    site: Any = make_site(reactor=clock)
    channel = site.buildProtocol(None)
    channel.makeConnection(transport)
    channel.dataReceived(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\n")
    channel.dataReceived(b"hello")
    assert transport.value().count(b"HTTP/1.1 ") == 1
    assert transport.disconnecting


@in_reactor
async def test_a_large_header_within_the_limit_is_taken(port: int) -> None:
    cookies = [f"Cookie: {'c' * 7000}" for _ in range(4)]
    assert (await ask(port, "GET", "/health/live", *cookies)).status == 200


@in_reactor
async def test_a_client_that_leaves_early_leaves_no_timer(port: int) -> None:
    def knock() -> None:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()

    await deferToThread(knock)
    await ask(port, "GET", "/health/live")
    clock: Any = reactor
    waiting = [call for call in clock.getDelayedCalls() if "forceAbortClient" in repr(call)]
    assert waiting == []
