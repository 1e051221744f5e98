"""Stock Autobahn Python and the meta API: sessions, subscriptions, registrations, their events, kills, testaments."""

# Autobahn and pytest-twisted carry no annotations:
# mypy: allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]  # it ships no types
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import RegisterOptions, SubscribeOptions
from clients.habits_router import habits_configuration
from clients.python.stock_components import Components, Received, by_ticket, eventually, over_every_way
from raw_wamp import random_name
from router_process import RouterProcess
from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def process() -> Iterator[RouterProcess]:
    with RouterProcess(habits_configuration()) as process:
        yield process


async def refused(answer: Deferred[Any]) -> str:
    """The URI of the error that comes."""
    with pytest.raises(ApplicationError) as error:
        await answer
    return str(error.value.error)


@over_every_way
@pytest_twisted.ensureDeferred
async def test_who_is_here(process: RouterProcess, way: tuple[str, str]) -> None:
    async with Components(process, way) as components:
        alice, bob = await components.join("alice"), await components.join("bob")
        guest = await components.join(None)
        assert await alice.call("wamp.session.count") == 3
        assert set(await alice.call("wamp.session.list")) == {alice.session_id, bob.session_id, guest.session_id}
        assert await alice.call("wamp.session.count", ["guest"]) == 1
        assert set(await alice.call("wamp.session.list", ["client"])) == {alice.session_id, bob.session_id}
        found = await alice.call("wamp.session.get", bob.session_id)
        told = {key: found[key] for key in ("session", "authid", "authrole", "authmethod", "authprovider")}
        assert told == {
            "session": bob.session_id,
            "authid": "bob",
            "authrole": "client",
            "authmethod": "ticket",
            "authprovider": "static",
        }
        assert await refused(alice.call("wamp.session.get", 1)) == "wamp.error.no_such_session"
        assert await refused(guest.call("wamp.session.count")) == "wamp.error.not_authorized"


@over_every_way
@pytest_twisted.ensureDeferred
async def test_who_comes_and_goes(process: RouterProcess, way: tuple[str, str]) -> None:
    came, went = Received(), Received()
    async with Components(process, way) as components:
        alice = await components.join("alice")
        await alice.subscribe(came, "wamp.session.on_join")
        await alice.subscribe(went, "wamp.session.on_leave")
        bob = await components.join("bob")
        ((details,),) = (args for args, _ in await came.wait())
        assert (details["session"], details["authid"], details["authrole"]) == (bob.session_id, "bob", "client")
        session = bob.session_id
        bob.leave()
        # Three arguments, as the specification has it: Crossbar gives the session id alone.
        assert [args for args, _ in await went.wait()] == [(session, "bob", "client")]


@over_every_way
@pytest.mark.parametrize("how", ["kill", "kill_by_authid", "kill_by_authrole"])
@pytest_twisted.ensureDeferred
async def test_ending_sessions(process: RouterProcess, way: tuple[str, str], how: str) -> None:
    ended: Deferred[Any] = Deferred()
    async with Components(process, way) as components:
        alice = await components.join("alice")
        component = components.make(by_ticket("gone"))

        @component.on_leave
        def left(_session: Any, details: Any) -> None:
            if not ended.called:
                ended.callback((details.reason, details.message))

        gone = await components.start(component)
        whom = {"kill": gone.session_id, "kill_by_authid": "gone", "kill_by_authrole": "passing"}[how]
        answer = {"kill": None, "kill_by_authid": [gone.session_id], "kill_by_authrole": 1}[how]
        reason = {"reason": "com.example.close.tidied", "message": "good night"}
        assert await alice.call(f"wamp.session.{how}", whom, **reason) == answer
        assert await ended == ("com.example.close.tidied", "good night")
        assert await refused(alice.call("wamp.session.kill", alice.session_id)) == "wamp.error.no_such_session"


@over_every_way
@pytest_twisted.ensureDeferred
async def test_subscriptions(process: RouterProcess, way: tuple[str, str]) -> None:
    name = random_name()
    events = {what: Received() for what in ("on_create", "on_subscribe", "on_unsubscribe", "on_delete")}
    async with Components(process, way) as components:
        alice, bob = await components.join("alice"), await components.join("bob")
        for what, received in events.items():
            await alice.subscribe(received, f"wamp.subscription.{what}")
        options = SubscribeOptions(match="prefix")
        subscription = await bob.subscribe(Received(), f"{name}.", options=options)
        looked_up = await alice.call("wamp.subscription.lookup", f"{name}.", {"match": "prefix"})
        assert looked_up == subscription.id
        assert await alice.call("wamp.subscription.match", f"{name}.x") == [subscription.id]
        assert subscription.id in (await alice.call("wamp.subscription.list"))["prefix"]
        found = await alice.call("wamp.subscription.get", subscription.id)
        assert (found["id"], found["uri"], found["match"]) == (subscription.id, f"{name}.", "prefix")
        assert await alice.call("wamp.subscription.list_subscribers", subscription.id) == [bob.session_id]
        assert await alice.call("wamp.subscription.count_subscribers", subscription.id) == 1
        await subscription.unsubscribe()
        await events["on_delete"].wait()
        ((session, created),) = events["on_create"].args
        assert (session, created["id"], created["uri"]) == (bob.session_id, subscription.id, f"{name}.")
        for what in ("on_subscribe", "on_unsubscribe", "on_delete"):
            assert events[what].args == [(bob.session_id, subscription.id)]


@over_every_way
@pytest_twisted.ensureDeferred
async def test_registrations(process: RouterProcess, way: tuple[str, str]) -> None:
    name = random_name()
    events = {what: Received() for what in ("on_create", "on_register", "on_unregister", "on_delete")}
    async with Components(process, way) as components:
        alice, bob = await components.join("alice"), await components.join("bob")
        for what, received in events.items():
            await alice.subscribe(received, f"wamp.registration.{what}")
        registration = await bob.register(lambda: 1, name, options=RegisterOptions(invoke="roundrobin"))
        assert await alice.call("wamp.registration.lookup", name) == registration.id
        assert await alice.call("wamp.registration.match", name) == registration.id
        assert registration.id in (await alice.call("wamp.registration.list"))["exact"]
        found = await alice.call("wamp.registration.get", registration.id)
        assert (found["uri"], found["match"], found["invoke"]) == (name, "exact", "roundrobin")
        assert await alice.call("wamp.registration.list_callees", registration.id) == [bob.session_id]
        assert await alice.call("wamp.registration.count_callees", registration.id) == 1
        await registration.unregister()
        await events["on_delete"].wait()
        ((session, created),) = events["on_create"].args
        assert (session, created["id"], created["uri"]) == (bob.session_id, registration.id, name)
        for what in ("on_register", "on_unregister", "on_delete"):
            assert events[what].args == [(bob.session_id, registration.id)]
        assert await alice.call("wamp.registration.lookup", name) is None


@over_every_way
@pytest_twisted.ensureDeferred
async def test_testaments(process: RouterProcess, way: tuple[str, str]) -> None:
    name = random_name()
    heard = Received()
    async with Components(process, way) as components:
        alice, gone = await components.join("alice"), await components.join("gone")
        await alice.subscribe(heard, name, options=SubscribeOptions(details=True))
        await gone.call("wamp.session.add_testament", name, ["never"], {})
        assert await gone.call("wamp.session.flush_testaments") == 1
        await gone.call("wamp.session.add_testament", name, ["last words"], {"of": "gone"}, scope="destroyed")
        assert await alice.call("wamp.session.kill_by_authid", "gone")
        ((args, kwargs),) = await heard.wait()
        assert (args, kwargs["of"]) == (("last words",), "gone")
        await eventually(lambda: not gone.is_attached())
