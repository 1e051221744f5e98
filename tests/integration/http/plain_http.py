"""A blocking HTTP client for tests that writes its own bytes and keeps its connection, as backends do."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> dict[str, Any]:
        """What went wrong, which has to be told in the form that is promised."""
        assert self.headers["content-type"] == "application/problem+json", self
        problem: dict[str, Any] = self.json
        assert (problem["type"], problem["status"]) == ("about:blank", self.status)
        assert problem["title"]
        assert problem["detail"]
        return problem


class Connection:
    """One connection; several requests may follow each other on it."""

    def __init__(self, port: int, timeout: float = 10.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def response(self) -> Response:
        """The next response.

        Raises:
            EOFError: the connection ended before it.
        """
        while b"\r\n\r\n" not in self._received:
            self._receive()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", 0))
        while len(self._received) < length:
            self._receive()
        body, self._received = self._received[:length], self._received[length:]
        return Response(int(status.split(" ")[1]), headers, body)

    def ended(self) -> bool:
        """Whether the router closes without another byte."""
        try:
            return not self._received and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def ask(self, *request: Any, **more: Any) -> Response:
        """Send a request, see :func:`request`, and return its response."""
        self.send(post(*request, **more))
        return self.response()

    def _receive(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self._received += data


def post(
    path: str,
    body: Any,
    token: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
    host: str = "127.0.0.1",
) -> bytes:
    """A request's bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"Host": host, "Content-Type": "application/json", "Content-Length": str(len(data))}
    if token is not None:
        lines["Authorization"] = f"Bearer {token}"
    lines |= headers or {}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"{method} {path} HTTP/1.1\r\n{text}\r\n".encode("latin-1") + data


def ask(port: int, path: str, body: Any, token: str | None = None, **more: Any) -> Response:
    """One request on a connection of its own."""
    with Connection(port) as connection:
        return connection.ask(path, body, token, **more)
