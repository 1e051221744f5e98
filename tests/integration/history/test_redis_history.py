"""Histories in a real Redis: what outlives the router, what doesn't, and that nothing is missing in silence."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
from conftest import ticket_of
from integration.history.recovering import (
    KEY,
    configuration,
    joined,
    kept,
    length,
    numbers,
    recover,
    recover_all,
    wait_for,
)
from raw_wamp import SERIALIZERS
from redis_server import RedisServer
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from raw_wamp import Peer


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def routing(redis: RedisServer, *topics: dict[str, Any], alarms_allowed: bool = False, **store: Any) -> RouterProcess:
    stores = [{"type": "redis", "url": redis.url, "timeout_seconds": 1, "state_folder": "var", **store}]
    return RouterProcess(
        configuration(*(topics or (kept(store="redis"),)), stores=stores), alarms_allowed=alarms_allowed
    )


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_what_was_kept_outlives_a_restart_with_its_positions(
    redis: RedisServer, connect: Callable[..., Peer], serializer: str
) -> None:
    payload: tuple[Any, ...] = ([1, "ü", None], {"key": {"list": [True, 1.5]}})
    with routing(redis) as router:
        backend = joined(connect(router, serializer), "backend")
        first = backend.publish("com.a", [0])
        backend.publish("com.a", *payload)
        backend.publish("com.b", [2], eligible_authid=["somebody"])
        backend.publish("com.b", [3], exclude_authrole=["nobody"])
        before = recover(joined(connect(router), "alice"), "com.a")
        router.stop()
        router.start()
        alice = joined(connect(router, serializer), "alice")
        answer = recover(alice, "com.a", after_publication=first)
        assert (answer["recovered"], answer["epoch"]) == (True, before["epoch"])
        (event,) = answer["events"]
        assert (event["args"], event["kwargs"]) == payload
        assert event["timestamp"] == before["events"][1]["timestamp"]
        # The publisher's lists hold as before, and a pattern is whole too.
        pattern = recover(alice, "com.", match="prefix", after_publication=first)
        assert pattern["recovered"]
        assert [event["args"][0] for event in pattern["events"]] == [1, 3]
        # It goes on behind what was there.
        joined(connect(router), "backend").publish("com.a", [4])
        assert numbers(recover_all(alice, "com.a", first)) == [1, 4]


def test_a_sealed_payload_outlives_a_restart_with_all_that_says_how_it_is_packed(
    redis: RedisServer, connect: Callable[..., Peer]
) -> None:
    roles = {"publisher": {"features": {"payload_passthru_mode": True}}}
    seal = {"ppt_scheme": "wamp", "ppt_serializer": "cbor", "ppt_cipher": "aes256gcm", "ppt_keyid": "key 7"}
    with routing(redis) as router:
        backend = connect(router, "msgpack").join(ticket_of("backend"), roles=roles)
        backend.publish("com.a", [b"\x00\xff"], **seal)
        backend.publish("com.a", b"\x00\xff", enc_algo="cryptobox", enc_serializer="json")
        router.stop()
        router.start()
        first, second = recover(joined(connect(router, "msgpack"), "alice"), "com.a")["events"]
        assert first.items() >= {"args": [b"\x00\xff"], **seal}.items()
        assert second.items() >= {"args": b"\x00\xff", "enc_algo": "cryptobox", "enc_serializer": "json"}.items()


def test_after_a_kill_what_was_written_is_there_and_the_epoch_is_another(
    redis: RedisServer, connect: Callable[..., Peer]
) -> None:
    with routing(redis) as router:
        backend = joined(connect(router), "backend")
        ids = [backend.publish("com.a", [number]) for number in range(100)]
        wait_for(lambda: length(redis) == 100)
        alice = joined(connect(router), "alice")
        before = recover(alice, "com.a", limit=0)
        router.signal(signal.SIGKILL)
        router.wait()
        router.start()
        alice = joined(connect(router), "alice")
        answer = recover(alice, "com.a", after_publication=ids[50], limit=1000)
        # Nobody can say that nothing was published beyond what Redis has, so no position is good.
        assert not answer["recovered"]
        assert answer["epoch"] != before["epoch"]
        assert numbers(answer["events"]) == list(range(100))
        assert not recover(alice, "com.a", after_publication=ids[-1])["recovered"]
        # From here on there are positions again, and they outlive the next restart.
        new = joined(connect(router), "backend").publish("com.a", [100])
        joined(connect(router), "backend").publish("com.a", [101])
        router.stop()
        router.start()
        alice = joined(connect(router), "alice")
        assert numbers(recover_all(alice, "com.a", new)) == [101]
        assert recover_all(alice, "com.a", ids[50]) is None


def test_a_kill_in_the_middle_loses_nothing_in_silence(redis: RedisServer, connect: Callable[..., Peer]) -> None:
    with routing(redis) as router:
        backend = joined(connect(router), "backend")
        for round_ in range(3):
            # Not acknowledged: some are published, some written, some neither, when the router dies.
            for number in range(2_000):
                backend.send(16, backend.next_request(), {}, "com.a", [round_, number])
            last = backend.publish("com.a", ["last"])
            written = length(redis)
            router.signal(signal.SIGKILL)
            router.wait()
            router.start()
            alice = joined(connect(router), "alice")
            assert recover_all(alice, "com.a", last) is None
            answer = recover(alice, "com.a", limit=1000)
            assert len(answer["events"]) > 0
            assert written <= length(redis) + 1000
            backend = joined(connect(router), "backend")
            again = backend.publish("com.a", ["again"])
            backend.publish("com.a", ["and again"])
            assert numbers(recover_all(alice, "com.a", again)) == ["and again"]


def test_redis_holds_no_more_than_the_memory(redis: RedisServer, connect: Callable[..., Peer]) -> None:
    with routing(redis, kept(store="redis", count=10)) as router:
        backend = joined(connect(router), "backend")
        for number in range(100):
            last = backend.publish(f"com.{number % 2}", [number])
        wait_for(lambda: length(redis) == 20)
        router.stop()
        router.start()
        alice = joined(connect(router), "alice")
        assert numbers(recover(alice, "com.1")["events"]) == list(range(81, 100, 2))
        # What was trimmed before the restart is still a hole behind it.
        assert recover_all(alice, "com.1", last) == []
        assert recover_all(alice, "com.", last, match="prefix") == []


def test_redis_restarts_empty_and_the_epoch_is_another(redis: RedisServer, connect: Callable[..., Peer]) -> None:
    with routing(redis) as router:
        backend, alice = joined(connect(router), "backend"), joined(connect(router), "alice")
        first = backend.publish("com.a", [0])
        wait_for(lambda: length(redis) == 1)
        epoch = recover(alice, "com.a", limit=0)["epoch"]
        redis.kill()
        # Publishing and recovering go on.
        backend.publish("com.a", [1])
        assert numbers(recover_all(alice, "com.a", first)) == [1]
        redis.start()
        wait_for(lambda: length(redis) == 1)
        router.wait_for_log("Redis has lost its newest entries")
        assert recover(alice, "com.a", limit=0)["epoch"] != epoch
        assert numbers(recover_all(alice, "com.a", first)) == [1]
        second = backend.publish("com.a", [2])
        backend.publish("com.a", [3])
        wait_for(lambda: length(redis) == 3)
        router.stop()
        router.start()
        alice = joined(connect(router), "alice")
        assert recover_all(alice, "com.a", first) is None
        assert numbers(recover_all(alice, "com.a", second)) == [3]


def test_a_lost_connection_alone_costs_nothing(redis: RedisServer, connect: Callable[..., Peer]) -> None:
    with routing(redis) as router:
        backend = joined(connect(router), "backend")
        first = backend.publish("com.a", [0])
        epoch = recover(joined(connect(router), "alice"), "com.a", limit=0)["epoch"]
        for number in range(1, 20):
            if number % 5 == 0:
                redis.command("CLIENT", "KILL", "TYPE", "normal")
            backend.publish("com.a", [number])
        wait_for(lambda: length(redis) == 20)
        router.stop()
        router.start()
        answer = recover(joined(connect(router), "alice"), "com.a", after_publication=first)
        assert (answer["recovered"], answer["epoch"]) == (True, epoch)
        assert numbers(answer["events"]) == list(range(1, 20))


def test_a_frozen_redis_stops_nothing_and_is_caught_up_with(redis: RedisServer, connect: Callable[..., Peer]) -> None:
    with routing(redis) as router:
        backend, alice = joined(connect(router), "backend"), joined(connect(router), "alice")
        first = backend.publish("com.a", [0])
        redis.freeze()
        for number in range(1, 50):
            backend.publish("com.a", [number])
        assert numbers(recover_all(alice, "com.a", first)) == list(range(1, 50))
        router.wait_for_log("it has not answered", seconds=15)
        redis.thaw()
        wait_for(lambda: length(redis) == 50)
        router.stop()
        router.start()
        assert numbers(recover_all(joined(connect(router), "alice"), "com.a", first)) == list(range(1, 50))


def test_a_queue_that_is_full_begins_an_epoch_and_memory_stays_bounded(
    redis: RedisServer, connect: Callable[..., Peer]
) -> None:
    with routing(redis, kept(store="redis", count=50), queue_bytes=200_000) as router:
        backend, alice = joined(connect(router), "backend"), joined(connect(router), "alice")
        epoch = recover(alice, "com.a", limit=0)["epoch"]
        redis.freeze()
        rss = router.rss()
        for number in range(3_000):
            last = backend.publish("com.a", [number, "x" * 1_000])
        assert router.rss() - rss < 30e6
        router.wait_for_log("more waits for Redis than may")
        assert recover(alice, "com.a", limit=0)["epoch"] != epoch
        redis.thaw()
        # Within the process nothing was lost.
        assert recover_all(alice, "com.a", last) == []
        later = backend.publish("com.a", ["later"])
        backend.publish("com.a", ["last"])
        wait_for(lambda: b"last" in redis.command("XREVRANGE", f"{KEY}:log", "+", "-", "COUNT", "1"))
        router.stop()
        router.start()
        alice = joined(connect(router), "alice")
        assert numbers(recover_all(alice, "com.a", later)) == ["last"]


def test_without_redis_the_router_starts_and_keeps_as_soon_as_it_is_there(
    redis: RedisServer, connect: Callable[..., Peer]
) -> None:
    redis.stop()
    with routing(redis) as router:
        backend = joined(connect(router), "backend")
        first = backend.publish("com.a", [0])
        backend.publish("com.a", [1])
        redis.start()
        wait_for(lambda: length(redis) == 2)
        router.stop()
        router.start()
        assert numbers(recover_all(joined(connect(router), "alice"), "com.a", first)) == [1]


@pytest.mark.parametrize("damage", ["garbage", "missing", "foreign"])
def test_a_log_that_someone_has_touched_is_no_ground_for_positions(
    redis: RedisServer, connect: Callable[..., Peer], damage: str
) -> None:
    with routing(redis) as router:
        backend = joined(connect(router), "backend")
        ids = [backend.publish("com.a", [number]) for number in range(5)]
        router.stop()
        if damage == "garbage":
            redis.command("XADD", f"{KEY}:log", "*", "topic", "com.a")
        elif damage == "missing":
            entry = redis.command("XRANGE", f"{KEY}:log", "-", "+", "COUNT", "1").split(b"\r\n")[3]
            redis.command("XDEL", f"{KEY}:log", entry)
        else:
            redis.command("HSET", KEY, "topics", "others")
        router.start()
        alice = joined(connect(router), "alice")
        assert recover_all(alice, "com.a", ids[3]) is None
        assert numbers(recover(alice, "com.a")["events"])[-1:] == [4]


def test_a_wrong_password_is_told_and_never_shown(connect: Callable[..., Peer]) -> None:
    with RedisServer(user="keeper", password="the-right-one") as redis:
        url = redis.url.replace("the-right-one", "the-wrong-one")
        with routing(redis, url=url) as router:
            joined(connect(router), "backend").publish("com.a", [0])
            log = router.wait_for_log("WRONGPASS")
            assert "the-wrong-one" not in log
            assert log.count("WRONGPASS") == 1
