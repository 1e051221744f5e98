"""Short runs against the limit server: every event and result is counted and found correct, in each serializer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import load
from benchmarks.scenarios import SERIALIZERS
from benchmarks.servers.limit import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Literal

    from benchmarks.servers.interface import Running

SHORT = ("--warm", "0.1", "--seconds", "0.4", "--patience", "10")


@pytest.fixture(params=["send", "coal"])
def limit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    mode: Literal["send", "coal"] = request.param
    server = Limit(mode)
    yield server.start(tmp_path)
    server.stop()


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_events_arrive_complete_in_order_and_unchanged(limit: Running, serializer: str) -> None:
    for window in (("--window", "1"), ("--window", "8", "--burst")):
        options = ("fanout", "--subscribers", "60", "--serializer", SERIALIZERS[serializer], *window, *SHORT)
        outcome = load.run(limit, options)
        assert outcome.operations > 100
        assert 0 < outcome.p50_us <= outcome.p99_us <= outcome.p999_us <= outcome.longest_us


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_calls_get_their_own_results(limit: Running, serializer: str) -> None:
    options = ("calls", "--callers", "7", "--callees", "3", "--in-flight", "4", "--serializer", SERIALIZERS[serializer])
    assert load.run(limit, (*options, *SHORT)).operations > 100


def test_subscribers_of_many_topics_get_their_own_only(limit: Running) -> None:
    topics = ("--topic", "organization.{}", "--topics", "20", "--subscribers", "50", "--window", "100")
    assert load.run(limit, ("fanout", *topics, *SHORT)).operations > 100


def test_a_long_payload_arrives(limit: Running) -> None:
    options = ("fanout", "--subscribers", "20", "--payload", "70000", "--serializer", SERIALIZERS["mixed"])
    assert load.run(limit, (*options, *SHORT)).operations > 0


def test_a_rate_is_kept(limit: Running) -> None:
    outcome = load.run(limit, ("fanout", "--subscribers", "10", "--rate", "100", "--window", "50", *SHORT))
    # What was due in the whole run is about 510; without a rate it would be tens of thousands.
    assert 0 < outcome.operations < 10 * 200


def test_joins_are_counted_and_memory_is_seen(limit: Running) -> None:
    outcome = load.run(limit, ("join", "--connections", "300", "--first", "20", "--seconds", "0.2"))
    assert outcome.operations == 300
    assert outcome.p50_us > 0


def test_the_servers_cpu_is_counted(limit: Running) -> None:
    outcome = load.run(limit, ("fanout", "--subscribers", "200", *SHORT))
    assert 0 < outcome.cpu_user_us + outcome.cpu_us < 1_000
    assert outcome.cpu_load > 0


def test_a_server_that_dies_is_a_fault(tmp_path: Path) -> None:
    server = Limit("send")
    running = server.start(tmp_path)
    server.stop()
    with pytest.raises(load.RunFailed, match="Connection refused"):
        load.run(running, ("fanout", "--subscribers", "5", *SHORT))
