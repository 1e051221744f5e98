"""A server that speaks Centrifuge's or Socket.IO's protocol, to test the generator where no peer is installed."""

from __future__ import annotations

import asyncio
import json
import threading
from abc import ABC, abstractmethod
from collections import defaultdict
from typing import Any, ClassVar, Final, Self

from benchmarks.servers.interface import Credentials, Running

# The answer to the sample key of RFC 6455, which the generator sends.
UPGRADED: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
USER: Final = Credentials("bench", "the user's ticket")
BACKEND: Final = Credentials("backend", "the backend's ticket")


class Client:
    """One connection: who it is, and what is written to it."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.ticket = ""
        self.pongs = 0

    def send(self, text: str) -> None:
        """Write a text frame."""
        payload = text.encode()
        size = len(payload)
        head = (
            bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2) if size < 65536 else b"\x7f" + size.to_bytes(8)
        )
        self.writer.write(b"\x81" + head + payload)

    def refuse(self, reason: str) -> None:
        """Write a closing frame."""
        self.writer.write(b"\x88" + bytes([2 + len(reason)]) + (3500).to_bytes(2) + reason.encode())


class ForeignServer(ABC):
    """A context manager that listens while it is open; it runs in a thread."""

    path: ClassVar[str]
    options: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        self.members: defaultdict[str, list[Client]] = defaultdict(list)
        self.clients: list[Client] = []
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        listening = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self.loop)
        self._listener = listening.result()
        self.port: int = self._listener.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _close(self) -> None:
        self._listener.close()
        for client in self.clients:
            client.writer.transport.abort()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    def running(self, process: int) -> Running:
        """What the generator is told; the process is any, since no CPU of a test counts."""
        return Running(self.port, self.path, "realm1", (process,), USER, BACKEND, options=self.options)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(writer)
        self.clients.append(client)
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(UPGRADED)
            self.opened(client)
            while True:
                self.received(client, await _message(reader))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            for members in self.members.values():
                if client in members:
                    members.remove(client)
            writer.close()

    @abstractmethod
    def opened(self, client: Client) -> None:
        """The WebSocket is open."""

    @abstractmethod
    def received(self, client: Client, text: str) -> None:
        """A message has come."""

    @abstractmethod
    def ping(self, client: Client) -> None:
        """Ask whether it is there."""


class CentrifugeServer(ForeignServer):
    """JSON commands and replies; with ``together``, what one publication after another brings leaves in one frame."""

    path = "/connection/websocket"
    options = ("--protocol", "centrifuge")

    def __init__(self, *, together: int = 1) -> None:
        super().__init__()
        self._together = together
        self._held: defaultdict[Client, list[str]] = defaultdict(list)

    def opened(self, client: Client) -> None:
        """The client begins."""

    def received(self, client: Client, text: str) -> None:
        """Commands, a line each."""
        for line in text.splitlines():
            command = json.loads(line)
            if not command:
                client.pongs += 1
                continue
            (name,) = command.keys() - {"id"}
            getattr(self, f"_{name}")(client, command["id"], command[name])

    def ping(self, client: Client) -> None:
        """An empty message."""
        client.send("{}")

    def _connect(self, client: Client, number: int, asked: dict[str, Any]) -> None:
        client.ticket = asked["token"]
        if client.ticket in (USER.ticket, BACKEND.ticket):
            _reply(client, number, connect={"client": "1", "ping": 25, "pong": True})
        else:
            client.refuse("invalid token")

    def _subscribe(self, client: Client, number: int, asked: dict[str, Any]) -> None:
        if asked["channel"].startswith("organization.") and client.ticket == USER.ticket:
            self.members[asked["channel"]].append(client)
            _reply(client, number, subscribe={})
        else:
            _reply(client, number, error={"code": 103, "message": "permission denied"})

    def _publish(self, client: Client, number: int, asked: dict[str, Any]) -> None:
        if client.ticket != BACKEND.ticket:
            _reply(client, number, error={"code": 103, "message": "permission denied"})
            return
        push = json.dumps(
            {"push": {"channel": asked["channel"], "pub": {"data": asked["data"]}}}, separators=(",", ":")
        )
        for member in self.members[asked["channel"]]:
            held = self._held[member]
            held.append(push)
            if len(held) >= self._together:
                member.send("\n".join(held))
                held.clear()
        _reply(client, number, publish={})


class SocketIOServer(ForeignServer):
    """Engine.IO by WebSocket; publications come from a client, or are handed to ``emit``."""

    path = "/socket.io/?EIO=4&transport=websocket"
    options = ("--protocol", "socketio")

    def opened(self, client: Client) -> None:
        """The handshake of Engine.IO: the server begins."""
        client.send('0{"sid":"1","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}')

    def received(self, client: Client, text: str) -> None:
        """One packet."""
        if text == "3":
            client.pongs += 1
        elif text.startswith("40"):
            self._connect(client, json.loads(text[2:]))
        elif text.startswith("42"):
            number, _, asked = text[2:].partition("[")
            name, topic, payload = json.loads("[" + asked)
            assert (name, client.ticket) == ("publish", BACKEND.ticket)
            self.emit(topic, payload)
            client.send(f"43{number}[]")

    def ping(self, client: Client) -> None:
        """Engine.IO's own."""
        client.send("2")

    def emit(self, topic: str, payload: str) -> None:
        """To all in a room."""
        text = "42" + json.dumps(["news", payload], separators=(",", ":"))
        for member in self.members[topic]:
            member.send(text)

    def _connect(self, client: Client, asked: dict[str, str]) -> None:
        client.ticket = asked["token"]
        room = asked.get("room", "")
        if client.ticket == USER.ticket and not room.startswith("organization."):
            client.send('44{"message":"not authorized"}')
        elif client.ticket in (USER.ticket, BACKEND.ticket):
            if room:
                self.members[room].append(client)
            client.send('40{"sid":"2"}')
        else:
            client.send('44{"message":"invalid token"}')


def _reply(client: Client, number: int, **reply: object) -> None:
    client.send(json.dumps({"id": number, **reply}, separators=(",", ":")))


async def _message(reader: asyncio.StreamReader) -> str:
    """The next frame's text; the generator sends whole messages, masked."""
    head = await reader.readexactly(2)
    size = head[1] & 127
    if size >= 126:
        size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8))
    key = await reader.readexactly(4)
    payload = await reader.readexactly(size)
    assert (head[0], head[1] & 128) == (0x81, 128)
    return (int.from_bytes(payload) ^ int.from_bytes((key * (size // 4 + 1))[:size])).to_bytes(size).decode()
