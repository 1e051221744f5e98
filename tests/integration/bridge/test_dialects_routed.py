"""Dialects through a whole router: what clients get, who is left out, whose session ends; and the documented ACL."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted
import redis
from conftest import principal, rule, static_configuration, ticket_of
from raw_wamp import Peer
from redis_server import RedisServer
from router_process import RouterProcess

from wampgate.bridge.dialects.plain import PlainRule
from wampgate.bridge.dialects.python_socketio import PythonSocketIoRule
from wampgate.bridge.dialects.socketio_emitter import SocketIoEmitterRule

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN = "organization.{organization}"
DOCUMENTATION = Path(__file__).parents[3] / "docs/dialects.md"


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="module")
def process(server: RedisServer) -> Iterator[RouterProcess]:
    rules = [
        {"dialect": "python-socketio", "room": OWN, "topic": OWN, "disconnects": True, "broadcast_topic": "everyone"},
        {
            "dialect": "laravel",
            "channel": "private-organization.{organization}",
            "topic": OWN + ".{event}",
            "event": "topic",
            "values": "keywords",
        },
    ]
    realm = {
        "name": "realm1",
        "authentication": {"ticket": {}, "principals": [principal(name, "client") for name in ("alice", "bob")]},
        "authorization": {
            "rules": [rule("client", ["subscribe"], uri, "prefix") for uri in ("organization.", "every")]
        },
        "bridges": [{"type": "redis", "url": server.url, "rules": rules}],
    }
    with RouterProcess(static_configuration(realms=[realm])) as process:
        process.wait_for_log("reading from")
        yield process


def emit(server: RedisServer, **changed: Any) -> None:
    message = {"method": "emit", "event": "news", "data": [1], "binary": False, "namespace": "/", "room": None}
    server.publish("socketio", json.dumps(message | {"skip_sid": None} | changed))


def joined(process: RouterProcess, name: str, *topics: str, **options: str) -> Peer:
    peer = Peer(process.port).join(ticket_of(name))
    for topic in topics:
        peer.subscribe(topic, **options)
    return peer


def test_rooms_exclusions_and_everyone(server: RedisServer, process: RouterProcess) -> None:
    with (
        joined(process, "alice", "organization.7", "everyone") as alice,
        joined(process, "bob", "organization.7") as bob,
    ):
        bob.subscribe("organization.8")
        emit(server, room="organization.7", skip_sid=str(alice.session))
        emit(server, room="organization.7", skip_sid="organization.8", data=[2])
        emit(server, data=["all"])
        emit(server, room="organization.7", data=["end"])
        assert [alice.event()[4] for _ in range(3)] == [["news", 2], ["news", "all"], ["news", "end"]]
        assert [bob.event()[4] for _ in range(2)] == [["news", 1], ["news", "end"]]


def test_the_events_name_in_the_topic(server: RedisServer, process: RouterProcess) -> None:
    with joined(process, "alice", "organization.7.", match="prefix") as alice:
        payload = {"event": "App\\Events\\News", "data": {"text": "hi", "socket": None}, "socket": None}
        server.publish("private-organization.7", json.dumps(payload))
        event = alice.event()
        assert event[3]["topic"] == "organization.7.App%5CEvents%5CNews"
        assert event[5] == {"text": "hi"}


def test_disconnects(server: RedisServer, process: RouterProcess) -> None:
    with (
        joined(process, "alice", "organization.7") as alice,
        joined(process, "bob", "organization.8") as bob,
        joined(process, "alice", "organization.", match="prefix") as service,
    ):
        server.publish("socketio", json.dumps({"method": "disconnect", "sid": str(alice.session), "namespace": "/"}))
        assert alice.receive()[2] == "wamp.close.killed"
        server.publish("socketio", json.dumps({"method": "disconnect", "sid": "organization.8", "namespace": "/"}))
        assert bob.receive()[2] == "wamp.close.killed"
        emit(server, room="organization.8")
        assert service.event()[4] == ["news", 1]


def test_disconnects_reach_who_subscribes_to_nothing_where_only_what_is_wanted_is_read(server: RedisServer) -> None:
    rule_ = {"dialect": "socketio-emitter", "room": OWN, "topic": OWN, "disconnects": True}
    realm = {
        "name": "realm1",
        "authentication": {"ticket": {}, "principals": [principal("alice", "client")]},
        "bridges": [{"type": "redis", "url": server.url, "subscribe": "wanted", "rules": [rule_]}],
    }
    with RouterProcess(static_configuration(realms=[realm])) as process:
        process.wait_for_log("reading from")
        with joined(process, "alice") as alice:
            request = {"type": 4, "opts": {"rooms": [str(alice.session)], "except": []}, "close": True}
            server.publish("socket.io-request#/#", json.dumps(request))
            assert alice.receive()[2] == "wamp.close.killed"


def test_a_join_from_outside_grants_nothing(server: RedisServer, process: RouterProcess) -> None:
    with joined(process, "alice", "organization.7") as alice:
        join = {"method": "enter_room", "sid": str(alice.session), "room": "organization.8", "namespace": "/"}
        server.publish("socketio", json.dumps(join))
        emit(server, room="organization.8")
        emit(server, room="organization.7", data=["end"])
        assert alice.event()[4] == ["news", "end"]
        process.wait_for_log("that grants nothing here")


@pytest_twisted.ensureDeferred
async def test_the_documented_rights_suffice_and_are_no_more(harness: Any) -> None:
    commands = re.findall(r"^ACL SETUSER (.*)$", DOCUMENTATION.read_text(), re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["wampgate", "shop", "default"]
    server = harness.server()
    shop = redis.Redis(port=server.port)
    for command in commands:
        shop.execute_command("ACL", "SETUSER", *command.split())
    shop.close()
    bridge = await harness.reading(
        f"redis://wampgate:choose-one@127.0.0.1:{server.port}",
        PlainRule("channel.{organization}", OWN),
        SocketIoEmitterRule(),
        PythonSocketIoRule(),
    )
    with redis.Redis(port=server.port, username="shop", password="choose-two") as shop:
        message = '{"method":"emit","event":"news","data":[],"namespace":"/","room":"organization.7"}'
        await harness.in_thread(shop.publish, "socketio", message)
        assert await harness.published() == [("organization.7", ["news"], {})]
        for forbidden in (("PUBLISH", "channel.7", "{}"), ("SUBSCRIBE", "socketio"), ("GET", "x")):
            with pytest.raises(redis.exceptions.NoPermissionError):
                await harness.in_thread(shop.execute_command, *forbidden)
    await harness.pause(0.7)
    assert bridge.ready, "pings are allowed"
