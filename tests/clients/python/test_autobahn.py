"""Stock Autobahn Python against the router: sessions, events, calls, errors and ends, over each serializer."""

# Autobahn and pytest-twisted carry no annotations:
# mypy: allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]  # it ships no types
from autobahn.twisted.component import Component
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallOptions, EventDetails, PublishOptions, RegisterOptions, SubscribeOptions
from conftest import static_configuration, ticket_of
from raw_wamp import Peer, random_name
from router_process import RouterProcess
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

if TYPE_CHECKING:
    from collections.abc import Callable


class Received:
    """A handler that keeps what it is called with."""

    def __init__(self, count: int = 1) -> None:
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.all: Deferred[None] = Deferred()
        self._count = count

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        self.calls.append((args, kwargs))
        if len(self.calls) == self._count:
            self.all.callback(None)


@pytest_twisted.ensureDeferred
async def test_welcome(start: Callable[..., Any], router: RouterProcess, serializer: str) -> None:
    details = await start(router, serializer, ticket_of("alice"), authid="alice").joined
    assert (details.realm, details.authid, details.authrole) == ("realm1", "alice", "client")
    assert (details.authmethod, details.authprovider) == ("ticket", "static")
    anonymous = await start(router, serializer, None).joined
    assert anonymous.authrole == "guest"


@pytest_twisted.ensureDeferred
async def test_events(client: Callable[..., Any], serializer: str) -> None:
    topic = random_name()
    alice, bob = await client("alice", serializer), await client("bob", serializer)
    received = Received(3)
    subscription = await bob.subscribe(received, topic)
    alice.publish(topic, "one", 2, [3.5, None, {"k": True}])
    acknowledged = await alice.publish(topic, kwargs_only="é€😀", options=PublishOptions(acknowledge=True))
    assert acknowledged.id > 0
    alice.publish(topic)
    await received.all
    assert received.calls == [
        (("one", 2, [3.5, None, {"k": True}]), {}),
        ((), {"kwargs_only": "é€😀"}),
        ((), {}),
    ]
    await subscription.unsubscribe()
    await alice.publish(topic, "after", options=PublishOptions(acknowledge=True))
    assert len(received.calls) == 3


@pytest_twisted.ensureDeferred
async def test_binary_payloads_between_serializers(client: Callable[..., Any], serializer: str) -> None:
    topic = random_name()
    data = bytes(range(256))
    alice = await client("alice", serializer)
    handlers = [Received() for _ in range(3)]
    for handler, other in zip(handlers, ("json", "msgpack", "cbor"), strict=True):
        await (await client("bob", other)).subscribe(handler, topic)
    alice.publish(topic, data, nested={"k": [data]})
    await gatherResults([handler.all for handler in handlers])
    for handler in handlers:
        assert handler.calls == [((data,), {"nested": {"k": [data]}})]


@pytest_twisted.ensureDeferred
async def test_event_details(client: Callable[..., Any], serializer: str) -> None:
    topic = random_name("com.example.open")
    alice, bob = await client("alice", serializer), await client("bob", serializer)
    prefixed, wild = Received(), Received()
    await bob.subscribe(prefixed, topic, options=SubscribeOptions(match="prefix", details_arg="details"))
    await bob.subscribe(wild, "com.example.open..deep", options=SubscribeOptions(match="wildcard", details=True))
    publication = await alice.publish(f"{topic}.deep", 1, options=PublishOptions(acknowledge=True))
    await gatherResults([prefixed.all, wild.all])
    for handler in (prefixed, wild):
        details = handler.calls[0][1]["details"]
        assert isinstance(details, EventDetails)
        assert (details.publication, details.topic) == (publication.id, f"{topic}.deep")
        assert (details.publisher, details.publisher_authid) == (alice._session_id, "alice")


@pytest_twisted.ensureDeferred
async def test_exclusion_and_lists(client: Callable[..., Any], serializer: str) -> None:
    topic = random_name()
    alice, bob = await client("alice", serializer), await client("bob", serializer)
    mine, others = Received(), Received(2)
    await alice.subscribe(mine, topic)
    await bob.subscribe(others, topic)
    for number, options in enumerate(
        (
            PublishOptions(acknowledge=True),
            PublishOptions(acknowledge=True, exclude_me=False, exclude=bob._session_id),
            PublishOptions(acknowledge=True, eligible_authid=["carol"]),
            PublishOptions(acknowledge=True, eligible=[bob._session_id]),
        )
    ):
        await alice.publish(topic, number, options=options)
    await gatherResults([mine.all, others.all])
    assert [args for args, _ in mine.calls] == [(1,)]
    assert [args for args, _ in others.calls] == [(0,), (3,)]


@pytest_twisted.ensureDeferred
async def test_calls(client: Callable[..., Any], serializer: str) -> None:
    procedure = random_name()
    alice, bob = await client("alice", serializer), await client("bob", serializer)

    def add(*numbers: int, scale: int = 1, details: Any = None) -> list[Any]:
        return [sum(numbers) * scale, details.caller_authid]

    registration = await bob.register(add, procedure, options=RegisterOptions(details_arg="details"))
    assert await alice.call(procedure, 1, 2, 3) == [6, None]
    assert await alice.call(procedure, 1, 2, scale=10, options=CallOptions()) == [30, None]
    results = await gatherResults([alice.call(procedure, number) for number in range(50)])
    assert [result[0] for result in results] == list(range(50))
    await registration.unregister()
    with pytest.raises(ApplicationError) as error:
        await alice.call(procedure)
    assert error.value.error == "wamp.error.no_such_procedure"


@pytest_twisted.ensureDeferred
async def test_errors_of_a_callee(client: Callable[..., Any], serializer: str) -> None:
    procedure = random_name()
    alice, bob = await client("alice", serializer), await client("bob", serializer)

    def fail(how: str) -> None:
        if how == "application":
            raise ApplicationError("com.example.error", "why", detail=[1])
        raise ValueError("a bug")

    bob.onUserError = lambda *_: None
    await bob.register(fail, procedure)
    with pytest.raises(ApplicationError) as error:
        await alice.call(procedure, "application")
    assert (error.value.error, error.value.args, error.value.kwargs) == ("com.example.error", ("why",), {"detail": [1]})
    with pytest.raises(ApplicationError) as error:
        await alice.call(procedure, "bug")
    assert error.value.error == "wamp.error.runtime_error"


@pytest_twisted.ensureDeferred
async def test_what_is_refused(client: Callable[..., Any], serializer: str) -> None:
    alice = await client("alice", serializer)
    acknowledged = PublishOptions(acknowledge=True)
    for request, error in (
        (lambda: alice.subscribe(lambda: None, "organization.7"), "not_authorized"),
        (lambda: alice.subscribe(lambda: None, "com.example", SubscribeOptions(match="prefix")), "not_authorized"),
        (lambda: alice.publish("com.elsewhere", options=acknowledged), "not_authorized"),
        (lambda: alice.publish("com.example.\x01", options=acknowledged), "invalid_uri"),
        (lambda: alice.call("com.elsewhere"), "not_authorized"),
        (lambda: alice.register(lambda: None, "wamp.x"), "not_authorized"),
    ):
        with pytest.raises(ApplicationError) as refused:
            await request()
        assert refused.value.error == f"wamp.error.{error}"


@pytest_twisted.ensureDeferred
async def test_a_callee_that_goes_cancels_its_calls(client: Callable[..., Any], serializer: str) -> None:
    procedure = random_name()
    alice, bob = await client("alice", serializer), await client("bob", serializer)
    called: Deferred[None] = Deferred()

    def never() -> Deferred[None]:
        called.callback(None)
        return Deferred()

    await bob.register(never, procedure)
    answer = alice.call(procedure)
    await called
    bob.leave()
    with pytest.raises(ApplicationError) as error:
        await answer
    assert error.value.error == "wamp.error.canceled"


@pytest_twisted.ensureDeferred
async def test_leaving(client: Callable[..., Any], serializer: str) -> None:
    alice = await client("alice", serializer)
    alice.leave()
    assert (await alice.left)[0] == "wamp.close.goodbye_and_out"
    await alice.disconnected


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ({"ticket": "wrong"}, "wamp.error.authentication_denied"),
        ({"authid": "bob"}, "wamp.error.authentication_denied"),
        ({"realm": "realm2"}, "wamp.error.no_such_realm"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_who_may_not_join(
    start: Callable[..., Any], router: RouterProcess, serializer: str, details: dict[str, str], reason: str
) -> None:
    refused = start(router, serializer, **({"ticket": ticket_of("alice"), "authid": "alice"} | details))
    told, message = await refused.left
    assert told == reason
    assert message
    await refused.disconnected


@pytest_twisted.ensureDeferred
async def test_a_serialization_error_leaves_an_id_out_and_the_session_goes_on(
    client: Callable[..., Any], serializer: str
) -> None:
    alice = await client("alice", serializer)
    topic = random_name()
    with pytest.raises(Exception, match=r"(?i)seriali[sz]"):
        await alice.publish(topic, object(), options=PublishOptions(acknowledge=True))
    assert (await alice.publish(topic, options=PublishOptions(acknowledge=True))).id > 0


@pytest_twisted.ensureDeferred
async def test_the_demo_for_a_member(start: Callable[..., Any], demo: RouterProcess, serializer: str) -> None:
    tokens = demo.tokens()
    alice = start(demo, serializer, tokens["alice"], authid="alice")
    backend = start(demo, serializer, tokens["backend"], authid="backend")
    details = await alice.joined
    await backend.joined
    assert (details.authid, details.authrole, details.authmethod) == ("alice", "member", "ticket")
    assert details.authextra["organizations"] == ["7", "8"]
    received = Received()
    await alice.subscribe(received, "organization.7.", options=SubscribeOptions(match="prefix"))
    publication = await backend.call("wampgate.publish", "organization.7.news", ["hi"], {"text": "there"})
    await received.all
    assert received.calls == [(("hi",), {"text": "there"})]
    assert publication > 0
    with pytest.raises(ApplicationError) as refused:
        await alice.subscribe(received, "organization.9")
    assert refused.value.error == "wamp.error.not_authorized"


@pytest_twisted.ensureDeferred
async def test_a_component_comes_back_after_a_restart() -> None:
    with RouterProcess(static_configuration()) as process:
        topic = random_name()
        joined: list[int] = []
        received = Received()
        component = Component(
            transports=[
                {
                    "type": "websocket",
                    "url": f"ws://127.0.0.1:{process.port}/ws",
                    "initial_retry_delay": 0.2,
                    "max_retry_delay": 0.5,
                    "max_retries": -1,
                }
            ],
            realm="realm1",
            authentication={"ticket": {"authid": "alice", "ticket": ticket_of("alice")}},
        )

        @component.on_join
        async def subscribe(session: Any, details: Any) -> None:
            await session.subscribe(received, topic)
            joined.append(details.session)

        done = component.start(reactor)
        await eventually(lambda: len(joined) == 1)
        await deferToThread(process.stop)
        await deferToThread(process.start)
        await eventually(lambda: len(joined) == 2)
        await deferToThread(publish_once, process, topic)
        await received.all
        assert received.calls == [(("after the restart",), {})]
        await component.stop()
        await done


def publish_once(process: RouterProcess, topic: str) -> None:
    with Peer(process.port).join(ticket_of("bob")) as bob:
        bob.publish(topic, ["after the restart"])


async def eventually(true: Callable[[], object], seconds: float = 15) -> None:
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < seconds
        await deferLater(reactor, 0.02)
