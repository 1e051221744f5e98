"""The head of an HTTP request: read under limits, before anyone acts on it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

MAX_LINE: Final = 8192
"""Bytes of the request line or of one header line."""

MAX_HEADER: Final = 32768
"""Bytes of the request line and all headers."""

MAX_LINES: Final = 200
"""Header lines."""

_LISTS: Final = ("x-forwarded-for", "x-forwarded-proto")
"""Headers of which each proxy may add a line of its own."""


class RequestError(Exception):
    """A request that is answered here and goes nowhere.

    Attributes:
        status: the HTTP status code.
        message: for the client.
        log: for the operator, with the key that would change it; empty for what is the client's fault.
    """

    def __init__(self, status: int, message: str, log: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.log = log


_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
"""Control characters, but tabs, have no business in a header's value (RFC 9110, section 5.5)."""


class Head(NamedTuple):
    """A request's line and headers: names in lower case, values as they came, the last one wins.

    Those that proxies append to are joined by commas.

    Attributes:
        method: as it came.
        target: what is asked for, with its query string.
        version: as it came, ``HTTP/1.`` and something.
        headers: by name.
        size: of all of it, the empty line behind it included, in bytes.
        is_simple: whether it is ASCII and names no header twice.
    """

    method: str
    target: str
    version: str
    headers: dict[str, str]
    size: int
    is_simple: bool

    @property
    def path(self) -> str:
        """The target without its query string."""
        return self.target.partition("?")[0]

    @property
    def is_upgrade(self) -> bool:
        """Whether it asks for a WebSocket."""
        return "websocket" in self.headers.get("upgrade", "").lower()


def head_of(buffer: bytes) -> Head | None:
    """The head of an HTTP request, once it is complete.

    Raises:
        RequestError: it is no HTTP request, or larger than it may be.
    """
    end = buffer.find(b"\r\n\r\n")
    if max(end, len(buffer) if end < 0 else 0) > MAX_HEADER:
        raise RequestError(431, "the request's header is too large")
    if end >= 0:
        return _parse(buffer[:end])
    if not _may_be_http(buffer):
        raise RequestError(400, "this is no HTTP/1.1 request")
    return None


def _parse(data: bytes) -> Head:
    """A complete head.

    Raises:
        RequestError: it is no HTTP request, or larger than it may be.
    """
    lines = data.decode("latin-1").split("\r\n")
    if len(lines) > MAX_LINES or (len(data) > MAX_LINE and max(map(len, lines)) > MAX_LINE):
        raise RequestError(431, "the request's header is too large")
    request_line = lines[0].split(" ")
    if len(request_line) != 3 or not request_line[2].startswith("HTTP/1."):
        raise RequestError(400, "this is no HTTP/1.1 request")
    headers: dict[str, str] = {}
    is_simple = data.isascii()
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise RequestError(400, "a header line is malformed")
        if not value.isprintable() and _CONTROL(value) is not None:
            raise RequestError(400, "a header holds a control character")
        key = name.lower()
        value = value.strip(" \t")
        if key in headers:
            is_simple = False
            value = _together(key, headers[key], value)
        headers[key] = value
    method, target, version = request_line
    return Head(method, target, version, headers, len(data) + 4, is_simple)


def _together(key: str, one: str, another: str) -> str:
    """What a header says that stands there twice.

    Raises:
        RequestError: it must not.
    """
    if key in ("host", "origin"):
        raise RequestError(400, f"the {key} header appears more than once")
    return f"{one},{another}" if key in _LISTS else another


def _may_be_http(data: bytes) -> bool:
    """Whether bytes begin as a request line does: with a method in capitals."""
    return data[:1].isalpha() and data[:3].upper() == data[:3]
