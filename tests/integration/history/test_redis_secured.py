"""A history's Redis over TLS, and with an ACL user who may do what docs/history.md says and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.history.recovering import KEY, configuration, joined, kept, length, numbers, recover_all, wait_for
from redis_server import RedisServer
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Peer

HISTORY = (Path(__file__).parents[3] / "docs" / "history.md").read_text()
PASSWORD = "c4nary-p@ss/w#rd?%"
URL = "redis://wampgate:c4nary-p%40ss%2Fw%23rd%3F%25@127.0.0.1:{}/1"


def routing(redis: RedisServer, **store: Any) -> RouterProcess:
    stores = [{"type": "redis", "url": redis.url, "timeout_seconds": 1, "state_folder": "var", **store}]
    return RouterProcess(configuration(kept(store="redis", count=5), stores=stores))


def documented_user() -> list[str]:
    found = re.search(r"The user needs `([^`]+)`", HISTORY)
    assert found is not None
    return found[1].split()


def all_that_a_history_does(connect: Callable[..., Peer], router: RouterProcess) -> None:
    """Write, trim, forget, end, read, go on."""
    backend = joined(connect(router), "backend")
    ids = [backend.publish("com.a", [number]) for number in range(9)]
    router.stop()
    router.start()
    alice = joined(connect(router), "alice")
    assert numbers(recover_all(alice, "com.a", ids[5])) == [6, 7, 8]
    joined(connect(router), "backend").publish("com.a", [9])
    assert numbers(recover_all(alice, "com.a", ids[5])) == [6, 7, 8, 9]
    assert "c4nary" not in router.log()


def test_over_tls(connect: Callable[..., Peer]) -> None:
    with RedisServer(tls=True) as redis, routing(redis, ca_file=redis.ca_file) as router:
        assert redis.url.startswith("rediss:")
        all_that_a_history_does(connect, router)
        wait_for(lambda: length(redis) == 5)


@pytest.mark.parametrize(
    ("server", "trusted", "said"),
    [
        ({"tls": True}, False, "certificate"),
        ({"tls": True, "host_names": ["elsewhere.example.org"]}, True, "elsewhere.example.org|host|name"),
    ],
)
def test_a_certificate_that_is_not_good_is_told_and_nothing_is_written(
    connect: Callable[..., Peer], server: dict[str, Any], trusted: bool, said: str
) -> None:
    with RedisServer(**server) as redis:
        with routing(redis, **({"ca_file": redis.ca_file} if trusted else {})) as router:
            joined(connect(router), "backend").publish("com.a", [0])
            log = router.wait_for_log("no connection to Redis")
            assert re.search(said, log.split("no connection to Redis", 1)[1].splitlines()[0]), log
        assert length(redis) == 0


def test_the_documented_rights_are_enough(connect: Callable[..., Peer]) -> None:
    with RedisServer() as redis:
        assert redis.command("ACL", "SETUSER", "wampgate", "on", f">{PASSWORD}", *documented_user()) == b"+OK\r\n"
        with routing(redis, url=URL.format(redis.port)) as router:
            all_that_a_history_does(connect, router)
            assert "NOPERM" not in router.log()
            router.stop()
        # Redis counts what it has refused to anyone.
        assert redis.command("ACL", "LOG") == b"*0\r\n"


@pytest.mark.parametrize("left_out", [word for word in documented_user() if word.startswith("+")])
def test_each_of_the_documented_rights_is_needed(connect: Callable[..., Peer], left_out: str) -> None:
    rights = [word for word in documented_user() if word != left_out]
    with RedisServer() as redis:
        assert redis.command("ACL", "SETUSER", "wampgate", "on", f">{PASSWORD}", *rights) == b"+OK\r\n"
        with routing(redis, url=URL.format(redis.port)) as router:
            backend = joined(connect(router), "backend")
            for number in range(9):
                backend.publish("com.a", [number])
            router.stop()
            log = router.log()
            assert "c4nary" not in log
        # AUTH needs no right: Redis lets everyone say who it is.
        refused = b"wampgate" in redis.command("ACL", "LOG")
        assert refused or left_out == "+auth"


def test_the_documented_rights_reach_no_other_key(connect: Callable[..., Peer]) -> None:
    with RedisServer() as redis:
        redis.command("ACL", "SETUSER", "wampgate", "on", f">{PASSWORD}", *documented_user())
        with routing(redis, url=URL.format(redis.port), prefix="another") as router:
            joined(connect(router), "backend").publish("com.a", [0])
            router.wait_for_log("NOPERM")
        assert redis.command("EXISTS", KEY, "another:realm1", "another:realm1:log") == b":0\r\n"
