"""Stock Autobahn Python clients for tests: sessions in this process, over each of the three serializers."""

# Autobahn, txaio and pytest-twisted carry no annotations:
# mypy: allow-untyped-calls, allow-untyped-decorators
# txaio has to be told of Twisted before Autobahn is imported:
# ruff: noqa: E402
# Names that override Autobahn's are Autobahn's:
# ruff: noqa: N802

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]  # it ships no types
import txaio
from conftest import ticket_of
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

txaio.use_twisted()

from autobahn.twisted.wamp import ApplicationSession
from autobahn.twisted.websocket import WampWebSocketClientFactory, connectWS
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer
from autobahn.wamp.types import ComponentConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from router_process import RouterProcess

SERIALIZERS = {"json": JsonSerializer, "msgpack": MsgPackSerializer, "cbor": CBORSerializer}


class Client(ApplicationSession):
    """A session as an application writes it.

    Attributes:
        joined: fires with the session's details.
        left: fires with the reason and message.
    """

    def __init__(self, config: ComponentConfig, authid: str | None, ticket: str | None) -> None:
        super().__init__(config)
        self._authid = authid
        self._ticket = ticket
        self.joined: Deferred[Any] = Deferred()
        self.left: Deferred[tuple[str, str | None]] = Deferred()
        self.disconnected: Deferred[None] = Deferred()

    def onConnect(self) -> None:
        if self._ticket is None:
            self.join(self.config.realm)
        else:
            self.join(self.config.realm, ["ticket"], self._authid)

    def onChallenge(self, challenge: Any) -> str:
        assert challenge.method == "ticket"
        assert self._ticket is not None
        return self._ticket

    def onJoin(self, details: Any) -> None:
        self.joined.callback(details)

    def onLeave(self, details: Any) -> None:
        self.left.callback((details.reason, details.message))
        self.disconnect()

    def onDisconnect(self) -> None:
        self.disconnected.callback(None)


@pytest.fixture(params=SERIALIZERS)
def serializer(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_twisted.async_yield_fixture
async def start() -> AsyncIterator[Callable[..., Client]]:
    """Connects a client, joined or not; all are disconnected at the end."""
    clients: list[Client] = []

    def start(
        process: RouterProcess, serializer: str, ticket: str | None, *, authid: str | None = None, realm: str = "realm1"
    ) -> Client:
        client = Client(ComponentConfig(realm), authid, ticket)
        factory = WampWebSocketClientFactory(
            lambda: client, url=f"ws://127.0.0.1:{process.port}/ws", serializers=[SERIALIZERS[serializer]()]
        )
        factory.noisy = False
        connectWS(factory)
        clients.append(client)
        return client

    yield start
    for client in clients:
        if client.is_attached():
            client.leave()
        elif client._transport is not None and not client.disconnected.called:
            client.disconnect()
        await client.disconnected
    await pause(0.05)


@pytest.fixture
def client(start: Callable[..., Client], router: RouterProcess) -> Callable[..., Any]:
    """A client of the shared router that has joined."""

    async def client(who: str | None, serializer: str) -> Client:
        client = start(router, serializer, None if who is None else ticket_of(who), authid=who)
        await client.joined
        return client

    return client


async def pause(seconds: float) -> None:
    await deferLater(reactor, seconds)
