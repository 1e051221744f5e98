"""Thousands of live sessions on raw sockets in one process, read by epoll, each with the moment of its last event."""

from __future__ import annotations

import json
import resource
import select
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from raw_websocket import TEXT, frame, upgrade_request

from .rights import REVOKED, token_of

if TYPE_CHECKING:
    from collections.abc import Callable

AT_ONCE = 200
"""So many sessions join at the same time, if nothing else is said."""

ROLES = {"roles": {"subscriber": {}}, "authmethods": ["ticket"]}


def allow_descriptors(count: int) -> None:
    """Raise the limit of open files for this process and those that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard) if hard > 0 else count, hard))


class Member:
    """One session and its socket.

    Attributes:
        last_event: when the last of its organization's events came; 0 before the first.
        told: when it was told that it lost its subscription; 0 if it was not.
        opened: when its connection was opened.
        welcomed: when it got WELCOME; 0 if it did not.
        ended: when it was told that it is over; 0 if it was not.
        goodbye: the reason of GOODBYE or ABORT, or the code with which it was closed; empty if none came.
        ready: whether it has subscribed.
    """

    __slots__ = (
        "_buffer",
        "_revoked",
        "_topic",
        "_user",
        "ended",
        "goodbye",
        "last_event",
        "opened",
        "ready",
        "socket",
        "told",
        "upgraded",
        "welcomed",
    )

    def __init__(self, port: int, user: str, topic: str) -> None:
        self.socket = socket.socket()
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self._user = user
        self._topic = topic
        self._buffer = b""
        self._revoked = 0
        self.upgraded = self.ready = False
        self.last_event = self.told = self.welcomed = self.ended = 0.0
        self.opened = time.monotonic()
        self.goodbye = ""
        self.socket.send(upgrade_request(port))

    def read(self) -> None:
        """Take in what has come."""
        try:
            data = self.socket.recv(1 << 16)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        self._buffer += data
        if not self.upgraded:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if separator:
                assert head.startswith(b"HTTP/1.1 101"), head
                self.upgraded, self._buffer = True, rest
                self._say(1, "realm1", ROLES)
        while self.upgraded and (message := self._next()) is not None:
            self._take(message)
        if not data:
            self.goodbye = self.goodbye or "the connection was closed"
        if self.goodbye and not self.ended:
            self.ended = time.monotonic()

    def _next(self) -> Any:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, begin = buffer[1], 2
        if length == 126:
            length, begin = int.from_bytes(buffer[2:4], "big"), 4
        if len(buffer) < begin + length:
            return None
        opcode, payload = buffer[0] & 0x0F, buffer[begin : begin + length]
        self._buffer = buffer[begin + length :]
        if opcode == 9:
            self.socket.send(frame(10, payload))
        if opcode == 8:
            self.goodbye = self.goodbye or f"closed with {int.from_bytes(payload[:2], 'big')}"
        return json.loads(payload) if opcode == TEXT else []

    def _take(self, message: Any) -> None:
        match message:
            case [4, *_]:
                self._say(5, token_of(self._user), {})
            case [2, *_]:
                self.welcomed = time.monotonic()
                self._say(32, 1, {}, REVOKED)
                self._say(32, 2, {}, self._topic)
            case [33, 1, subscription]:
                self._revoked = subscription
            case [33, 2, _]:
                self.ready = True
            case [36, subscription, *_]:
                if subscription == self._revoked:
                    self.told = time.monotonic()
                else:
                    self.last_event = time.monotonic()
            case [3 | 6, _, reason]:
                self.goodbye = reason
            case [8, *_]:
                self.goodbye = str(message)

    def _say(self, *message: Any) -> None:
        with suppress(ConnectionError):  # that it is over is noticed by reading
            self.socket.send(frame(TEXT, json.dumps(message).encode()))


class Crowd:
    """Members, read by a thread of their own. A context manager.

    Args:
        port: the router's.
        users: who joins, one session each.
        topic: what each subscribes to.
        at_once: how many join at the same time.
    """

    def __init__(
        self, port: int, users: list[str], topic: Callable[[int], str] | str, *, at_once: int = AT_ONCE
    ) -> None:
        self._at_once = at_once
        self._port = port
        self._users = users
        self._topic = topic
        self._epoll = select.epoll()
        self._by_descriptor: dict[int, Member] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.members: list[Member] = []

    def __enter__(self) -> Self:
        self._thread.start()
        for begin in range(0, len(self._users), self._at_once):
            for place, user in enumerate(self._users[begin : begin + self._at_once], begin):
                self._open(place, user)
            fresh = self.members[begin:]
            self.wait(lambda fresh=fresh: all(member.ready or member.goodbye for member in fresh), 60)  # type: ignore[misc]  # bound early on purpose
        return self

    def _open(self, place: int, user: str) -> None:
        topic = self._topic if isinstance(self._topic, str) else self._topic(place)
        member = Member(self._port, user, topic)
        self.members.append(member)
        self._by_descriptor[member.socket.fileno()] = member
        self._epoll.register(member.socket.fileno(), select.EPOLLIN)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        for member in self.members:
            member.socket.close()
        self._epoll.close()

    def wait(self, true: Callable[[], bool], seconds: float) -> None:
        """Wait until something is true of the members."""
        until = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < until, f"not within {seconds} s"
            time.sleep(0.01)

    def _run(self) -> None:
        while not self._stop.is_set():
            for descriptor, _ in self._epoll.poll(0.1):
                member = self._by_descriptor[descriptor]
                member.read()
                if member.goodbye:
                    with suppress(FileNotFoundError, ValueError):
                        self._epoll.unregister(descriptor)
