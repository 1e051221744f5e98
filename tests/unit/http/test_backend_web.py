"""The backend's routes on a connection: what bodies may take, how long they may take, and that all of it ends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from unit.http.asked import BACKEND, BackendUnderTest
from zope.interface import alsoProvides

from wampgate.http.backend import openapi, web
from wampgate.http.backend.decoding import Bounds
from wampgate.http.site import make_site
from wampgate.transports.credentials import bearer_of


class Site:
    """A site that serves a backend, with connections that the test holds in its hands."""

    def __init__(self, *, body_bytes: int = 1000, total_bytes: int = 2500, deadline: float = 5.0) -> None:
        self.backend = BackendUnderTest()
        self.clock: Any = Clock()
        self.intake = web.Intake(body_bytes, {b"/health/live"}, self.backend.backend.counters, total_bytes=total_bytes)
        self.site: Any = make_site(
            wamp=False,
            page=False,
            more=web.nodes(self.backend.backend, openapi.document(Bounds()), bearer_of),
            absent=web.NO_ROUTE,
            bodies=self.intake,
            deadline=deadline,
            reactor=self.clock,
        )
        self.given_back: list[bytes] = []

    def connect(self, *, kept: bool = False) -> tuple[Any, Any]:
        """A channel and its transport."""
        make_transport: Any = StringTransport
        transport = make_transport()
        alsoProvides(transport, IPushProducer)
        channel = self.site.buildProtocol(None)
        channel.callLater = self.clock.callLater
        if kept:
            channel.give_back = self.given_back.append
        channel.makeConnection(transport)
        return channel, transport

    def flush(self) -> None:
        self.backend.routed.flush()
        self.clock.advance(0)


def head(length: int | None, path: str = "/publish", token: str = BACKEND) -> bytes:
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return (
        f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json; charset=utf-8\r\n{framing}\r\n\r\n"
    ).encode()


EVENT = json.dumps({"topic": "organization.7"}).encode()


def test_a_body_that_does_not_come_is_not_waited_for_and_its_room_is_free_again() -> None:
    site = Site()
    channel, transport = site.connect()
    channel.dataReceived(head(900) + b"{")
    assert site.intake.taken == 900
    for _ in range(49):
        site.clock.advance(0.1)
        channel.dataReceived(b" ")
    assert not transport.disconnecting
    assert not transport.disconnected
    site.clock.advance(0.2)
    assert transport.disconnected
    channel.connectionLost(None)
    assert site.intake.taken == 0
    assert site.clock.getDelayedCalls() == []


def test_all_bodies_together_are_bounded() -> None:
    site = Site()
    channels = [site.connect()[0] for _ in range(2)]
    for channel in channels:
        channel.dataReceived(head(1000) + b"{")
    for refused_head in (head(600), head(None) + b"258\r\n" + b" " * 600 + b"\r\n"):
        channel, transport = site.connect()
        channel.dataReceived(refused_head)
        assert transport.value().startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 5" in transport.value()
    assert site.intake.taken == 2000
    assert site.backend.backend.counters["limit_http_bodies"] == 2
    channels[0].connectionLost(None)
    channel, transport = site.connect()
    channel.dataReceived(head(len(EVENT)) + EVENT)
    site.flush()
    assert transport.value().startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_holds_its_room_until_it_is_answered(chunked: bool) -> None:
    site = Site()
    callee = site.backend.callee("com.example.slow")
    channel, transport = site.connect()
    body = b'{"procedure": "com.example.slow"}'
    framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    channel.dataReceived(head(None if chunked else len(body), "/call") + framed)
    site.flush()
    assert site.intake.taken == len(body)
    # The backend has its own deadline for this: the connection's is for requests.
    site.clock.advance(100)
    assert not transport.disconnected
    callee.say(70, callee.heard()[0][1], {}, [1])
    site.flush()
    assert b'{"args":[1],"kwargs":{}}' in transport.value()
    assert site.intake.taken == 0
    assert transport.disconnecting


def test_a_kept_connection_is_given_back_with_what_came_of_the_next_request() -> None:
    site = Site()
    channel, transport = site.connect(kept=True)
    channel.dataReceived(head(len(EVENT)) + EVENT + b"POST /next")
    channel.dataReceived(b" HTTP/1.1")
    site.flush()
    assert b"Connection: close" not in transport.value()
    assert site.given_back == [b"POST /next HTTP/1.1"]
    assert transport.producer is None
    assert site.clock.getDelayedCalls() == []


def test_a_connection_is_not_given_back_before_its_answer_has_left() -> None:
    site = Site()
    channel, _ = site.connect(kept=True)
    channel.dataReceived(head(len(EVENT)) + EVENT)
    channel.pauseProducing()
    site.flush()
    assert site.given_back == []
    channel.resumeProducing()
    assert site.given_back == [b""]


def test_whoever_does_not_read_the_answer_is_dropped() -> None:
    site = Site()
    channel, transport = site.connect(kept=True)
    channel.dataReceived(head(len(EVENT)) + EVENT)
    channel.pauseProducing()
    site.flush()
    site.clock.advance(5)
    assert transport.disconnected
    channel.connectionLost(None)
    assert site.given_back == []


def test_a_refused_request_is_never_kept() -> None:
    site = Site()
    channel, transport = site.connect(kept=True)
    channel.dataReceived(head(len(EVENT), token="") + EVENT)
    site.flush()
    assert transport.value().startswith(b"HTTP/1.1 401 ")
    assert b"Connection: close" in transport.value()
    assert transport.disconnecting
    assert site.given_back == []


def test_a_client_that_leaves_ends_its_request() -> None:
    from twisted.internet.protocol import connectionDone

    site = Site()
    site.backend.callee("com.example.slow")
    channel, _ = site.connect()
    body = b'{"procedure": "com.example.slow"}'
    channel.dataReceived(head(len(body), "/call") + body)
    assert len(site.backend.backend) == 1
    channel.connectionLost(connectionDone)
    assert len(site.backend.backend) == 0
    assert site.intake.taken == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/health/live", 413),
        ("PUT", "/openapi.json", 405),
        ("PUT", "/publish", 405),
        ("POST", "/elsewhere", 404),
        ("GET", "/publish/batch", 405),
    ],
)
def test_bodies_where_none_are_taken(method: str, path: str, status: int) -> None:
    site = Site()
    channel, transport = site.connect()
    channel.dataReceived(head(2, path).replace(b"POST", method.encode(), 1) + b"{}")
    assert transport.value().startswith(b"HTTP/1.1 %d " % status)
    assert transport.value().count(b"HTTP/1.1") == 1
    assert transport.disconnecting
