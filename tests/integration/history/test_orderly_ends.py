"""What a restart may take for whole: nothing, unless the run before is known to have ended in order."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
from integration.history.recovering import configuration, joined, kept, length, numbers, recover, recover_all, wait_for
from redis_server import RedisServer
from router_process import RouterDidNotStart, RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from raw_wamp import Peer


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def routing(redis: RedisServer, **store: Any) -> RouterProcess:
    stores = [{"type": "redis", "url": redis.url, "timeout_seconds": 1, **store}]
    return RouterProcess(configuration(kept(store="redis"), stores=stores))


def published(connect: Callable[..., Peer], router: RouterProcess, *values: Any) -> list[int]:
    backend = joined(connect(router), "backend")
    return [backend.publish("com.a", [value]) for value in values]


def killed(router: RouterProcess) -> None:
    router.signal(signal.SIGKILL)
    router.wait()


def test_a_run_that_never_reached_redis_is_noticed_by_the_next(
    redis: RedisServer, connect: Callable[..., Peer], tmp_path: Path
) -> None:
    with routing(redis, state_folder=str(tmp_path / "var")) as router:
        first, _ = published(connect, router, 0, 1)
        router.stop()
        redis.freeze()
        router.start()
        # Redis is never told of these.
        published(connect, router, 2, 3)
        killed(router)
        redis.thaw()
        router.start()
        alice = joined(connect(router), "alice")
        assert recover_all(alice, "com.a", first) is None
        assert numbers(recover(alice, "com.a")["events"]) == [0, 1]
        # From here on there are positions again, and they outlive the next restart.
        again, _ = published(connect, router, 4, 5)
        router.stop()
        router.start()
        alice = joined(connect(router), "alice")
        assert numbers(recover_all(alice, "com.a", again)) == [5]
        assert recover_all(alice, "com.a", first) is None


def test_a_run_that_reached_redis_late_keeps_its_own_positions(
    redis: RedisServer, connect: Callable[..., Peer], tmp_path: Path
) -> None:
    with routing(redis, state_folder=str(tmp_path)) as router:
        before, _ = published(connect, router, 0, 1)
        router.stop()
        redis.freeze()
        router.start()
        first, _ = published(connect, router, 2, 3)
        redis.thaw()
        router.wait_for_log("Redis is back")
        wait_for(lambda: length(redis) == 4)
        assert "someone else" not in router.log()
        router.stop()
        router.start()
        alice = joined(connect(router), "alice")
        assert numbers(recover_all(alice, "com.a", first)) == [3]
        # What went before on this topic, that run had not known.
        assert recover_all(alice, "com.a", before) is None
        assert numbers(recover(alice, "com.a")["events"]) == [2, 3]


def test_a_run_of_which_redis_has_lost_all_is_noticed_by_the_next(
    redis: RedisServer, connect: Callable[..., Peer], tmp_path: Path
) -> None:
    with routing(redis, state_folder=str(tmp_path)) as router:
        first, _ = published(connect, router, 0, 1)
        router.stop()
        assert redis.command("SAVE").startswith(b"+OK")
        router.start()
        published(connect, router, 2, 3)
        wait_for(lambda: length(redis) == 4)
        # The machine of both loses its power: Redis comes back as it was when the run before had ended.
        killed(router)
        redis.kill()
        redis.start()
        assert length(redis) == 2
        router.start()
        alice = joined(connect(router), "alice")
        assert recover_all(alice, "com.a", first) is None
        assert numbers(recover(alice, "com.a")["events"]) == [0, 1]


def test_without_a_folder_no_position_outlives_the_process(redis: RedisServer, connect: Callable[..., Peer]) -> None:
    with routing(redis) as router:
        first, _ = published(connect, router, 0, 1)
        before = recover(joined(connect(router), "alice"), "com.a", limit=0)["epoch"]
        router.stop()
        router.start()
        alice = joined(connect(router), "alice")
        answer = recover(alice, "com.a", after_publication=first)
        assert not answer["recovered"]
        assert answer["epoch"] != before
        assert numbers(answer["events"]) == [0, 1]
        # Within the process all is well.
        again, _ = published(connect, router, 2, 3)
        assert numbers(recover_all(alice, "com.a", again)) == [3]


def test_a_folder_that_is_lost_costs_the_positions_and_no_more(
    redis: RedisServer, connect: Callable[..., Peer], tmp_path: Path
) -> None:
    with routing(redis, state_folder=str(tmp_path)) as router:
        first, _ = published(connect, router, 0, 1)
        router.stop()
        (file,) = tmp_path.iterdir()
        word = file.read_bytes()
        file.unlink()
        router.start()
        alice = joined(connect(router), "alice")
        assert recover_all(alice, "com.a", first) is None
        published(connect, router, 2)
        router.stop()
        # One of another time, as of a backup that was put back, is none.
        file.write_bytes(word)
        router.start()
        assert recover_all(joined(connect(router), "alice"), "com.a", first) is None


def test_a_folder_that_is_none_is_told(redis: RedisServer, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")
    with pytest.raises(RouterDidNotStart, match="state_folder"), routing(redis, state_folder=str(tmp_path / "var")):
        pass
