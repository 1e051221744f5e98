"""Routers that read streams, as operators run them: two of them, a stream that is trimmed, and what is refused."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from conftest import principal, rule
from raw_wamp import EVENT
from redis_server import RedisServer
from router_process import RouterDidNotStart, RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from raw_wamp import Peer

GAP = "wampgate.gap"


def configuration(redis: str, state_folder: Path, **bridge: Any) -> dict[str, Any]:
    """A realm whose topics come from the stream ``news``."""
    streams = {
        "type": "redis-streams",
        "url": redis,
        "ping_seconds": 0.5,
        "state_folder": str(state_folder),
        "rules": [{"dialect": "plain", "stream": "news", "topic": "organization.{organization}"}],
    }
    realm = {
        "name": "realm1",
        "authentication": {"ticket": {}, "principals": [principal("alice", "client"), principal("bob", "other")]},
        "authorization": {"rules": [rule("client", ["subscribe"], "organization.", "prefix")]},
        "topics": [{"uri": "organization.", "match": "prefix", "history": {}}],
        "bridges": [streams | bridge],
    }
    return {"listen": [{"endpoint": "tcp:0:interface=127.0.0.1"}], "realms": [realm]}


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def add_many(redis: RedisServer, first: int, last: int, *, more: str = "") -> None:
    script = (
        f"for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do redis.call('XADD', 'news', {more} '*', "
        "'topic', 'organization.' .. i % 3, 'payload', '[' .. i .. ']') end"
    )
    assert redis.command("EVAL", script, "0", str(first), str(last)) == b"$-1\r\n"


def test_two_routers_deliver_everything_once_each(
    redis: RedisServer, tmp_path: Path, join: Callable[..., Peer]
) -> None:
    with (
        RouterProcess(configuration(redis.url, tmp_path / "one")) as one,
        RouterProcess(configuration(redis.url, tmp_path / "two")) as two,
    ):
        peers = [
            join(serializer=serializer, process=router) for router in (one, two) for serializer in ("json", "msgpack")
        ]
        for peer in peers:
            peer.subscribe("organization.", match="prefix")
        add_many(redis, 1, 1_000)
        events = [[peer.event() for _ in range(1_000)] for peer in peers]
        for peer, mine in zip(peers, events, strict=True):
            assert [event[-1][0] for event in mine] == list(range(1, 1_001))
            assert [event[2] for event in mine] == [event[2] for event in events[0]]
            assert len({event[2] for event in mine}) == 1_000
            assert peer.events() == []


def test_a_shared_state_folder_is_refused(redis: RedisServer, tmp_path: Path) -> None:
    with RouterProcess(configuration(redis.url, tmp_path)):
        second = RouterProcess(configuration(redis.url, tmp_path))
        with pytest.raises(RouterDidNotStart, match="give each router a state_folder of its own"):
            second.__enter__()


def test_a_consumer_group_is_refused(redis: RedisServer, tmp_path: Path) -> None:
    refused = RouterProcess(configuration(redis.url, tmp_path, group="routers"))
    with pytest.raises(RouterDidNotStart, match="every router reads every entry itself"):
        refused.__enter__()


def test_subscribers_are_told_of_what_was_trimmed(
    redis: RedisServer, tmp_path: Path, join: Callable[..., Peer]
) -> None:
    with RouterProcess(configuration(redis.url, tmp_path)) as router:
        peer, stranger = join(process=router), join("bob", process=router)
        gap = peer.subscribe(GAP)
        stranger.subscribe(GAP)
        news = peer.subscribe("organization.1")
        add_many(redis, 1, 1)
        assert peer.event()[-1] == [1]
        time.sleep(1.5)
        # In one step for Redis: nobody can have read what is trimmed.
        add_many(redis, 2, 5_000, more="'MAXLEN', '300',")
        events: list[Any] = []
        told: dict[str, Any] = {}
        while not told or not events or events[-1][-1] != [4_999]:
            message = peer.receive()
            assert message[0] == EVENT
            if message[1] == gap:
                told = message[5]
            else:
                assert message[1] == news
                events.append(message)
        assert told["topic"] == "organization.1"
        assert (told["match"], told["why"], told["dropped"]) == ("exact", "stream_trimmed", None)
        assert told["since"] < time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        assert stranger.events() == []
        # The position before the hole is known no more; one behind it is.
        answer = peer.result(peer.start_call("wampgate.history.recover", ["organization.1", "exact", events[0][2]]))[4]
        assert answer["recovered"]
        assert [event["args"] for event in answer["events"]] == [event[-1] for event in events[1:]]


def test_recovery_over_a_restart_and_beyond_the_memory(
    redis: RedisServer, tmp_path: Path, join: Callable[..., Peer]
) -> None:
    """Ten thousand events of which the memory holds a thousand, to a client that was there at the beginning."""
    with RouterProcess(configuration(redis.url, tmp_path)) as router:
        peer = join(process=router)
        peer.subscribe("organization.1")
        add_many(redis, 1, 1)
        position = peer.event()[2]
        router.stop()
        add_many(redis, 2, 30_000)
        router.start()
        peer = join(process=router)
        found, more = [], True
        while more:
            answer = peer.result(peer.start_call("wampgate.history.recover", ["organization.1", "exact", position]))[4]
            assert answer["recovered"]
            found += [event["args"][0] for event in answer["events"]]
            position, more = answer["position"], answer["more"]
        assert found == list(range(4, 30_001, 3))
        # What bob may not subscribe to, he can't recover.
        stranger = join("bob", process=router)
        request = stranger.start_call("wampgate.history.recover", ["organization.1", "exact", position])
        with pytest.raises(Exception, match="not_authorized"):
            stranger.result(request)
        assert json.loads((tmp_path / "realm1.redis-streams.offsets.json").read_text())["streams"]["news"]["added"] > 0
