"""What is published in the realm leaves for a real Redis by rule: once, in order, never in circles, within bounds."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted

from wampgate.bridge import redis_sender
from wampgate.bridge.out import OutQueue
from wampgate.wire.messages import PublishOptions

if TYPE_CHECKING:
    from redis_server import RedisServer

IN = {"dialect": "plain", "channel": "channel.{organization}", "topic": "organization.{organization}"}
OUT = {"topic": "organization.{organization}", "channel": "out.{organization}"}


class Worker:
    """A backend that listens on Redis: a bare socket, its messages read with the protocol's plain rules."""

    def __init__(self, server: RedisServer, pattern: str = "out.*") -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port))
        self._socket.settimeout(5)
        self._lines = self._socket.makefile("rb")
        self._socket.sendall(b"PSUBSCRIBE %s\r\n" % pattern.encode())
        assert self._next()[0] == b"psubscribe"

    def messages(self, count: int) -> list[tuple[str, bytes]]:
        """The next messages and their channels."""
        return [(channel.decode(), message) for _, _, channel, message in (self._next() for _ in range(count))]

    def silent(self, seconds: float = 0.3) -> bool:
        self._socket.settimeout(seconds)
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(5)

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def _next(self) -> list[Any]:
        count = int(self._lines.readline()[1:])
        return [self._value() for _ in range(count)]

    def _value(self) -> Any:
        line = self._lines.readline()
        if line[:1] == b":":
            return int(line[1:])
        return self._lines.read(int(line[1:]) + 2)[:-2]


@pytest.fixture
def workers() -> Any:
    made: list[Worker] = []

    def listening(server: RedisServer, pattern: str = "out.*") -> Worker:
        made.append(Worker(server, pattern))
        return made[-1]

    yield listening
    for worker in made:
        worker.close()


@pytest_twisted.ensureDeferred
async def test_publications_leave_in_order(harness: Any, workers: Any) -> None:
    server = harness.server()
    inside = await harness.inside({"url": server.url, "out": [OUT]})
    worker = workers(server)
    member = inside.member()
    ids = [member.publish("organization.7", number, b"\x01") for number in range(3000)]
    member.publish("elsewhere", 1)
    messages = await harness.in_thread(worker.messages, 3000)
    assert [channel for channel, _ in messages] == ["out.7"] * 3000
    assert [json.loads(message) for _, message in messages] == [
        {"topic": "organization.7", "publication": id_, "args": [number, "\0AQ=="], "kwargs": {}}
        for number, id_ in enumerate(ids)
    ]
    assert await harness.in_thread(worker.silent)
    (bridge,) = inside.bridges
    await harness.eventually(lambda: bridge.out_counters["sent"] == 3000)
    assert bridge.out_counters["sent_unheard"] == 0


@pytest_twisted.ensureDeferred
async def test_what_came_from_redis_does_not_leave_again(harness: Any, workers: Any) -> None:
    """Two realms' bridges on one Redis, each sending what the other one reads: nothing goes round."""
    server = harness.server()
    first = await harness.inside({"url": server.url, "rules": [IN], "out": [OUT]})
    second_in = IN | {"channel": "out.{organization}"}
    second = await harness.inside(
        {"url": server.url, "rules": [second_in], "out": [OUT | {"channel": "channel.{organization}"}]}
    )
    worker = workers(server, "*")
    here, there = first.member(), second.member()
    here.subscribe("organization.7")
    there.subscribe("organization.7")
    first.member().publish("organization.7", "x")
    await harness.eventually(lambda: there.events)
    await harness.pause(0.3)
    assert len(here.events) == len(there.events) == 1
    assert [channel for channel, _ in await harness.in_thread(worker.messages, 1)] == ["out.7"]
    assert await harness.in_thread(worker.silent)


@pytest_twisted.ensureDeferred
async def test_only_what_everybody_may_see_leaves(harness: Any, workers: Any) -> None:
    """A publication for some sessions or roles is not for a channel that all workers read."""
    server = harness.server()
    inside = await harness.inside({"url": server.url, "out": [OUT]})
    worker = workers(server)
    member = inside.member()
    for options in (
        PublishOptions(eligible=[5]),
        PublishOptions(eligible_authid=["someone"]),
        PublishOptions(eligible_authrole=["member"]),
        PublishOptions(exclude_authrole=["wampgate.bridge.redis"]),
    ):
        member.publish("organization.7", options=options)
    member.publish("organization.7", "all", options=PublishOptions(exclude=[5], exclude_me=False))
    ((_, message),) = await harness.in_thread(worker.messages, 1)
    assert json.loads(message)["args"] == ["all"]
    assert await harness.in_thread(worker.silent)


@pytest_twisted.ensureDeferred
async def test_sending_raises_no_interest(harness: Any) -> None:
    server = harness.server()
    inside = await harness.inside(
        {"url": server.url, "rules": [IN], "subscribe": "wanted", "out": [OUT | {"below": True}]}
    )
    await harness.pause(0.1)
    assert server.command("PUBSUB", "NUMPAT") == b":0\r\n"
    assert len(inside.realm.broker) == 0


@pytest_twisted.ensureDeferred
async def test_what_waits_is_bounded(harness: Any, workers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_sender, "OutQueue", lambda: OutQueue(100))
    server = harness.server()
    inside = await harness.inside({"url": server.url, "out": [OUT]})
    (bridge,) = inside.bridges
    server.kill()
    await harness.eventually(lambda: not inside.ready, 1)
    member = inside.member()
    for number in range(150):
        member.publish("organization.7", number)
    assert bridge.out_counters["out_dropped"] == 50
    assert len(harness.log.with_text("fills its queue")) == 1

    def restart() -> Any:
        server.start()
        return workers(server)

    worker = await harness.in_thread(restart)
    await harness.eventually(lambda: inside.ready)
    member.publish("organization.7", "new")
    await harness.eventually(lambda: bridge.out_counters["sent"] == 101)
    # The worker may have come later than the first of them.
    heard = 101 - bridge.out_counters["sent_unheard"]
    messages = await harness.in_thread(worker.messages, heard)
    assert [json.loads(message)["args"][0] for _, message in messages] == [*range(100), "new"][-heard:]


@pytest_twisted.ensureDeferred
async def test_a_frozen_redis_does_not_fill_the_memory(harness: Any) -> None:
    server = harness.server()
    inside = await harness.inside({"url": server.url, "out": [OUT], "ping_seconds": 30})
    (bridge,) = inside.bridges
    server.freeze()
    member = inside.member()
    try:
        for _ in range(40):
            member.publish("organization.7", "x" * 1_000_000)
            await harness.pause(0)
        assert bridge.out_counters["out_dropped"] >= 20
    finally:
        server.thaw()
    await harness.eventually(lambda: bridge.out_counters["sent"] + bridge.out_counters["out_dropped"] == 40)


@pytest_twisted.ensureDeferred
async def test_what_may_not_be_sent_is_said_once(harness: Any) -> None:
    server = harness.server(user="router", password="secret-two", channels=("channel.*",))
    inside = await harness.inside(
        {"url": server.url, "rules": [IN], "out": [OUT, OUT | {"channel": "out", "format": "plain"}]}
    )
    (bridge,) = inside.bridges
    member = inside.member()
    for _ in range(3):
        member.publish("organization.7", 1, kw=2)
    await harness.eventually(lambda: bridge.out_counters["out_refused"] == 3)
    assert bridge.out_counters["not_plain"] == 3
    (line,) = harness.log.with_text("+publish")
    assert "&out.*" in line
    assert len(harness.log.with_text("no plain payload")) == 1
    assert not any("secret-two" in line for line in harness.log.lines)


@pytest_twisted.ensureDeferred
async def test_what_waits_is_sent_before_the_end(harness: Any, workers: Any) -> None:
    server = harness.server()
    inside = await harness.inside({"url": server.url, "out": [OUT]})
    worker = workers(server)
    member = inside.member()
    for number in range(2500):
        member.publish("organization.7", number)
    await inside.stop()
    member.publish("organization.7", "after the end")
    assert len(await harness.in_thread(worker.messages, 2500)) == 2500
    assert await harness.in_thread(worker.silent)
