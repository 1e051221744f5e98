"""Stock Autobahn Python with retained events and with payloads that it seals itself, over each serializer."""

# Autobahn and pytest-twisted carry no annotations:
# mypy: allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest_twisted  # type: ignore[import-untyped]  # it ships no types
from autobahn.wamp.interfaces import IPayloadCodec
from autobahn.wamp.types import EncodedPayload, PublishOptions, SubscribeOptions
from raw_wamp import random_name
from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from collections.abc import Callable


class Received:
    """A handler that keeps what it is called with first."""

    def __init__(self) -> None:
        self.first: Deferred[Any] = Deferred()

    def __call__(self, *args: Any, details: Any = None) -> None:
        if not self.first.called:
            self.first.callback((args, details))


class Codec(IPayloadCodec):
    """Seals what it is given: its bytes turned round."""

    def encode(self, is_originating: bool, uri: str, args: Any = None, kwargs: Any = None) -> EncodedPayload:
        return EncodedPayload(bytes(reversed(args[0])), "cryptobox", enc_serializer="json", enc_key="a key")

    def decode(self, is_originating: bool, uri: str, encoded: EncodedPayload) -> tuple[str, list[Any], dict[str, Any]]:
        assert (encoded.enc_algo, encoded.enc_serializer, encoded.enc_key) == ("cryptobox", "json", "a key")
        return uri, [bytes(reversed(encoded.payload))], {}


@pytest_twisted.ensureDeferred
async def test_a_retained_event(client: Callable[..., Any], serializer: str) -> None:
    topic = random_name()
    alice, bob = await client("alice", serializer), await client("bob", serializer)
    await alice.publish(topic, 21.5, options=PublishOptions(retain=True, acknowledge=True))
    received = Received()
    await bob.subscribe(received, topic, options=SubscribeOptions(get_retained=True, details=True))
    args, details = await received.first
    assert (args, details.retained) == ((21.5,), True)


@pytest_twisted.ensureDeferred
async def test_a_payload_that_it_seals(client: Callable[..., Any], serializer: str) -> None:
    topic = random_name()
    data = bytes(range(256))
    alice, bob = await client("alice", serializer), await client("bob", serializer)
    for session in (alice, bob):
        session.set_payload_codec(Codec())
    live, late = Received(), Received()
    await bob.subscribe(live, topic)
    await alice.publish(topic, data, options=PublishOptions(retain=True, acknowledge=True))
    assert (await live.first)[0] == (data,)
    carol = await client("carol", serializer)
    carol.set_payload_codec(Codec())
    await carol.subscribe(late, topic, options=SubscribeOptions(get_retained=True))
    assert (await late.first)[0] == (data,)
