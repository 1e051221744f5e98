"""A router whose adapters may wait for Deferreds, as the real one's do, and what a callee of procedures does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from unit.core.routed import Peer, Routed

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Waiting(Routed):
    """Runs coroutines as the service does; what fails in one is kept.

    Attributes:
        failures: what coroutines raised, which none may.
    """

    failures: list[Any]

    def __init__(self, *realms: Any, **more: Any) -> None:
        self.failures = []
        super().__init__(*realms, **more)

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine until it ends or waits."""
        Deferred.fromCoroutine(coroutine).addErrback(self.failures.append)


def registered(peer: Peer, procedure: str, **options: Any) -> int:
    """Register a procedure; its registration id."""
    ((code, _, registration),) = peer.ask(64, options, procedure)
    assert code == 65
    return int(registration)


def invocations(peer: Peer) -> list[list[Any]]:
    """The INVOCATIONs that have come since one last looked; nothing else may have."""
    heard = peer.heard()
    assert {message[0] for message in heard} <= {68}, heard
    return heard


def invoked(peer: Peer) -> list[Any]:
    """The one INVOCATION that has come."""
    (only,) = invocations(peer)
    return only
