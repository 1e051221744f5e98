"""Socket.IO with its Redis adapter, as most deployments run it (the program is ``peers/socketio/main.js``).

A backend publishes to a Redis, in the bytes of the emitters for PHP and Node, and the server hands it to the room: a
publication costs the server no connection and no acknowledgement, since Redis takes it. Redis is a process beside the
server and is not counted, as it is not for wampgate's bridge. ``socketio-alone`` has no adapter: there a backend is a
client that asks the server to emit, and gets an acknowledgement.

Clients connect by WebSocket at once, never by polling first, and without compression; both are what a deployment that
cares does. Users show their token and name their room while connecting: one round trip less than a join event. All
else is the default: it pings every 25 s, one process of Node.js in production mode.

Socket.IO has no calls from client to client. Its text protocol is JSON.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.servers.program import Program
from benchmarks.servers.redis import Redis

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.scenarios import Scenario
    from benchmarks.servers.interface import Credentials, Running

_PACKAGE = "socketio"


class SocketIOAlone(Program):
    """The server without an adapter: what is published to it comes from a client."""

    name = "socketio-alone"
    path = "/socket.io/?EIO=4&transport=websocket"
    serializers = ("json",)
    environ = {"NODE_ENV": "production"}  # noqa: RUF012 - Program says that it is the class's and a Mapping
    options = ("--protocol", "socketio")

    @property
    def package(self) -> str:
        """Both servers share one installation."""
        return _PACKAGE

    def lacks(self) -> str | None:
        """Node.js, or what npm would install."""
        return super().lacks() if shutil.which("node") else "Node.js (node)"

    def command(self, installed: Path) -> list[str]:
        """Node.js and the program."""
        return ["node", str(installed / "main.js")]

    def abstains(self, scenario: Scenario, serializer: str) -> str | None:
        """It has no calls from client to client, reads no Redis and speaks one serializer."""
        if scenario.arguments[:1] == ("calls",):
            return "has no calls from client to client"
        return super().abstains(scenario, serializer)


class SocketIO(SocketIOAlone):
    """The server with its Redis adapter and a Redis of its own."""

    name = "socketio"

    def __init__(self) -> None:
        super().__init__()
        self._redis = ExitStack()
        self._redis_port = 0

    def lacks(self) -> str | None:
        """Node.js, Redis, or what npm would install."""
        return super().lacks() if shutil.which("redis-server") else "redis-server"

    def abstains(self, scenario: Scenario, serializer: str) -> str | None:
        """It does read a Redis."""
        return super().abstains(replace(scenario, redis=False), serializer)

    def admission(self) -> tuple[Credentials, Credentials, Mapping[str, str]]:
        """The same, and where the Redis is."""
        user, backend, known = super().admission()
        return user, backend, {**known, "BENCH_REDIS": str(self._redis_port)}

    def start(self, folder: Path, redis_port: int | None = None) -> Running:
        """Start a Redis unless there is one, and the server beside it."""
        self._redis_port = self._redis.enter_context(Redis()).port if redis_port is None else redis_port
        running = super().start(folder)
        return replace(running, options=(*running.options, "--redis", str(self._redis_port)))

    def stop(self) -> None:
        """End both."""
        super().stop()
        self._redis.close()
