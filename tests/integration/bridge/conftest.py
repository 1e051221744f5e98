"""What the bridge's tests share: a publisher that keeps events, bridges that end, and a watch on the reactor."""

from __future__ import annotations

import gc
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted
from integration.bridge.inside import Inside
from redis_server import RedisServer
from twisted.internet import reactor
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import ILogObserver, eventAsText, globalLogPublisher
from zope.interface import implementer

from wampgate.bridge.dialects.plain import PlainRule
from wampgate.bridge.redis_bridge import RedisBridge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from wampgate.bridge.rules import Rule
    from wampgate.wire.payload import Payload


class Events:
    """A publisher that keeps what it is given.

    Attributes:
        published: (topic, args, kwargs), as they came.
        refuse: raised instead of publishing, if set.
    """

    def __init__(self) -> None:
        self.published: list[tuple[str, list[Any], dict[str, Any]]] = []
        self.refuse: Exception | None = None

    def publish(
        self,
        topic: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        exclude: Sequence[int] | None = None,
        exclude_subscribers: Sequence[str] = (),
        publication: int | None = None,
        encoded: Payload | None = None,
    ) -> int:
        assert not exclude
        assert not exclude_subscribers
        assert publication is None
        if self.refuse is not None:
            raise self.refuse
        self.published.append((topic, list(args), dict(kwargs or {})))
        return len(self.published)


@implementer(ILogObserver)
class Lines:
    """The log's lines as text, tracebacks and all."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, event: Any) -> None:
        if event.get("log_namespace", "").startswith("wampgate") or "log_failure" in event:
            self.lines.append(eventAsText(event, includeTimestamp=False))

    def with_text(self, text: str) -> list[str]:
        return [line for line in self.lines if text in line]


class Stalls:
    """How long the reactor did nothing else, at worst, not counting what the machine's other work took away."""

    def __init__(self) -> None:
        self.worst = 0.0
        self._last = self._now()
        self._call = LoopingCall(self._tick)
        self._call.start(0.01)

    def stop(self) -> None:
        self._call.stop()

    def _tick(self) -> None:
        now = self._now()
        self.worst = max(self.worst, now - self._last - 0.01)
        self._last = now

    @staticmethod
    def _now() -> float:
        """Seconds, less those for which this thread was ready to run but had no processor."""
        schedule = Path("/proc/thread-self/schedstat")
        waited = int(schedule.read_text().split()[1]) if schedule.exists() else 0
        return time.monotonic() - waited / 1e9


async def pause(seconds: float) -> None:
    await deferLater(reactor, seconds)


async def eventually(true: Callable[[], object], seconds: float = 5.0) -> float:
    """Wait until something is true; how many seconds that took."""
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < seconds, f"not within {seconds} s"
        await pause(0.01)
    return time.monotonic() - start


class Harness:
    """A test's Redis servers and bridges, all ended when the test is.

    Attributes:
        events: what the bridges published.
        log: what was logged.
        insides: realms with their bridges.
    """

    eventually = staticmethod(eventually)
    pause = staticmethod(pause)
    in_thread = staticmethod(deferToThread)
    """Run what blocks (starting a server) without making the reactor wait."""

    def __init__(self) -> None:
        self.events = Events()
        self.log = Lines()
        self._bridges: list[RedisBridge] = []
        self.insides: list[Inside] = []
        self._servers: list[RedisServer] = []

    def server(self, **options: Any) -> RedisServer:
        """A running Redis."""
        server = RedisServer(**options)
        self._servers.append(server)
        try:
            server.start()
        except RuntimeError as error:
            if options.get("tls") and "Bad directive" in str(error):
                pytest.skip("THIS REDIS WAS BUILT WITHOUT TLS: rediss:// is not tested here")
            raise
        return server

    def bridge(self, url: str, *rules: Rule, **options: Any) -> RedisBridge:
        """A bridge, not yet started, with a plain JSON rule if none is given."""
        rules = rules or (PlainRule("channel.{organization}", "organization.{organization}"),)
        options = {"ping_seconds": 0.3} | options
        bridge = RedisBridge(reactor, "test", url, rules, self.events, **options)
        self._bridges.append(bridge)
        return bridge

    async def reading(self, url: str, *rules: Rule, **options: Any) -> RedisBridge:
        """A bridge that is ready."""
        bridge = self.bridge(url, *rules, **options)
        await bridge.start()
        await eventually(lambda: bridge.ready)
        return bridge

    async def inside(self, *bridges: dict[str, Any]) -> Inside:
        """A realm whose bridges are ready; ``ping_seconds`` and the type need not be given."""
        inside = Inside(*({"type": "redis", "ping_seconds": 0.5} | bridge for bridge in bridges))
        self.insides.append(inside)
        await inside.start()
        await eventually(lambda: inside.ready)
        return inside

    async def published(self, count: int = 1, seconds: float = 5.0) -> list[tuple[str, list[Any], dict[str, Any]]]:
        """The events, once there are that many; no more may come."""
        await eventually(lambda: len(self.events.published) >= count, seconds)
        await pause(0.05)
        assert len(self.events.published) == count
        return self.events.published

    async def end(self) -> None:
        for bridge in self._bridges:
            await bridge.stop()
        for inside in self.insides:
            await inside.stop()
        for server in self._servers:
            server.__exit__()


@pytest_twisted.async_yield_fixture
async def harness() -> AsyncIterator[Harness]:
    harness = Harness()
    globalLogPublisher.addObserver(harness.log)
    try:
        yield harness
    finally:
        await harness.end()
        globalLogPublisher.removeObserver(harness.log)
    failures = [line for line in harness.log.lines if "Traceback" in line]
    assert not failures, failures


@pytest.fixture
def stalls() -> Iterator[Stalls]:
    # The collector must not go through all that the test runner has gathered: a router has no such heap.
    gc.collect()
    gc.freeze()
    stalls = Stalls()
    yield stalls
    stalls.stop()
    gc.unfreeze()


@pytest.fixture
def counted() -> Callable[[RedisBridge], dict[str, int]]:
    """What a bridge has counted about messages, apart from connections."""

    def counted(bridge: RedisBridge) -> dict[str, int]:
        about_connections = ("connected", "connect_failed", "connection_lost", "ping_timeout")
        return dict(Counter({kind: n for kind, n in bridge.counters.items() if kind not in about_connections}))

    return counted
