"""A network that swallows packets between the router and Redis: noticed, announced, and over as soon as it is over."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted
from integration.bridge.network import Network, NotPermitted
from redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

RULE = {"dialect": "plain", "channel": "channel.{organization}", "topic": "organization.{organization}"}
OUT = {"topic": "organization.{organization}", "channel": "out.{organization}"}


class RedisElsewhere(RedisServer):
    """A Redis inside a network of its own; its local socket is reached from here all the same."""

    def __init__(self, network: Network) -> None:
        super().__init__(options=("--bind", network.address, "--protected-mode", "no"))
        self._network = network

    @property
    def url(self) -> str:
        return f"redis://{self._network.address}:{self.port}"

    def _command(self) -> list[str]:
        return self._network.command(*super()._command())


@pytest.fixture
def network() -> Iterator[Network]:
    try:
        with Network() as network:
            yield network
    except NotPermitted as reason:
        pytest.skip(f"NO NETWORK OF ITS OWN HERE ({reason}): partitions are not tested")


def memory() -> int:
    """This process's resident memory, in bytes."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest_twisted.ensureDeferred
async def test_partition(harness: Any, stalls: Any, network: Network) -> None:
    server = RedisElsewhere(network)
    try:
        await harness.in_thread(server.start)
        inside = await harness.inside({"url": server.url, "ping_seconds": 1, "rules": [RULE], "out": [OUT]})
        member = inside.member()
        member.subscribe("wampgate.gap")
        member.subscribe("organization.7")
        server.publish("channel.7", "1")
        await harness.eventually(lambda: member.args("organization.7") == [1])
        for round_ in range(1, 3):
            await harness.in_thread(network.drop)
            assert await harness.eventually(lambda: not inside.ready, 4) < 3
            server.publish("channel.7", '"lost"')
            before = memory()
            for _ in range(20_000):
                member.publish("organization.7", "x" * 1_000)
            await harness.pause(0.1)
            # What came before was the test's own burst.
            stalls.worst = 0.0
            await harness.pause(1.5)
            assert memory() - before < 64 << 20
            await harness.in_thread(network.heal)
            assert await harness.eventually(lambda: inside.ready, 5) < 2
            await harness.eventually(lambda round_=round_: _gaps(member) == round_)
            server.publish("channel.7", str(round_ + 1))
            await harness.eventually(lambda round_=round_: member.args("organization.7")[-1] == round_ + 1)
            assert stalls.worst < 0.1
        assert member.args("organization.7") == [1, 2, 3]
    finally:
        server.__exit__()


def _gaps(member: Any) -> int:
    return sum(at == "wampgate.gap" for at, _, _ in member.events)
