"""Stock Autobahn Python components for tests, over WebSocket and RawSocket: what joins here is gone at the end."""

# Autobahn carries no annotations:
# mypy: allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

import pytest
import txaio
from conftest import ticket_of
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

txaio.use_twisted()

from autobahn.twisted.component import Component  # noqa: E402 - after txaio has been told of Twisted

if TYPE_CHECKING:
    from collections.abc import Callable

    from router_process import RouterProcess

WAYS: Final = tuple(
    (kind, serializer) for kind in ("websocket", "rawsocket") for serializer in ("json", "msgpack", "cbor")
)

over_every_way = pytest.mark.parametrize("way", WAYS, ids=["-".join(way) for way in WAYS])
"""Runs a test in each serializer over both transports."""


def transport(process: RouterProcess, way: tuple[str, str]) -> dict[str, Any]:
    """One transport of a component: its transport's kind and serializer by ``way``."""
    kind, serializer = way
    if kind == "rawsocket":
        one: dict[str, Any] = {"url": f"rs://127.0.0.1:{process.port}", "serializer": serializer}
    else:
        one = {"url": f"ws://127.0.0.1:{process.port}/ws", "serializers": [serializer]}
    return one | {"type": kind, "max_retries": 0}


def by_ticket(authid: str) -> dict[str, Any]:
    """The ``authentication`` of a component that joins by a principal's ticket."""
    return {"ticket": {"authid": authid, "ticket": ticket_of(authid)}}


class Components:
    """Starts components on a router. An asynchronous context manager: on exit all are stopped.

    Args:
        process: the router.
        way: the transport's kind and the serializer, one of ``WAYS``.
    """

    def __init__(self, process: RouterProcess, way: tuple[str, str] = WAYS[0]) -> None:
        self._process = process
        self._way = way
        self._running: list[tuple[Any, Deferred[Any]]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for component, done in self._running:
            if not done.called:
                await component.stop()
        for _component, done in self._running:
            # A component whose session was ended from outside tries again, which it may not here.
            with suppress(RuntimeError):
                await done

    def make(self, authentication: dict[str, Any] | None = None, **more: Any) -> Any:
        """A component that is not started yet."""
        transports = [transport(self._process, self._way)]
        return Component(**{"transports": transports, "realm": "realm1", "authentication": authentication} | more)

    async def start(self, component: Any) -> Any:
        """Start a component; its session, once all that it does on joining is done."""
        ready: Deferred[Any] = Deferred()

        @component.on_ready
        def first(session: Any) -> None:
            if not ready.called:
                ready.callback(session)

        self._running.append((component, component.start(reactor)))
        return await ready.addTimeout(10, reactor)

    async def join(self, authid: str | None, **more: Any) -> Any:
        """The session of a component that does nothing but join, as a principal or as no one."""
        return await self.start(self.make(None if authid is None else by_ticket(authid), **more))


class Received:
    """A handler that keeps what it is called with.

    Attributes:
        calls: positional and keyword arguments of each call, in order.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        self.calls.append((args, kwargs))

    @property
    def args(self) -> list[tuple[Any, ...]]:
        """The positional arguments of each call."""
        return [args for args, _ in self.calls]

    async def wait(self, count: int = 1) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        """The calls, once there are so many."""
        await eventually(lambda: len(self.calls) >= count)
        return self.calls


async def eventually(true: Callable[[], object], seconds: float = 10) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: it is not, within that time.
    """
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < seconds, "not in time"
        await deferLater(reactor, 0.01)
