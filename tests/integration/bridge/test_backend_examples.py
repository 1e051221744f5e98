"""The examples for backends in Node, Python and Laravel, run as they stand, and what python-socketio itself can do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import npm
import pytest
import pytest_twisted

from wampgate.bridge.dialects.event_shape import EventShape
from wampgate.bridge.dialects.laravel import LaravelRule
from wampgate.bridge.dialects.python_socketio import PythonSocketIoRule
from wampgate.bridge.dialects.rooms import RoomOptions
from wampgate.bridge.dialects.socketio_emitter import SocketIoEmitterRule

EXAMPLES = Path(__file__).parents[3] / "examples"
NEWS = ("organization.7", ["news", {"data": "Größe: 1.50"}], {})
PACKAGES = {"@socket.io/redis-emitter": "5.1.0", "redis": "4.7.1"}


async def run(harness: Any, *command: object, **environ: str) -> None:
    done = await harness.in_thread(
        lambda: subprocess.run(
            [str(part) for part in command],
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    )
    assert done.returncode == 0, done.stderr


@pytest_twisted.ensureDeferred
async def test_node(harness: Any) -> None:
    folder = await harness.in_thread(npm.installed, "emit-example", PACKAGES, "THE NODE EMITTER EXAMPLE WAS NOT RUN")
    server = harness.server()
    await harness.reading(server.url, SocketIoEmitterRule())
    script = EXAMPLES / "node/emit.js"
    await run(harness, "node", script, "7", "Größe: 1.50", REDIS_URL=server.url, NODE_PATH=str(folder / "node_modules"))
    assert await harness.published() == [NEWS]


@pytest_twisted.ensureDeferred
async def test_python(harness: Any) -> None:
    pytest.importorskip("socketio", reason="THE PYTHON-SOCKETIO EXAMPLE WAS NOT RUN: the package is missing")
    server = harness.server()
    await harness.reading(server.url, PythonSocketIoRule())
    await run(harness, sys.executable, EXAMPLES / "python/emit_news.py", "7", "Größe: 1.50", REDIS_URL=server.url)
    assert await harness.published() == [NEWS]


PYTHON_SOCKETIO = """
import sys, socketio
manager = socketio.RedisManager(sys.argv[1])
# Never started: it listens to nobody, but has a server to speak for.
server = socketio.Server(client_manager=manager)
to = "organization.7"
manager.emit("news", ("two", "values"), room=to)
manager.emit("news", {"blob": b"\\x01\\xff", "more": [b""]}, to=to)
manager.emit("news", None, room=to)
manager.emit("news", "both", room=[to, "organization.8"])
manager.emit("news", "elsewhere", room=to, namespace="/chat")
manager.emit("news", "no room")
manager.disconnect("4711")
manager.enter_room("4711", "/", to)
manager.close_room(to)
manager.emit("last", [], room=to)
"""


class Nobody:
    """Ends no session, and keeps who should have been ended."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, str]] = []

    def end(self, by: str, value: str) -> int:
        self.ended.append((by, value))
        return 0

    def end_subscribers(self, uri: str, match: str) -> int:
        self.ended.append((uri, match))
        return 0


@pytest_twisted.ensureDeferred
async def test_what_python_socketio_can(harness: Any) -> None:
    pytest.importorskip("socketio", reason="PYTHON-SOCKETIO WAS NOT TESTED: the package is missing")
    server, nobody = harness.server(), Nobody()
    rule = PythonSocketIoRule(options=RoomOptions(disconnects=True))
    bridge = await harness.reading(server.url, rule, sessions=nobody)
    await run(harness, sys.executable, "-c", PYTHON_SOCKETIO, server.url)
    await harness.eventually(lambda: ("organization.7", ["last", []], {}) in harness.events.published)
    assert harness.events.published == [
        ("organization.7", ["news", "two", "values"], {}),
        ("organization.7", ["news", {"blob": b"\x01\xff", "more": [b""]}], {}),
        ("organization.7", ["news"], {}),
        ("organization.7", ["news", "both"], {}),
        ("organization.8", ["news", "both"], {}),
        ("organization.7", ["last", []], {}),
    ]
    assert nobody.ended == [("session", "4711")]
    kinds = ("other_namespace", "no_room", "join_ignored", "undecodable")
    assert [bridge.counters[kind] for kind in kinds] == [1, 1, 2, 0]


@pytest_twisted.ensureDeferred
async def test_what_laravel_writes(harness: Any) -> None:
    """No framework is at hand here: these are the bytes of its RedisBroadcaster, for the event of the example."""
    server = harness.server()
    rule = LaravelRule(prefix="laravel_database_", options=RoomOptions(EventShape("keyword", "keywords")))
    await harness.reading(server.url, rule)
    payload = '{"event":"news.posted","data":{"text":"The lift works again","socket":null},"socket":null}'
    server.command("PUBLISH", "laravel_database_private-organization.7", payload)
    news = ("organization.7", [], {"event": "news.posted", "text": "The lift works again"})
    assert await harness.published() == [news]


@pytest.mark.skipif(shutil.which("php") is None, reason="THE LARAVEL EXAMPLE WAS NOT CHECKED: there is no php on PATH")
def test_the_laravel_example_is_php() -> None:
    example = EXAMPLES / "laravel/NewsPosted.php"
    assert subprocess.run(["php", "-l", example], capture_output=True, check=False).returncode == 0
