"""Stock Autobahn Python's options of subscriptions and publications: patterns, lists, names, retention."""

# Autobahn and pytest-twisted carry no annotations:
# mypy: allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]  # it ships no types
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import PublishOptions, SubscribeOptions
from clients.habits_router import habits_configuration
from clients.python.stock_components import Components, Received, eventually, over_every_way
from raw_wamp import random_name
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def process() -> Iterator[RouterProcess]:
    with RouterProcess(habits_configuration()) as process:
        yield process


def acknowledged(**more: Any) -> PublishOptions:
    return PublishOptions(acknowledge=True, **more)


@over_every_way
@pytest_twisted.ensureDeferred
async def test_patterns(process: RouterProcess, way: tuple[str, str]) -> None:
    name = random_name()
    exact, prefix, wildcard = Received(), Received(), Received()
    async with Components(process, way) as components:
        bob, alice = await components.join("bob"), await components.join("alice")
        await bob.subscribe(exact, f"{name}.a.b", options=SubscribeOptions(details=True))
        await bob.subscribe(prefix, f"{name}.a", options=SubscribeOptions(match="prefix", details_arg="event"))
        await bob.subscribe(wildcard, f"{name}..b", options=SubscribeOptions(match="wildcard", details=True))
        published = [
            (await alice.publish(name + end, options=acknowledged())).id for end in (".a.b", ".a.c", ".x.b", ".x")
        ]
        await wildcard.wait(2)
        heard = [[kwargs.popitem()[1] for _, kwargs in received.calls] for received in (exact, prefix, wildcard)]
        topics = [[event.topic.removeprefix(name) for event in events] for events in heard]
        assert topics == [[".a.b"], [".a.b", ".a.c"], [".a.b", ".x.b"]]
        assert [event.publication for event in heard[1]] == published[:2]


@over_every_way
@pytest_twisted.ensureDeferred
async def test_several_handlers_of_one_topic(process: RouterProcess, way: tuple[str, str]) -> None:
    """Autobahn shares one subscription among them, and unsubscribes with the last one."""
    name = random_name()
    one, other = Received(), Received()
    async with Components(process, way) as components:
        bob, alice = await components.join("bob"), await components.join("alice")
        subscriptions = [await bob.subscribe(received, name) for received in (one, other)]
        assert subscriptions[0].id == subscriptions[1].id
        alice.publish(name, 1)
        await other.wait()
        await subscriptions[0].unsubscribe()
        alice.publish(name, 2)
        await other.wait(2)
        await subscriptions[1].unsubscribe()
        await alice.publish(name, 3, options=acknowledged())
        await bob.subscribe(one, name)
        alice.publish(name, 4)
        await one.wait(2)
        assert (one.args, other.args) == ([(1,), (4,)], [(1,), (2,)])


@over_every_way
@pytest_twisted.ensureDeferred
async def test_who_receives_it(process: RouterProcess, way: tuple[str, str]) -> None:
    name = random_name("com.example.open")
    async with Components(process, way) as components:
        sessions = {who: await components.join(who) for who in ("alice", "bob", "carol")}
        sessions["guest"] = await components.join(None)
        received = {who: Received() for who in sessions}
        for who, session in sessions.items():
            await session.subscribe(received[who], name)
        ids = {who: session.session_id for who, session in sessions.items()}
        everyone = set(sessions) - {"alice"}
        lists: list[tuple[dict[str, Any], set[str]]] = [
            ({}, everyone),
            ({"exclude_me": False}, {*everyone, "alice"}),
            ({"exclude": ids["bob"]}, everyone - {"bob"}),
            ({"exclude": [ids["bob"], ids["guest"]]}, {"carol"}),
            ({"exclude_authid": ["bob", "carol"]}, {"guest"}),
            ({"exclude_authrole": "guest"}, {"bob", "carol"}),
            ({"eligible": [ids["carol"]]}, {"carol"}),
            ({"eligible_authid": "bob"}, {"bob"}),
            ({"eligible_authrole": ["client"]}, {"bob", "carol"}),
            ({"eligible_authrole": ["client"], "exclude_authid": ["bob"]}, {"carol"}),
            ({"eligible": []}, set()),
        ]
        for number, (options, _) in enumerate(lists):
            await sessions["alice"].publish(name, number, options=acknowledged(**options))
        await sessions["alice"].publish(name, "end", options=acknowledged(exclude_me=False))
        await eventually(lambda: all(("end",) in one.args for one in received.values()))
        for number, (options, eligible) in enumerate(lists):
            assert {who for who, one in received.items() if (number,) in one.args} == eligible, options


@over_every_way
@pytest_twisted.ensureDeferred
async def test_who_publishes(process: RouterProcess, way: tuple[str, str]) -> None:
    """Stock clients can't ask for it: a rule with ``disclose`` says where subscribers learn it."""
    told, untold = random_name("com.example.open"), random_name()
    async with Components(process, way) as components:
        bob, alice = await components.join("bob"), await components.join("alice")
        heard = Received()
        for name in (told, untold):
            await bob.subscribe(heard, name, options=SubscribeOptions(details=True))
            alice.publish(name)
        events = [kwargs["details"] for _, kwargs in await heard.wait(2)]
        known = [(event.publisher, event.publisher_authid, event.publisher_authrole) for event in events]
        assert known == [(alice.session_id, "alice", "client"), (None, None, None)]


@over_every_way
@pytest_twisted.ensureDeferred
async def test_what_is_retained(process: RouterProcess, way: tuple[str, str]) -> None:
    name = random_name()
    late, live = Received(), Received()
    async with Components(process, way) as components:
        bob, alice = await components.join("bob"), await components.join("alice")
        for number in range(3):
            await alice.publish(name, number, unit="°C", options=acknowledged(retain=True))
        await bob.subscribe(live, f"{name}.other", options=SubscribeOptions(get_retained=True, details=True))
        await bob.subscribe(late, name, options=SubscribeOptions(get_retained=True, details=True))
        alice.publish(name, 3)
        calls = await late.wait(2)
        assert [(args, kwargs["details"].retained) for args, kwargs in calls] == [((2,), True), ((3,), None)]
        assert calls[0][1]["unit"] == "°C"
        assert live.calls == []


@over_every_way
@pytest_twisted.ensureDeferred
async def test_what_was_missed(process: RouterProcess, way: tuple[str, str]) -> None:
    name = random_name("com.example.kept")
    async with Components(process, way) as components:
        bob, alice = await components.join("bob"), await components.join("alice")
        published = [(await alice.publish(name, number, options=acknowledged())).id for number in range(5)]
        subscription = await bob.subscribe(Received(), name)
        result = await bob.call("wamp.subscription.get_events", subscription.id, limit=3, reverse=True)
        # The events are the result's arguments, as the specification has it.
        assert [event["publication"] for event in result.results] == published[:1:-1]
        assert [event["args"] for event in result.results] == [[4], [3], [2]]


@over_every_way
@pytest_twisted.ensureDeferred
async def test_what_is_refused(process: RouterProcess, way: tuple[str, str]) -> None:
    async with Components(process, way) as components:
        alice, guest = await components.join("alice"), await components.join(None)
        requests = (
            (lambda: alice.subscribe(print, "com.elsewhere"), "not_authorized"),
            (lambda: alice.subscribe(print, "com.", options=SubscribeOptions(match="prefix")), "not_authorized"),
            (lambda: alice.subscribe(print, "com.example..x.y", options=SubscribeOptions(match="wildcard")), None),
            (
                lambda: alice.subscribe(print, "com..example", options=SubscribeOptions(match="wildcard")),
                "not_authorized",
            ),
            (lambda: alice.subscribe(print, "com.example..x"), "invalid_uri"),
            (lambda: guest.publish("com.example.open.x", options=acknowledged()), "not_authorized"),
            (lambda: alice.publish("wamp.session.on_join", options=acknowledged()), "not_authorized"),
        )
        for request, error in requests:
            if error is None:
                assert await request()
                continue
            with pytest.raises(ApplicationError) as refused:
                await request()
            assert refused.value.error == f"wamp.error.{error}"
        # Without acknowledgement nobody is told; the session goes on.
        guest.publish("com.example.open.x")
        assert await guest.subscribe(print, "com.example.open.x")
