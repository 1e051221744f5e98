"""Stock Autobahn Python with its permessage-deflate: sessions, events and calls, over each serializer."""

# Autobahn and pytest-twisted carry no annotations:
# mypy: allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]  # it ships no types
from autobahn.twisted.websocket import WampWebSocketClientFactory, connectWS
from autobahn.wamp.types import ComponentConfig, PublishOptions
from autobahn.websocket.compress import (
    PerMessageDeflateOffer,
    PerMessageDeflateResponse,
    PerMessageDeflateResponseAccept,
)
from clients.python.conftest import SERIALIZERS, Client
from conftest import static_configuration, ticket_of
from raw_wamp import random_name
from router_process import RouterProcess
from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

LONG = " ".join(f"{number * 7919} é€😀" for number in range(2000))


@pytest.fixture(scope="module")
def compressing() -> Iterator[RouterProcess]:
    """A router that compresses nearly everything."""
    with RouterProcess(static_configuration(compression={"smallest_bytes": 128})) as process:
        yield process


@pytest_twisted.async_yield_fixture
async def join(compressing: RouterProcess) -> AsyncIterator[Callable[..., Any]]:
    """Joins with an offer; all leave at the end."""
    clients: list[Client] = []

    async def join(who: str, serializer: str, **offer: Any) -> Client:
        client = Client(ComponentConfig("realm1"), who, ticket_of(who))
        factory = WampWebSocketClientFactory(
            lambda: client, url=f"ws://127.0.0.1:{compressing.port}/ws", serializers=[SERIALIZERS[serializer]()]
        )
        factory.noisy = False
        factory.setProtocolOptions(
            perMessageCompressionOffers=[PerMessageDeflateOffer(**offer)],
            perMessageCompressionAccept=lambda response: (
                PerMessageDeflateResponseAccept(response) if isinstance(response, PerMessageDeflateResponse) else None
            ),
        )
        connectWS(factory)
        clients.append(client)
        await client.joined
        return client

    yield join
    for client in clients:
        client.leave()
        await client.disconnected


@pytest.mark.parametrize("serializer", SERIALIZERS)
@pytest.mark.parametrize("bits", [0, 10])
@pytest_twisted.ensureDeferred
async def test_events_and_calls(join: Callable[..., Any], serializer: str, bits: int) -> None:
    topic, procedure = random_name(), random_name()
    alice = await join("alice", serializer)
    bob = await join("bob", serializer, request_max_window_bits=bits, request_no_context_takeover=bool(bits))
    in_use = bob._transport._perMessageCompress
    assert in_use.server_no_context_takeover
    assert in_use.client_no_context_takeover
    assert in_use.server_max_window_bits == (9 if bits else 15)
    received: list[tuple[Any, ...]] = []
    complete: Deferred[None] = Deferred()

    def take(*args: Any) -> None:
        received.append(args)
        if len(received) == 6:
            complete.callback(None)

    await bob.subscribe(take, topic)
    for number in range(3):
        await alice.publish(topic, number, LONG, options=PublishOptions(acknowledge=True))
        alice.publish(topic, "short")
    await complete
    assert received == [args for number in range(3) for args in ((number, LONG), ("short",))]
    await bob.register(lambda text: text[::-1], procedure)
    assert await alice.call(procedure, LONG) == LONG[::-1]
    stats = bob._transport.trafficStats
    assert stats.incomingOctetsWebSocketLevel < stats.incomingOctetsAppLevel / 2
