"""The conformance suites run over each serializer and each transport ("Serializers", "Transports")."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from raw_rawsocket import RawPeer
from raw_wamp import SERIALIZERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeAlias

    from raw_wamp import Wamp
    from router_process import RouterProcess

    Join: TypeAlias = Callable[..., Wamp]

TRANSPORTS = ("websocket", "rawsocket")


@pytest.fixture(params=SERIALIZERS)
def serializer(request: pytest.FixtureRequest) -> str:
    """The serializer of the session that is looked at."""
    return str(request.param)


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """The transport of the session that is looked at."""
    return str(request.param)


@pytest.fixture
def join_raw(router: RouterProcess, tickets: Callable[[str], str]) -> Iterator[Join]:
    """Opens sessions over RawSocket, and closes them at the end."""
    peers: list[RawPeer] = []

    def join_raw(who: str, serializer: str = "json", **details: Any) -> RawPeer:
        peer = RawPeer(router.port, serializer)
        peers.append(peer)
        return peer.join(tickets(who), **details)

    yield join_raw
    for peer in peers:
        peer.close()


@pytest.fixture
def enter(join: Join, join_raw: Join, serializer: str, transport: str) -> Join:
    """Opens sessions in the serialization and over the transport under test; what is given goes into HELLO."""

    def enter(who: str = "alice", *features: str, **details: Any) -> Wamp:
        if features:
            announced = {"features": dict.fromkeys(features, True)}
            details["roles"] = dict.fromkeys(("publisher", "subscriber", "caller", "callee"), announced)
        return (
            join_raw(who, serializer, **details) if transport == "rawsocket" else join(who, serializer, hello=details)
        )

    return enter


@pytest.fixture
def alice(enter: Join) -> Wamp:
    """A session in the serialization and over the transport under test."""
    return enter("alice")


@pytest.fixture
def bob(enter: Join) -> Wamp:
    """Another one."""
    return enter("bob")


@pytest.fixture
def carol(join: Callable[..., Wamp]) -> Wamp:
    """A third one, in JSON over a WebSocket whatever the others speak."""
    return join("carol")
