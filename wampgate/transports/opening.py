"""The opening handshake of a WebSocket (RFC 6455, section 4.2) for clients that say nothing unusual in theirs."""

from __future__ import annotations

import re
from binascii import b2a_base64
from hashlib import sha1
from typing import TYPE_CHECKING, Final

from wampgate.wire.serializers import SERIALIZER_BY_SUBPROTOCOL

if TYPE_CHECKING:
    from wampgate.transports.head import Head

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_is_key: Final = re.compile(r"[A-Za-z0-9+/]{22}==").fullmatch
_is_target: Final = re.compile(r"/[!$-~]*").fullmatch
_is_host: Final = re.compile(r"[^:]*(:[0-9]+)?").fullmatch
_is_origin: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?").fullmatch


def plain_opening(head: Head, *, extensions: bool) -> tuple[str, bytes] | None:
    """The subprotocol and the answer for a client that opens a WebSocket; None if all of it is left to Autobahn.

    That is so for all that has to be refused and for much that is right but rare, so that
    what is accepted here Autobahn would have accepted, with the same answer.

    Args:
        head: the request's, of which the port knows that it may come in.
        extensions: whether any may be agreed on.
    """
    headers = head.headers
    if not head.is_simple or head.method != "GET" or head.version != "HTTP/1.1" or not _is_target(head.target):
        return None
    if headers.get("upgrade", "").lower() != "websocket" or headers.get("sec-websocket-version") != "13":
        return None
    key = headers.get("sec-websocket-key", "")
    if not _is_key(key) or not _asks_for_upgrade(headers.get("connection", "")):
        return None
    if extensions and "sec-websocket-extensions" in headers:
        return None
    if not _is_host(headers.get("host", "")) or not _is_origin(headers.get("origin", "http://none")):
        return None
    subprotocol = _chosen(headers.get("sec-websocket-protocol", ""))
    return None if subprotocol is None else (subprotocol, _answer(subprotocol, key))


def _asks_for_upgrade(connection: str) -> bool:
    connection = connection.lower()
    return connection == "upgrade" or "upgrade" in [word.strip() for word in connection.split(",")]


def _chosen(offered: str) -> str | None:
    """The first subprotocol that is one of ours; None where none is, or one is offered twice."""
    if offered in SERIALIZER_BY_SUBPROTOCOL:
        return offered
    names = [name.strip() for name in offered.split(",")]
    if len(set(names)) < len(names):
        return None
    return next((name for name in names if name in SERIALIZER_BY_SUBPROTOCOL), None)


def _answer(subprotocol: str, key: str) -> bytes:
    accept = b2a_base64(sha1(key.encode() + _GUID, usedforsecurity=False).digest(), newline=False)
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: %b\r\nSec-WebSocket-Accept: %b\r\n\r\n" % (subprotocol.encode(), accept)
    )
