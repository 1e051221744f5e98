"""Sessions on any port, closed at the end of the test whatever became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from raw_wamp import Peer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def open_peer() -> Iterator[Callable[..., Peer]]:
    """Opens WebSockets at a port."""
    peers: list[Peer] = []

    def opened(port: int, **more: Any) -> Peer:
        peers.append(Peer(port, **more))
        return peers[-1]

    yield opened
    for peer in peers:
        peer.close()
