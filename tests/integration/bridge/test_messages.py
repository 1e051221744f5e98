"""What is published on a real Redis arrives as events, and what is wrong there is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgpack
import pytest
import pytest_twisted

from wampgate.bridge.dialects.plain import PlainRule
from wampgate.bridge.dialects.socketio_emitter import SocketIoEmitterRule
from wampgate.core.errors import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Callable

PHP = bytes.fromhex(
    "9283a47479706502a46461746192a46e65777381a464617461a26869a36e7370a12f"
    "82a5726f6f6d7391ae6f7267616e697a6174696f6e2e37a5666c61677390"
)


@pytest_twisted.ensureDeferred
async def test_publish_arrives(harness: Any) -> None:
    server = harness.server()
    bridge = await harness.reading(server.url)
    assert server.publish("channel.7", '{"text":"hi"}') == 1
    assert await harness.published() == [("organization.7", [], {"text": "hi"})]
    assert (bridge.counters["received"], bridge.counters["published"]) == (1, 1)


@pytest_twisted.ensureDeferred
async def test_payloads_stay_what_they_are(harness: Any) -> None:
    """Numbers in text stay text, binary stays binary: the client library converts nothing."""
    server = harness.server()
    await harness.reading(
        server.url,
        PlainRule("text.{organization}", "text.{organization}", "text"),
        PlainRule("msgpack.{organization}", "msgpack.{organization}", "msgpack"),
        PlainRule("json.{organization}", "json.{organization}"),
    )
    server.publish("text.1", "1.50")
    server.publish("text.07", "007")
    server.publish("text.1", b"\xff\xfe")
    server.publish("text.1", "")
    server.publish("text.1", "a\r\n$5\r\nb")
    server.publish("msgpack.1", msgpack.packb({"blob": b"\x00\xff", "text": "grüß"}))
    server.publish("json.1", "[1, 2.5, null]")
    assert await harness.published(7) == [
        ("text.1", ["1.50"], {}),
        ("text.07", ["007"], {}),
        ("text.1", [b"\xff\xfe"], {}),
        ("text.1", [""], {}),
        ("text.1", ["a\r\n$5\r\nb"], {}),
        ("msgpack.1", [], {"blob": b"\x00\xff", "text": "grüß"}),
        ("json.1", [1, 2.5, None], {}),
    ]


@pytest_twisted.ensureDeferred
async def test_the_origins_emitter(harness: Any) -> None:
    server = harness.server()
    await harness.reading(server.url, SocketIoEmitterRule())
    server.publish("socket.io#emitter", PHP)
    two = msgpack.packb(
        [
            "emitter",
            {"type": 2, "data": ["news", 1], "nsp": "/"},
            {"rooms": ["organization.7", "organization.8"], "flags": {}},
        ]
    )
    for room in ("organization.7", "organization.8", "other.9"):
        server.publish(f"socket.io#/#{room}#", two)
    server.publish("socket.io#/#", two)
    assert await harness.published(5) == [
        ("organization.7", ["news", {"data": "hi"}], {}),
        ("organization.7", ["news", 1], {}),
        ("organization.8", ["news", 1], {}),
        ("organization.7", ["news", 1], {}),
        ("organization.8", ["news", 1], {}),
    ]


@pytest_twisted.ensureDeferred
async def test_rules_beside_each_other(harness: Any) -> None:
    """Exact channels and patterns that overlap, names with glob characters, one pattern for two rules."""
    server = harness.server()
    bridge = await harness.reading(
        server.url,
        PlainRule("channel.all", "news.all"),
        PlainRule("channel.{organization}", "organization.{organization}"),
        PlainRule("channel.{user}", "user.{user}"),
        PlainRule("a[b]*.{organization}", "glob.{organization}"),
        PlainRule("message", "message"),
    )
    assert bridge.topics() == [
        ("news.all", "exact"),
        ("organization.", "wildcard"),
        ("user.", "wildcard"),
        ("glob.", "wildcard"),
        ("message", "exact"),
    ]
    server.publish("channel.all", "1")
    server.publish("a[b]*.7", "2")
    assert server.publish("ab.7", "3") == 0
    server.publish("message", "4")
    published = await harness.published(5)
    assert sorted(published) == [
        ("glob.7", [2], {}),
        ("message", [4], {}),
        ("news.all", [1], {}),
        ("organization.all", [1], {}),
        ("user.all", [1], {}),
    ]


@pytest_twisted.ensureDeferred
async def test_poison_is_counted_and_logged_once(harness: Any, counted: Callable[..., Any]) -> None:
    server = harness.server()
    bridge = await harness.reading(
        server.url, PlainRule("channel.{organization}", "organization.{organization}"), SocketIoEmitterRule()
    )
    for _ in range(3):
        server.publish("channel.7", "not JSON s3cret")
        server.publish("channel.7", b"\x80\x04\x95 a pickle")
        server.publish("channel.7", "[" * 65 + "]" * 65)
        server.publish("channel.7", b'"' + b"x" * (1 << 20) + b'"')
        server.publish("channel.7.8\x1b[31m\r\nforged", "{}")
        server.publish(b"channel.\xff", "{}")
        server.publish("channel.wampgate.x", "{}")
        server.publish("socket.io#emitter", b"\xc1")
    server.publish("channel.7", '"' + "x" * ((1 << 20) - 2) + '"')
    assert len(await harness.published()) == 1
    assert counted(bridge) == {
        "received": 25,
        "published": 1,
        "undecodable": 9,
        "too_deep": 3,
        "too_large": 3,
        "channel_mismatch": 9,
    }
    assert bridge.ready
    dropped = harness.log.with_text("dropped")
    assert len(dropped) == 5
    assert not any("s3cret" in line or "\x1b" in line or "\n" in line or "\r" in line for line in harness.log.lines)


@pytest_twisted.ensureDeferred
async def test_refusal_and_fault_of_the_router_are_survived(harness: Any) -> None:
    server = harness.server()
    bridge = await harness.reading(server.url)
    harness.events.refuse = RequestRefused("wamp.error.not_authorized", "not allowed")
    server.publish("channel.7", "1")
    server.publish("channel.7", "1")
    await harness.eventually(lambda: bridge.counters["refused"] == 2)
    harness.events.refuse = RuntimeError("a bug")
    server.publish("channel.7", "1")
    server.publish("channel.7", "1")
    await harness.eventually(lambda: bridge.counters["failed"] == 2)
    assert len(harness.log.with_text("refused")) == 1
    (logged,) = harness.log.with_text("Traceback")
    harness.log.lines.remove(logged)
    harness.events.refuse = None
    server.publish("channel.7", "2")
    assert await harness.published() == [("organization.7", [2], {})]


@pytest_twisted.ensureDeferred
async def test_many_messages_arrive_in_order(harness: Any, stalls: Any) -> None:
    server = harness.server()
    await harness.reading(server.url)
    script = "for i = 1, 20000 do redis.call('PUBLISH', 'channel.' .. i % 7, '[' .. i .. ']') end"
    await harness.in_thread(server.command, "EVAL", script, "0")
    published = await harness.published(20000, seconds=20)
    assert [args[0] for _, args, _ in published] == list(range(1, 20001))
    assert published[9] == ("organization.3", [10], {})
    assert stalls.worst < 0.1


@pytest.mark.parametrize("ping_seconds", [0, -1, float("inf"), float("nan")])
def test_senseless_ping_is_refused(ping_seconds: float, harness: Any) -> None:
    with pytest.raises(ValueError, match="ping_seconds"):
        harness.bridge("redis://localhost", ping_seconds=ping_seconds)
