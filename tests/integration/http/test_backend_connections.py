"""HTTP for backends on real connections: kept ones, bodies in pieces, refusals before a body, clients that leave."""

from __future__ import annotations

import json
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from conftest import static_configuration, ticket_of
from integration.http.conftest import EVERYTHING
from integration.http.plain_http import Connection, ask, post
from raw_wamp import INVOCATION, YIELD, Peer, random_name
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable

ALICE, BOB = ticket_of("alice"), ticket_of("bob")


def event(topic: str, *args: Any) -> dict[str, Any]:
    return {"topic": topic, "args": list(args)}


def serving_with(**more: Any) -> RouterProcess:
    return RouterProcess(
        static_configuration(listen=[{"endpoint": "tcp:0:interface=127.0.0.1", "serves": EVERYTHING}], **more)
    )


def test_several_requests_on_one_connection(serving: RouterProcess, join: Callable[..., Peer]) -> None:
    topic = random_name()
    subscriber = join(process=serving)
    subscriber.subscribe(topic)
    with Connection(serving.port) as connection:
        answers = [connection.ask("/publish", event(topic, n), ALICE) for n in range(5)]
        assert connection.ask("/publish", {}, ALICE).status == 422
        assert connection.ask("/call", {"procedure": "a.b"}, ALICE).status == 403
    assert [answer.status for answer in answers] == [200] * 5
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    assert all("connection" not in answer.headers for answer in answers)
    assert [subscriber.event()[4] for _ in range(5)] == [[n] for n in range(5)]


def test_requests_that_come_in_one_piece_are_answered_in_order(serving: RouterProcess) -> None:
    topics = [random_name() for _ in range(20)]
    with Connection(serving.port) as connection:
        connection.send(
            b"".join(post("/publish", {"topic": topic, "options": {"exclude": [0]}}, ALICE) for topic in topics[:1])
            + b"".join(post("/publish", event(topic), ALICE) for topic in topics)
        )
        assert [connection.response().status for _ in range(21)] == [422] + [200] * 20


def test_a_request_in_single_bytes(serving: RouterProcess) -> None:
    with Connection(serving.port) as connection:
        for byte in post("/publish", event(random_name()), ALICE):
            connection.send(bytes([byte]))
        assert connection.response().status == 200
        assert connection.ask("/publish", event(random_name()), ALICE).status == 200


@pytest.mark.parametrize(
    ("second", "status"),
    [
        (post("/publish", event("com.example.a"), ALICE, host="evil.example"), 421),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"POST /publish HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
        (b"POST /publish HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\r\n b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nOrigin: https://evil.example\r\n\r\n", 403),
        (b"nonsense\r\n\r\n", 400),
    ],
    ids=["host", "no host", "two hosts", "folded", "long", "origin", "nonsense"],
)
def test_every_head_is_checked_as_the_first_one_is(serving: RouterProcess, second: bytes, status: int) -> None:
    with Connection(serving.port) as connection:
        assert connection.ask("/publish", event("com.example.a"), ALICE).status == 200
        connection.send(second)
        assert connection.response().status == status
        assert connection.ended()


def test_a_kept_connection_may_ask_for_the_page_and_is_closed_then(serving: RouterProcess) -> None:
    with Connection(serving.port) as connection:
        assert connection.ask("/publish", event("com.example.a"), ALICE).status == 200
        connection.send(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answer = connection.response()
        assert (answer.status, answer.body, answer.headers["connection"]) == (200, b"ok\n", "close")
        assert connection.ended()


@pytest.mark.parametrize(("version", "line"), [(b"1.0", ""), (b"1.1", "close")])
def test_who_wants_no_further_request_gets_no_further_one(serving: RouterProcess, version: bytes, line: str) -> None:
    with Connection(serving.port) as connection:
        request = post("/publish", event("com.example.a"), ALICE, headers={"Connection": line})
        connection.send(request.replace(b"HTTP/1.1", b"HTTP/" + version, 1))
        answer = connection.response()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert connection.ended()


def test_chunked_bodies_and_bodies_that_are_announced(serving: RouterProcess) -> None:
    body = json.dumps(event("com.example.a", "x" * 100)).encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:50], body[50:])) + b"0\r\n\r\n"
    head = post("/publish", b"", ALICE, headers={"Content-Length": "", "Transfer-Encoding": "chunked"})
    with Connection(serving.port) as connection:
        connection.send(head + chunks)
        assert connection.response().status == 200
        announced = post("/publish", b"", ALICE, headers={"Content-Length": str(len(body)), "Expect": "100-continue"})
        connection.send(announced)
        assert connection.response().status == 100
        connection.send(body)
        assert connection.response().status == 200


def test_smuggled_bodies_are_no_requests(serving: RouterProcess) -> None:
    both = post("/publish", b"", ALICE, headers={"Content-Length": "5", "Transfer-Encoding": "chunked"})
    for head in (both, post("/publish", b"", ALICE, headers={"Content-Length": "+5"})):
        with Connection(serving.port) as connection:
            connection.send(head + b"0\r\n\r\n")
            assert connection.response().status == 400
            assert connection.ended()


@pytest.mark.parametrize(
    ("path", "token", "headers", "status"),
    [
        ("/publish", None, {}, 401),
        ("/publish", ALICE, {"Content-Length": str(2**20 + 1)}, 413),
        ("/publish", ALICE, {"Content-Length": "9" * 30}, 413),
        ("/publish", ALICE, {"Content-Type": "text/plain"}, 415),
        ("/publish", ALICE, {"Content-Type": ""}, 415),
        ("/publish", ALICE, {"Content-Encoding": "gzip"}, 415),
        ("/publish", "", {"Authorization": "Basic YTpi"}, 401),
        ("/nowhere", ALICE, {}, 404),
        ("/publish/", ALICE, {}, 404),
        ("/publish/batch/1", ALICE, {}, 404),
    ],
)
def test_what_is_refused_by_its_head_is_refused_before_its_body(
    serving: RouterProcess, path: str, token: str | None, headers: dict[str, str], status: int
) -> None:
    with Connection(serving.port) as connection:
        head = post(path, b"", token, headers={"Content-Length": "1000", "Expect": "100-continue"} | headers)
        connection.send(head)
        answer = connection.response()
        assert answer.status == status
        assert answer.problem
        assert answer.headers["connection"] == "close"
        connection.send(b"{" * 1000)
        assert connection.ended()


def test_an_endless_chunked_body_is_refused_at_its_limit(serving: RouterProcess) -> None:
    with Connection(serving.port) as connection:
        connection.send(post("/publish", b"", ALICE, headers={"Content-Length": "", "Transfer-Encoding": "chunked"}))
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        for _ in range(20):
            connection.send(chunk)
        assert connection.response().status == 413


@pytest.mark.parametrize("path", ["/publish", "/publish/batch", "/call"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_other_methods(serving: RouterProcess, path: str, method: str) -> None:
    with Connection(serving.port) as connection:
        lines = {"Origin": "http://127.0.0.1", "Access-Control-Request-Method": "POST", "Content-Length": ""}
        connection.send(post(path, b"", ALICE, method=method, headers=lines))
        if method == "HEAD":
            assert connection.socket.recv(100).startswith(b"HTTP/1.1 405 ")
            return
        answer = connection.response()
        assert (answer.status, answer.headers["allow"]) == (405, "POST")
        assert answer.problem
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_cookie_is_nothing_to_go_by(serving: RouterProcess) -> None:
    answer = ask(serving.port, "/publish", event("com.example.a"), headers={"Cookie": f"token={ALICE}; Bearer {ALICE}"})
    assert (answer.status, answer.problem["error"]) == (401, "wamp.error.authentication_required")


def test_headers_that_come_twice(serving: RouterProcess) -> None:
    for extra in (f"Authorization: Bearer {BOB}", "Idempotency-Key: a\r\nIdempotency-Key: b"):
        request = post("/publish", event("com.example.a"), ALICE).replace(b"\r\n\r\n", f"\r\n{extra}\r\n\r\n".encode())
        with Connection(serving.port) as connection:
            connection.send(request)
            assert connection.response().status == 400


def test_the_routes_are_only_where_they_are_served(router: RouterProcess) -> None:
    assert ask(router.port, "/publish", event("com.example.a"), ALICE).status == 413
    with Connection(router.port) as connection:
        connection.send(b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert connection.response().status == 404


def test_a_listener_of_its_own_serves_backends_and_nothing_else() -> None:
    listen = [{"endpoint": "tcp:0:interface=127.0.0.1", "serves": ["backend"]}]
    with RouterProcess(static_configuration(listen=listen)) as process:
        assert ask(process.port, "/publish", event("com.example.a"), ALICE).status == 200
        for path, status in (
            ("/", 404),
            ("/wamp.js", 404),
            ("/ws", 404),
            ("/health/live", 200),
            ("/openapi.json", 200),
        ):
            with Connection(process.port) as connection:
                connection.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
                assert connection.response().status == status, path
        with pytest.raises(Exception, match="404"):
            Peer(process.port)


def test_a_client_that_leaves_is_forgotten_and_gives_its_place_back(join: Callable[..., Peer]) -> None:
    with serving_with(limits={"sessions_per_authid": 2}) as process:
        procedure = random_name()
        callee = join("alice", process=process)
        callee.register(procedure)
        callers = [Connection(process.port) for _ in range(2)]
        for caller in callers:
            caller.send(post("/call", {"procedure": procedure}, BOB))
        invocations = [callee.receive() for _ in callers]
        assert [invocation[0] for invocation in invocations] == [INVOCATION] * 2
        refused = ask(process.port, "/publish", event("com.example.a"), BOB)
        assert (refused.status, refused.problem["error"]) == (429, "wampgate.error.limit_exceeded")
        assert refused.headers["retry-after"] == "1"
        for caller in callers:
            caller.socket.close()
        until = time.monotonic() + 5
        while ask(process.port, "/publish", event("com.example.a"), BOB).status != 200:
            assert time.monotonic() < until
            time.sleep(0.05)
        for invocation in invocations:
            callee.send(YIELD, invocation[1], {}, ["for nobody"])
        assert callee.publish("com.example.a")


def test_a_call_and_its_deadline(serving: RouterProcess, join: Callable[..., Peer]) -> None:
    procedure = random_name()
    callee = join("bob", process=serving)
    callee.register(procedure)
    with Connection(serving.port) as connection:
        connection.send(post("/call", {"procedure": procedure, "args": [[1.5, None]], "kwargs": {"ä": 1}}, ALICE))
        invocation = callee.receive()
        assert invocation[4:] == [[[1.5, None]], {"ä": 1}]
        callee.send(YIELD, invocation[1], {}, [{"n": 1}], {"b": "ü"})
        assert connection.response().json == {"args": [{"n": 1}], "kwargs": {"b": "ü"}}
        begun = time.monotonic()
        late = connection.ask("/call", {"procedure": procedure, "timeout_ms": 300}, ALICE)
        assert (late.status, late.problem["error"]) == (504, "wamp.error.timeout")
        assert 0.3 <= time.monotonic() - begun < 2
        assert connection.ask("/publish", event("com.example.a"), ALICE).status == 200


def test_sigterm_answers_the_calls_that_wait(join: Callable[..., Peer]) -> None:
    with serving_with() as process:
        procedure = random_name()
        callee = join("alice", process=process)
        callee.register(procedure)
        with Connection(process.port) as connection:
            connection.send(post("/call", {"procedure": procedure}, BOB))
            assert callee.receive()[0] == INVOCATION
            process.signal(signal.SIGTERM)
            answer = connection.response()
            assert (answer.status, answer.problem["error"]) == (503, "wamp.close.system_shutdown")
        assert process.wait() == 0
        process.stop()


PROXY = "127.0.0.9"


def test_behind_a_proxy_each_request_counts_as_its_own_clients() -> None:
    limits = {"failed_logins_per_address_per_minute": 2}
    with serving_with(trusted_proxies=[PROXY], limits=limits) as process:
        connection = Connection.__new__(Connection)
        connection.socket = socket.create_connection(("127.0.0.1", process.port), 10, source_address=(PROXY, 0))
        connection._received = b""

        def status(client: str, token: str) -> int:
            return connection.ask("/publish", event("com.example.a"), token, headers={"X-Forwarded-For": client}).status

        with connection:
            assert [status("203.0.113.5", f"guess {n}") for n in range(3)] == [401] * 3
            assert status("203.0.113.5", ALICE) == 401
            assert status("203.0.113.6", ALICE) == 200
            assert status("203.0.113.5", ALICE) == 401
        log = process.log()
        assert "203.0.113.5" in log
        assert "guess" not in log
        assert ALICE not in log


def test_whoever_asks_and_never_reads_does_not_fill_the_router(
    serving: RouterProcess, join: Callable[..., Peer]
) -> None:
    procedure = random_name()
    callee = join("bob", process=serving)
    callee.register(procedure)
    request = post("/call", {"procedure": procedure}, ALICE)
    with Connection(serving.port) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        before = serving.rss()
        connection.send(request * 50)
        answered = 0
        callee.socket.settimeout(1.5)
        try:
            while True:
                invocation = callee.receive()
                callee.send(YIELD, invocation[1], {}, ["x" * 900_000])
                answered += 1
        except TimeoutError:
            pass
        assert 0 < answered < 20
        assert serving.rss() - before < 30 * 2**20


def test_many_requests_leave_nothing_behind(serving: RouterProcess) -> None:
    def publish_all() -> None:
        for _ in range(10):
            with Connection(serving.port) as connection:
                for n in range(30):
                    assert connection.ask("/publish", event("com.example.a", n), ALICE).status == 200

    publish_all()
    before, descriptors = serving.rss(), serving.descriptors()
    publish_all()
    assert serving.rss() - before < 2 * 2**20
    until = time.monotonic() + 5
    while serving.descriptors() > descriptors:
        assert time.monotonic() < until
        time.sleep(0.05)
