"""The opening handshake without Autobahn: the same answer as Autobahn's, byte for byte, whatever is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from unit.transports.frame_paths import SocketLine, WrappedLine

from wampgate.core.deadlines import Deadlines
from wampgate.core.logins import COOKIE
from wampgate.core.session import Session
from wampgate.transports import websocket
from wampgate.transports.deflate import Compression
from wampgate.transports.origins import Origins
from wampgate.transports.outbox import OutboxLimits
from wampgate.transports.places import ConnectionLimits
from wampgate.transports.port import Port
from wampgate.transports.turn import Turn
from wampgate.transports.websocket import WebSocketListener

if TYPE_CHECKING:
    from wampgate.core.interfaces import Connection, Link

KEY = "dGhlIHNhbXBsZSBub25jZQ=="

USUAL = {
    "Host": "localhost:8080",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "wamp.2.json",
}


class Asking:
    """A port, its listener, and what the last connection showed of its client."""

    def __init__(self, **options: Any) -> None:
        clock = Clock()
        deadlines = Deadlines(clock.seconds)
        self.shown: Connection | None = None
        self.listener = WebSocketListener(
            router=self,  # type: ignore[arg-type]  # as much of one as connections need
            turn=Turn(clock),
            deadlines=deadlines,
            outbox_limits=OutboxLimits(),
            **options,
        )
        self.port = Port(
            websocket=self.listener,
            web=None,
            origins=Origins((), ("https://app.example.org", "app:anything")),
            deadlines=deadlines,
            limits=ConnectionLimits(),
            joined=lambda: 0,
        )
        # Whether Autobahn had a part in the last one.
        self.unusual = False

    def connected(self, link: Link, connection: Connection) -> Session:
        """Take a session, as the router does."""
        self.shown = connection
        return Session(link, connection)

    def disconnected(self, session: Session) -> None:
        """Forget a session, as the router does."""

    def ask(self, request: bytes, line: type[SocketLine | WrappedLine] = SocketLine) -> bytes:
        """The answer to a request."""
        self.shown = None
        self.unusual = True
        connection = line(self.port.buildProtocol(None))
        connection.protocol.makeConnection(connection.transport)
        connection.protocol.dataReceived(request)
        for peer in self.listener.peers:
            self.unusual = peer.unusual is not None
        answer = connection.read()
        connection.protocol.connectionLost(connectionDone)
        connection.close()
        assert not self.listener.peers
        assert self.port.places._open == 0
        return answer


@pytest.fixture(scope="module")
def plain() -> Asking:
    return Asking(query_string=True, cookies=True)


class ByAutobahn(Asking):
    """Leaves every handshake to Autobahn."""

    def ask(self, request: bytes, line: type[SocketLine | WrappedLine] = SocketLine) -> bytes:
        """See :meth:`Asking.ask`."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(websocket, "plain_opening", lambda *_, **__: None)
            return super().ask(request, line)


@pytest.fixture(scope="module")
def autobahn() -> ByAutobahn:
    return ByAutobahn(query_string=True, cookies=True)


def request_of(*changes: tuple[str, str | None], line: str = "GET /ws HTTP/1.1") -> bytes:
    """A usual request with headers replaced, or left out; one of a new name, or of a name with a "+", is added."""
    headers = [(name, value) for name, value in USUAL.items() if name not in dict(changes)]
    headers += [(name.rstrip("+"), value) for name, value in changes if value is not None]
    return "\r\n".join([line, *(f"{name}: {value}" for name, value in headers), "", ""]).encode("latin-1")


PLAIN = [
    request_of(),
    request_of(("Upgrade", "WebSocket")),
    request_of(("Connection", "keep-alive, Upgrade")),
    request_of(("Connection", "upgrade,close")),
    request_of(("Host", "127.0.0.1")),
    request_of(("Origin", "http://localhost:8080")),
    request_of(("Origin", "https://app.example.org")),
    request_of(("Sec-WebSocket-Protocol", "wamp.2.msgpack")),
    request_of(("Sec-WebSocket-Protocol", "soap, wamp.2.cbor ,wamp.2.json")),
    request_of(("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")),
    request_of(
        ("User-Agent", "browser/1.0 (some, thing)"), ("Cookie", f"{COOKIE}=one"), ("Origin", "http://localhost:8080")
    ),
    request_of(("Authorization", "Bearer abc")),
    request_of(line="GET /ws?token=a%20b&organizationId=7&x HTTP/1.1"),
    request_of(line="GET /ws? HTTP/1.1"),
]

UNUSUAL = [
    request_of(line="POST /ws HTTP/1.1"),
    request_of(line="get /ws HTTP/1.1"),
    request_of(line="GET /ws HTTP/1.0"),
    request_of(line="GET /ws HTTP/1.2"),
    request_of(line="GET /ws HTTP/1.1x"),
    request_of(line="GET /ws?#x HTTP/1.1"),
    request_of(line="GET /ws?a\tb HTTP/1.1"),
    request_of(line="GET /ws?\xe9 HTTP/1.1"),
    request_of(line="GET /ws?token=a&token=b HTTP/1.1"),
    request_of(("Upgrade", "websocket, h2c")),
    request_of(("Upgrade", "xwebsocket")),
    request_of(("Upgrade+", "websocket")),
    request_of(("Connection", None)),
    request_of(("Connection", "close")),
    request_of(("Connection", "Upgraded")),
    request_of(("Connection+", "close")),
    request_of(("Sec-WebSocket-Version", None)),
    request_of(("Sec-WebSocket-Version", "8")),
    request_of(("Sec-WebSocket-Version", "14")),
    request_of(("Sec-WebSocket-Version", "013")),
    request_of(("Sec-WebSocket-Version", "x")),
    request_of(("Sec-WebSocket-Version+", "13")),
    request_of(("Sec-WebSocket-Key", None)),
    request_of(("Sec-WebSocket-Key", "short==")),
    request_of(("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=a")),
    request_of(("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25!ZQ==")),
    request_of(("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZWWWZQ==")),
    request_of(("Sec-WebSocket-Key+", KEY)),
    request_of(("Sec-WebSocket-Protocol", None)),
    request_of(("Sec-WebSocket-Protocol", "")),
    request_of(("Sec-WebSocket-Protocol", "soap")),
    request_of(("Sec-WebSocket-Protocol", "wamp.2.json, wamp.2.json")),
    request_of(("Sec-WebSocket-Protocol", "x, wamp.2.json, x")),
    request_of(("Sec-WebSocket-Protocol+", "wamp.2.msgpack")),
    request_of(("Sec-WebSocket-Extensions", "x"), ("Sec-WebSocket-Extensions+", "y")),
    request_of(("Host", "[::1]:8080")),
    request_of(("Origin", "app:anything")),
    request_of(("User-Agent", "caf\xe9")),
    request_of(("User-Agent", "one\x85Sec-WebSocket-Key: two")),
    request_of(("Cookie", f"{COOKIE}=one; {COOKIE}=two"), ("Origin", "http://localhost:8080")),
]


@pytest.mark.parametrize("line", [SocketLine, WrappedLine])
@pytest.mark.parametrize("request_bytes", PLAIN)
def test_plain_ones_are_answered_here_as_autobahn_would(
    plain: Asking, autobahn: ByAutobahn, request_bytes: bytes, line: type[SocketLine | WrappedLine]
) -> None:
    answer = plain.ask(request_bytes, line)
    shown = plain.shown
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert not plain.unusual
    assert answer == autobahn.ask(request_bytes, line)
    assert autobahn.unusual
    assert as_text(shown) == as_text(autobahn.shown)


@pytest.mark.parametrize("request_bytes", UNUSUAL)
def test_all_others_are_autobahns(plain: Asking, autobahn: ByAutobahn, request_bytes: bytes) -> None:
    answer = plain.ask(request_bytes)
    assert plain.unusual
    assert answer == autobahn.ask(request_bytes)
    assert as_text(plain.shown) == as_text(autobahn.shown)


def test_the_specifications_own_example(plain: Asking) -> None:
    """RFC 6455, section 1.3."""
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in plain.ask(request_of())


def test_an_extension_that_may_be_agreed_on_is_autobahns() -> None:
    asking = Asking(compression=Compression())
    extensions = ("Sec-WebSocket-Extensions", "permessage-deflate")
    assert b"permessage-deflate" in asking.ask(request_of(extensions))
    assert asking.unusual
    assert b"101" in asking.ask(request_of())
    assert not asking.unusual


def test_what_identifies_a_client_is_taken_only_where_a_realm_wants_it() -> None:
    asking = Asking()
    cookie = (("Cookie", f"{COOKIE}=one"), ("Origin", "http://localhost:8080"))
    asking.ask(request_of(*cookie, line="GET /ws?token=t HTTP/1.1"))
    assert asking.shown is not None
    assert (asking.shown.query, asking.shown.cookie) == (None, None)


VALUES = st.sampled_from(
    [
        *(
            "websocket",
            "Upgrade",
            "upgrade, websocket",
            KEY,
            "13",
            "wamp.2.json",
            "wamp.2.json,wamp.2.cbor",
            "localhost",
        ),
        *("http://localhost", "http://localhost:80", "null", "", " ", ",", "permessage-deflate", "Bearer x", "\xa0"),
        *(f"{KEY} ", f"{KEY},{KEY}", "a=b; c=d", f"{COOKIE}=x", "13, 13", "https://app.example.org"),
    ]
)
NAMES = st.sampled_from(
    [*USUAL, "Origin", "Cookie", "Authorization", "User-Agent", "Sec-WebSocket-Extensions", "X-Other"]
)
LINES = st.sampled_from(
    ["GET /ws HTTP/1.1", "GET /ws?token=x HTTP/1.1", "GET /ws?token=%zz&organizationId= HTTP/1.1", "PUT /ws HTTP/1.1"]
)


@settings(max_examples=200, deadline=None)
@given(changes=st.lists(st.tuples(NAMES, st.one_of(VALUES, st.none()), st.booleans()), max_size=4), line=LINES)
def test_anything(plain: Asking, autobahn: ByAutobahn, changes: list[tuple[str, str | None, bool]], line: str) -> None:
    request = request_of(*((f"{name}+" if twice else name, value) for name, value, twice in changes), line=line)
    assert plain.ask(request) == autobahn.ask(request)
    assert as_text(plain.shown) == as_text(autobahn.shown)


def as_text(connection: Connection | None) -> str:
    """All that is known of a client, tokens too."""
    if connection is None:
        return ""
    tickets = (connection.bearer, connection.cookie, connection.query and connection.query.token)
    return f"{connection!r} {[ticket and ticket.reveal() for ticket in tickets]}"
