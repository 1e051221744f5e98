"""The generator speaks Centrifuge's and Socket.IO's protocols: what arrives is counted, and what is refused is told."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import jwt
import msgpack
import pytest
import redis as redis_client
from unit.benchmarks.foreign_server import USER, CentrifugeServer, SocketIOServer

from benchmarks import load
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers.centrifuge import Centrifuge, signed
from benchmarks.servers.redis import Redis
from benchmarks.servers.socketio import SocketIO, SocketIOAlone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from unit.benchmarks.foreign_server import ForeignServer

    from benchmarks.servers.interface import Running

SHORT = ("--warm", "0.1", "--seconds", "0.3", "--patience", "5")
SERVERS: dict[str, Callable[[], ForeignServer]] = {"centrifuge": CentrifugeServer, "socketio": SocketIOServer}


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[ForeignServer]:
    with SERVERS[request.param]() as server:
        yield server


@pytest.fixture
def running(server: ForeignServer) -> Running:
    return server.running(os.getpid())


@pytest.mark.parametrize(
    "options",
    [
        ("--window", "1"),
        ("--window", "8", "--burst"),
        ("--topic", "organization.{}", "--topics", "7", "--window", "20"),
        ("--payload", "70000"),
        ("--payload", "100"),
    ],
)
def test_events_arrive_complete_in_order_and_unchanged(running: Running, options: tuple[str, ...]) -> None:
    outcome = load.run(running, ("fanout", "--subscribers", "30", *options, *SHORT))
    assert outcome.operations > 30
    assert 0 < outcome.p50_us <= outcome.longest_us


def test_joins_are_counted(running: Running) -> None:
    assert load.run(running, ("join", "--connections", "40", "--first", "5", "--seconds", "0.1")).operations == 40


def test_several_events_in_one_frame_are_taken_apart() -> None:
    with CentrifugeServer(together=4) as server:
        outcome = load.run(
            server.running(os.getpid()), ("fanout", "--subscribers", "3", "--window", "4", "--burst", *SHORT)
        )
    assert outcome.operations > 12


def test_pings_of_the_protocol_are_answered(server: ForeignServer, running: Running) -> None:
    def ping() -> None:
        for client in server.clients:
            for _ in range(3):
                server.ping(client)

    # Well after all have joined, and before the end.
    server.loop.call_soon_threadsafe(server.loop.call_later, 1.0, ping)
    idle = ("idle", "--connections", "5", "--first", "0", "--seconds", "1.5", "--pings", "3")
    assert load.run(running, idle).operations == 15
    assert [client.pongs for client in server.clients] == [3] * 5


def test_a_wrong_token_is_refused(running: Running) -> None:
    with pytest.raises(load.RunFailed, match=r"subscriber 0.*invalid token"):
        load.run(replace(running, user=replace(USER, ticket="wrong")), ("fanout", "--subscribers", "1", *SHORT))


def test_a_foreign_topic_is_refused(running: Running) -> None:
    with pytest.raises(load.RunFailed, match=r"subscriber 0.*(permission denied|not authorized)"):
        load.run(running, ("fanout", "--subscribers", "1", "--topic", "elsewhere", *SHORT))


class Emitted:
    """A context manager that reads a Redis as Socket.IO's adapter does, and checks the form of what it gets."""

    def __init__(self, port: int, server: SocketIOServer) -> None:
        self._redis = redis_client.Redis(port=port)
        self._server = server
        self.wrong: list[Any] = []

    def __enter__(self) -> Self:
        self._subscribed = self._redis.pubsub()
        self._subscribed.psubscribe(**{"socket.io#/#*": self._take})
        self._reading = self._subscribed.run_in_thread(sleep_time=0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._reading.stop()
        self._reading.join()
        self._redis.close()

    def _take(self, heard: dict[str, Any]) -> None:
        channel, message = heard["channel"].decode(), msgpack.unpackb(heard["data"])
        room = channel.removeprefix("socket.io#/#").removesuffix("#")
        text = message[1]["data"][1]
        expected = ["emitter", {"type": 2, "data": ["news", text], "nsp": "/"}, {"rooms": [room], "flags": {}}]
        if message != expected or channel != f"socket.io#/#{room}#":
            self.wrong.append(message)
        self._server.loop.call_soon_threadsafe(self._server.emit, room, text)


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="NO REDIS: what emitters publish is not tested here")
def test_what_goes_through_redis_is_what_emitters_publish() -> None:
    with Redis() as redis, SocketIOServer() as server, Emitted(redis.port, server) as emitted:
        topics = ("--topic", "organization.{}", "--topics", "3", "--subscribers", "6", "--window", "8")
        outcome = load.run(server.running(os.getpid()), ("fanout", *topics, "--redis", str(redis.port), *SHORT))
    assert outcome.operations > 6
    assert not emitted.wrong


def test_tokens_are_json_web_tokens() -> None:
    token = signed({"sub": "bench", "role": "user", "exp": 4_000_000_000}, "a secret of some length, as it should be")
    claims = jwt.decode(token, "a secret of some length, as it should be", algorithms=["HS256"])
    assert claims == {"sub": "bench", "role": "user", "exp": 4_000_000_000}


@pytest.mark.parametrize("peer", [Centrifuge, SocketIO, SocketIOAlone])
def test_calls_are_not_theirs(peer: type[Centrifuge | SocketIO | SocketIOAlone]) -> None:
    assert peer().abstains(SCENARIOS["calls-8x1"], "json") == "has no calls from client to client"
    assert peer().abstains(SCENARIOS["fanout"], "json") is None
    assert "speaks no cbor" in (peer().abstains(SCENARIOS["fanout"], "cbor") or "")
