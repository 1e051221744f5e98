"""Stock Autobahn Python as its users write it: components, decorators, session classes, each way to authenticate."""

# Autobahn and pytest-twisted carry no annotations:
# mypy: allow-untyped-calls, allow-untyped-decorators, disable-error-code="misc"
# Names that override Autobahn's are Autobahn's:
# ruff: noqa: N802

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]  # it ships no types
from autobahn import wamp
from autobahn.twisted.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import PublishOptions, RegisterOptions, SubscribeOptions
from clients.habits_router import SEED, habits_configuration
from clients.python.stock_components import (
    WAYS,
    Components,
    Received,
    by_ticket,
    eventually,
    over_every_way,
    transport,
)
from conftest import ticket_of
from raw_wamp import random_name
from router_process import RouterProcess
from twisted.internet import reactor
from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def process() -> Iterator[RouterProcess]:
    with RouterProcess(habits_configuration()) as process:
        yield process


@over_every_way
@pytest_twisted.ensureDeferred
async def test_decorators(process: RouterProcess, way: tuple[str, str]) -> None:
    name = random_name()
    heard, story = Received(), []
    async with Components(process, way) as components:
        component = components.make(by_ticket("bob"))

        @component.on_connect
        def connected(_session: Any, _protocol: Any) -> None:
            story.append("connect")

        @component.on_join
        async def joined(session: Any, details: Any) -> None:
            assert (details.authid, details.authrole, details.realm) == ("bob", "client", "realm1")
            story.append("join")
            await session.register(lambda: "by hand", f"{name}.late")

        @component.on_leave
        def left(_session: Any, details: Any) -> None:
            story.append(details.reason)

        @component.on_disconnect
        def disconnected(_session: Any, was_clean: bool) -> None:
            story.append("disconnect")

        @component.register(f"{name}.add")
        async def add(one: int, other: int) -> int:
            return one + other

        @component.register(f"{name}.item.", options=RegisterOptions(match="prefix", details_arg="call"))
        def item(call: Any) -> str:
            return str(call.procedure)

        component.subscribe(f"{name}.news", options=SubscribeOptions(details=True))(heard)
        await components.start(component)
        alice = await components.join("alice")
        assert await alice.call(f"{name}.add", 2, 3) == 5
        assert await alice.call(f"{name}.item.7") == f"{name}.item.7"
        assert await alice.call(f"{name}.late") == "by hand"
        alice.publish(f"{name}.news", "one", more=2)
        ((args, kwargs),) = await heard.wait()
        assert (args, kwargs["more"], kwargs["details"].topic) == (("one",), 2, f"{name}.news")
    assert story == ["connect", "join", "wamp.close.goodbye_and_out", "disconnect"]


@over_every_way
@pytest.mark.parametrize(
    ("authentication", "joined"),
    [
        (by_ticket("alice"), ("alice", "client", "ticket")),
        ({"wampcra": {"authid": "ann", "secret": "the secret"}}, ("ann", "client", "wampcra")),
        ({"wampcra": {"authid": "salty", "secret": "password"}}, ("salty", "client", "wampcra")),
        ({"cryptosign": {"authid": "ann", "privkey": SEED.hex()}}, ("ann", "client", "cryptosign")),
        ({"scram": {"authid": "bahn", "password": "pencil"}}, ("bahn", "client", "scram")),
        ({"anonymous": {}}, (None, "guest", "anonymous")),
        (None, (None, "guest", "anonymous")),
    ],
    ids=["ticket", "wampcra", "salted", "cryptosign", "scram", "anonymous", "none"],
)
@pytest_twisted.ensureDeferred
async def test_authentication(
    process: RouterProcess, way: tuple[str, str], authentication: Any, joined: tuple[str | None, str, str]
) -> None:
    async with Components(process, way) as components:
        session = await components.start(components.make(authentication))
        authid, authrole, authmethod = joined
        assert (session.authrole, session.authmethod) == (authrole, authmethod)
        assert session.authid == authid if authid else session.authid


@pytest_twisted.ensureDeferred
async def test_one_offers_several_methods(process: RouterProcess) -> None:
    async with Components(process) as components:
        both = {
            "wampcra": {"authid": "ann", "secret": "the secret"},
            "cryptosign": {"authid": "ann", "privkey": SEED.hex()},
        }
        session = await components.start(components.make(both))
        assert session.authid == "ann"
        assert session.authmethod in both


@pytest.mark.parametrize(
    ("authentication", "realm", "reason"),
    [
        ({"ticket": {"authid": "alice", "ticket": "wrong"}}, "realm1", "wamp.error.authentication_denied"),
        ({"wampcra": {"authid": "ann", "secret": "wrong"}}, "realm1", "wamp.error.authentication_denied"),
        (by_ticket("alice"), "realm2", "wamp.error.no_such_realm"),
    ],
)
@over_every_way
@pytest_twisted.ensureDeferred
async def test_who_is_refused_learns_why(
    process: RouterProcess, way: tuple[str, str], authentication: Any, realm: str, reason: str
) -> None:
    refused: Deferred[str] = Deferred()
    component = Components(process, way).make(authentication, realm=realm)

    @component.on_leave
    def left(_session: Any, details: Any) -> None:
        refused.callback(details.reason)

    done = component.start(reactor)
    assert await refused == reason
    with pytest.raises(Exception, match=r"(?i)wamp|exhausted"):
        await done


@pytest_twisted.ensureDeferred
async def test_the_next_transport_where_one_leads_nowhere(process: RouterProcess) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        nowhere = {"url": f"ws://127.0.0.1:{nobody.getsockname()[1]}/ws", "max_retries": 0}
        async with Components(process) as components:
            transports = [nowhere, transport(process, WAYS[3])]
            session = await components.start(components.make(by_ticket("alice"), transports=transports))
            assert session.authid == "alice"


@over_every_way
@pytest_twisted.ensureDeferred
async def test_a_main_that_ends(process: RouterProcess, way: tuple[str, str]) -> None:
    topic = random_name()
    acknowledged: list[int] = []

    async def main(_reactor: Any, session: Any) -> None:
        publication = await session.publish(topic, options=PublishOptions(acknowledge=True))
        acknowledged.append(publication.id)

    component = Components(process, way).make(by_ticket("alice"), main=main)
    await component.start(reactor)
    assert len(acknowledged) == 1


@pytest_twisted.ensureDeferred
async def test_a_component_that_is_started_again(process: RouterProcess) -> None:
    component = Components(process).make(by_ticket("alice"))
    component._transports[0].max_retries = -1
    sessions: list[int] = []

    @component.on_join
    def joined(session: Any, details: Any) -> None:
        sessions.append(details.session)
        session.leave()

    await component.start(reactor)
    component._transports[0].reset()
    await component.start(reactor)
    assert len(set(sessions)) == 2


class Shop(ApplicationSession):
    """A session class as an application writes it; what it offers has the name that ``config.extra`` gives."""

    def onConnect(self) -> None:
        self.join(self.config.realm, ["ticket"], "bob")

    def onChallenge(self, challenge: Any) -> str:
        assert challenge.method == "ticket"
        return ticket_of("bob")

    async def onJoin(self, _details: Any) -> None:
        kept = self.config.extra
        kept["results"] = [*await self.register(self), *await self.subscribe(self)]
        kept["session"] = self

    def onDisconnect(self) -> None:
        self.config.extra["gone"] = True

    @wamp.register("com.example.shop.add", options=RegisterOptions(invoke="roundrobin"))
    def add(self, one: int, other: int) -> int:
        return one + other

    @wamp.register("com.example.shop.product..price", options=RegisterOptions(match="wildcard", details_arg="call"))
    def price(self, call: Any = None) -> str:
        return f"the price of {call.procedure.split('.')[4]}"

    @wamp.subscribe("com.example.shop.sold")
    def sold(self, *articles: str) -> None:
        self.config.extra["sold"].extend(articles)

    @wamp.subscribe("com.example.shop.", options=SubscribeOptions(match="prefix", details_arg="event"))
    def anything(self, *_articles: str, event: Any = None) -> None:
        self.config.extra["topics"].append(event.topic)


@over_every_way
@pytest_twisted.ensureDeferred
async def test_a_session_class_and_its_runner(process: RouterProcess, way: tuple[str, str]) -> None:
    kept: dict[str, Any] = {"sold": [], "topics": []}
    url = transport(process, way)["url"]
    runner = ApplicationRunner(url, "realm1", extra=kept)
    await runner.run(Shop, start_reactor=False)
    await eventually(lambda: "session" in kept)
    assert [type(result).__name__ for result in kept["results"]].count("Registration") == 2
    async with Components(process, way) as components:
        alice = await components.join("alice")
        assert await alice.call("com.example.shop.add", 2, 3) == 5
        assert await alice.call("com.example.shop.product.chair.price") == "the price of chair"
        alice.publish("com.example.shop.sold", "a chair", "a lamp")
        await eventually(lambda: kept["topics"])
        assert kept["sold"] == ["a chair", "a lamp"]
        assert kept["topics"] == ["com.example.shop.sold"]
    kept["session"].leave()
    await eventually(lambda: "gone" in kept)


class Basket(Exception):
    """An application's error."""


@wamp.error("com.example.error.empty")
class EmptyBasket(Basket):
    """Another one, which knows its URI."""


@over_every_way
@pytest_twisted.ensureDeferred
async def test_errors_that_both_sides_know(process: RouterProcess, way: tuple[str, str]) -> None:
    procedure = random_name()

    def fail(kind: str) -> None:
        if kind == "decorated":
            raise EmptyBasket("nothing in it")
        if kind == "defined":
            raise Basket("what a basket")
        raise ApplicationError("com.example.error.any", 1, b"\x00\xff", why={"in": "detail"})

    async with Components(process, way) as components:
        bob, alice = await components.join("bob"), await components.join("alice")
        for session in (alice, bob):
            session.define(EmptyBasket)
            session.define(Basket, "com.example.error.basket")
        await bob.register(fail, procedure)
        bob.onUserError = lambda *_: None
        with pytest.raises(EmptyBasket, match="nothing in it"):
            await alice.call(procedure, "decorated")
        with pytest.raises(Basket, match="what a basket"):
            await alice.call(procedure, "defined")
        with pytest.raises(ApplicationError) as error:
            await alice.call(procedure, "other")
        assert (error.value.error, error.value.args) == ("com.example.error.any", (1, b"\x00\xff"))
        assert error.value.kwargs == {"why": {"in": "detail"}}
