"""The head of an HTTP request: read under limits, before anyone acts on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

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


_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search


@dataclass(frozen=True, slots=True)
class Head:
    """A request's line and headers: names in lower case, values as they came, the last one wins.

    Those that proxies append to are joined by commas.
    """

    method: str
    path: str
    headers: dict[str, str]

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
    lines = data.split(b"\r\n")
    if len(lines) > MAX_LINES or any(len(line) > MAX_LINE for line in lines):
        raise RequestError(431, "the request's header is too large")
    request_line = lines[0].split(b" ")
    if len(request_line) != 3 or not request_line[2].startswith(b"HTTP/1."):
        raise RequestError(400, "this is no HTTP/1.1 request")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip() or line[:1] in (b" ", b"\t"):
            raise RequestError(400, "a header line is malformed")
        if not _is_field_value(value):
            raise RequestError(400, "a header holds a control character")
        key = name.decode("latin-1").lower()
        if key in ("host", "origin") and key in headers:
            raise RequestError(400, f"the {key} header appears more than once")
        text = value.strip().decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in _LISTS and key in headers else text
    path = request_line[1].partition(b"?")[0].decode("latin-1")
    return Head(request_line[0].decode("latin-1"), path, headers)


def _is_field_value(value: bytes) -> bool:
    """Whether bytes may be a header's value: control characters, but tabs, have no business there (RFC 9110, 5.5)."""
    return _CONTROL(value) is None


def _may_be_http(data: bytes) -> bool:
    """Whether bytes begin as a request line does: with a method in capitals."""
    return data[:1].isalpha() and data[:3].upper() == data[:3]
