"""Interruptions of a bridge are announced to those who may have missed something, and to nobody else."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest_twisted
from twisted.internet.defer import ensureDeferred

GAP = "wampgate.gap"
RULE = {"dialect": "plain", "channel": "channel.{organization}", "topic": "organization.{organization}"}


def gaps(member: Any) -> list[tuple[str, str]]:
    """(topic, match) of what a member was told, each told in full."""
    told = [kwargs for at, _, kwargs in member.events if at == GAP]
    for kwargs in told:
        assert set(kwargs) == {"topic", "match", "since", "why", "dropped"}
        assert kwargs["why"] == "bridge_interrupted"
        assert kwargs["dropped"] is None
    return [(kwargs["topic"], kwargs["match"]) for kwargs in told]


@pytest_twisted.ensureDeferred
async def test_a_restart_is_announced_to_whom_it_concerns(harness: Any) -> None:
    server = harness.server()
    inside = await harness.inside({"url": server.url, "rules": [RULE]})
    concerned, pattern, other, deaf = (inside.member() for _ in range(4))
    for member in (concerned, pattern, other):
        member.subscribe(GAP)
    concerned.subscribe("organization.7")
    concerned.subscribe("organization.8")
    pattern.subscribe("", "prefix")
    other.subscribe("news")
    other.subscribe("organization.7.chat")
    other.subscribe("organization.7.", "prefix")
    deaf.subscribe("organization.7")
    server.publish("channel.7", "1")
    await harness.eventually(lambda: concerned.args("organization.7") == [1])
    before = time.time()
    server.kill()
    await harness.eventually(lambda: not inside.ready, 1)
    await harness.pause(0.3)
    assert not gaps(concerned)
    late = inside.member()
    late.subscribe(GAP)
    late.subscribe("organization.9")
    await harness.in_thread(server.start)
    assert await harness.eventually(lambda: inside.ready) < 2
    server.publish("channel.7", "2")
    await harness.eventually(lambda: concerned.args("organization.7") == [1, 2])
    await harness.pause(0.05)
    assert sorted(gaps(concerned)) == [("organization.7", "exact"), ("organization.8", "exact")]
    assert gaps(pattern) == [("", "prefix")]
    assert gaps(late) == [("organization.9", "exact")]
    assert gaps(other) == []
    assert deaf.events == [("organization.7", [1], {}), ("organization.7", [2], {})]
    since = datetime.fromisoformat(concerned.events[-2][2]["since"]).timestamp()
    assert before - 1 < since < before + 0.5


@pytest_twisted.ensureDeferred
async def test_frozen_redis(harness: Any, stalls: Any) -> None:
    """The gap begins when Redis was heard last, not when that was noticed."""
    server = harness.server()
    inside = await harness.inside({"url": server.url, "rules": [RULE]})
    member = inside.member()
    member.subscribe(GAP)
    member.subscribe("organization.7")
    await harness.pause(0.6)
    server.freeze()
    frozen = time.time()
    await harness.eventually(lambda: not inside.ready, 3)
    await harness.pause(0.5)
    server.thaw()
    assert await harness.eventually(lambda: inside.ready) < 2
    await harness.eventually(lambda: gaps(member) == [("organization.7", "exact")])
    since = datetime.fromisoformat(member.events[-1][2]["since"]).timestamp()
    assert frozen - 0.6 < since <= frozen + 0.1
    assert stalls.worst < 0.1


@pytest_twisted.ensureDeferred
async def test_no_redis_from_the_start_is_an_interruption_too(harness: Any) -> None:
    server = harness.server()
    server.stop()
    inside = harness.inside({"url": server.url, "rules": [RULE]})
    member = None

    async def join() -> None:
        nonlocal member
        await harness.pause(0.3)
        (made,) = harness.insides
        member = made.member()
        member.subscribe(GAP)
        member.subscribe("organization.7")
        await harness.in_thread(server.start)

    joined = ensureDeferred(join())
    await inside
    await joined
    await harness.eventually(lambda: gaps(member) == [("organization.7", "exact")])


@pytest_twisted.ensureDeferred
async def test_every_interruption(harness: Any) -> None:
    server = harness.server()
    inside = await harness.inside({"url": server.url, "rules": [RULE]})
    member = inside.member()
    member.subscribe(GAP)
    member.subscribe("organization.7")
    for number in range(1, 6):
        server.command("CLIENT", "KILL", "TYPE", "pubsub")
        await harness.eventually(lambda number=number: len(gaps(member)) == number)


@pytest_twisted.ensureDeferred
async def test_thousands_are_told_in_portions(harness: Any, stalls: Any) -> None:
    server = harness.server()
    inside = await harness.inside({"url": server.url, "rules": [RULE], "subscribe": "wanted"})
    members = [inside.member() for _ in range(10_000)]
    for number, member in enumerate(members):
        member.subscribe(GAP)
        member.subscribe(f"organization.{number % 1_000}")
        if number % 500 == 0:
            await harness.pause(0)
    await harness.pause(0.3)
    stalls.worst = 0.0
    server.command("CLIENT", "KILL", "TYPE", "pubsub")
    await harness.eventually(lambda: all(len(member.events) == 1 for member in members), 20)
    assert stalls.worst < 0.1
