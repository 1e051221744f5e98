"""Postgres and Redis killed and frozen under load: no grant, no stall, and all comes back by itself."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Self

import pytest
from heartbeat import Heartbeat
from raw_wamp import Aborted, Peer, WampError
from raw_websocket import Closed, Ended

from .production import Production, token_of
from .test_production import wait_for_redis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STALL_SECONDS = 0.1
"""What the issue allows."""

DENIALS = ("wamp.error.authentication_failed", "wamp.error.authorization_failed")


@pytest.fixture(scope="module")
def production() -> Iterator[Production]:
    with Production() as production:
        wait_for_redis(production)
        yield production


class Load:
    """Threads that log in and subscribe without a pause, and keep what they were granted and refused.

    Attributes:
        grants: (begin, end) of each login and each subscription that was granted.
        refusals: (end, error) of each that was not.
        longest: the longest wait for an answer, in seconds.
    """

    def __init__(self, production: Production, threads: int = 3) -> None:
        self._port = production.router.port
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        self.grants: list[tuple[float, float]] = []
        self.refusals: list[tuple[float, str]] = []
        self.longest = 0.0

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(15)

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            with suppress(Closed, Ended, OSError), Peer(self._port) as peer:
                if self._attempt(partial(peer.join, token_of("anna"))):
                    for _ in range(3):
                        self._attempt(partial(peer.subscribe, "organization.7"))

    def _attempt(self, what: Callable[[], object]) -> bool:
        begin = time.monotonic()
        try:
            what()
        except (Aborted, Closed) as refused:
            self.refusals.append((time.monotonic(), refused.reason))
        except WampError as error:
            self.refusals.append((time.monotonic(), error.uri))
        else:
            self.grants.append((begin, time.monotonic()))
        self.longest = max(self.longest, time.monotonic() - begin)
        return bool(self.grants) and self.grants[-1][0] == begin

    def granted_within(self, begin: float, end: float) -> int:
        """How many grants were asked for and given within a time."""
        return sum(begin < asked and given < end for asked, given in self.grants)

    def granted_after(self, begin: float) -> int:
        return sum(asked > begin for asked, _ in self.grants)


def kill(server: Production) -> tuple[Callable[[], None], Callable[[], None]]:
    return server.postgres.kill, server.postgres.start


def freeze(server: Production) -> tuple[Callable[[], None], Callable[[], None]]:
    return server.postgres.freeze, server.postgres.thaw


def eventually(true: Callable[[], object], seconds: float = 10.0) -> float:
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < seconds, f"not within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - start


def test_a_stall_would_be_seen(production: Production) -> None:
    with Heartbeat(production.router.pid, production.backend()) as heartbeat:
        time.sleep(0.3)
        assert heartbeat.worst < STALL_SECONDS
        production.router.signal(signal.SIGSTOP)
        time.sleep(0.2)
        production.router.signal(signal.SIGCONT)
        time.sleep(0.2)
    assert heartbeat.worst > STALL_SECONDS


@pytest.mark.parametrize("how", [kill, freeze], ids=["killed", "frozen"])
def test_postgres_is_gone(
    production: Production, how: Callable[[Production], tuple[Callable[[], None], Callable[[], None]]]
) -> None:
    away, back = how(production)
    anna, backend = production.peer("anna"), production.backend()
    anna.subscribe("organization.7")
    with Heartbeat(production.router.pid, production.backend()) as heartbeat, Load(production) as load:
        eventually(lambda: len(load.grants) > 10)
        away()
        begin = time.monotonic()
        # What was granted before stays, and those who need no store go on.
        for number in range(25):
            backend.call("wampgate.publish", ["organization.7", [number]])
            assert anna.event()[4] == [number]
            time.sleep(0.1)
        with pytest.raises(WampError) as undecided:
            anna.subscribe("organization.8")
        assert undecided.value.uri == "wamp.error.authorization_failed"
        end = time.monotonic()
        back()
        eventually(lambda: load.granted_after(end) > 5)
    assert load.granted_within(begin + 0.05, end) == 0
    refused = [error for at, error in load.refusals if begin < at < end]
    assert refused
    assert set(refused) <= set(DENIALS)
    # The store's deadline of 1 s, and what a busy machine adds.
    assert load.longest < 3
    assert heartbeat.beats > 100
    assert heartbeat.worst < STALL_SECONDS
    anna.subscribe("organization.8")


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_redis_is_gone(production: Production, how: str) -> None:
    redis = production.redis
    anna, backend = production.peer("anna"), production.backend()
    anna.subscribe("organization.7")
    with Heartbeat(production.router.pid, production.backend()) as heartbeat, Load(production) as load:
        redis.publish("channel.7", '"before"')
        assert anna.event()[4] == ["before"]
        begin = time.monotonic()
        (redis.kill if how == "killed" else redis.freeze)()
        for number in range(20):
            backend.call("wampgate.publish", ["organization.7", [number]])
            assert anna.event()[4] == [number]
            time.sleep(0.1)
        assert load.granted_after(begin) > 5
        (redis.start if how == "killed" else redis.thaw)()
        wait_for_redis(production, seconds=15)
        eventually(lambda: redis.publish("channel.7", '"after"'))
        assert anna.event()[4] == ["after"]
    assert heartbeat.worst < STALL_SECONDS
    assert not [error for _, error in load.refusals if error not in DENIALS]
    assert not load.refusals
    production.router.wait_for_log("redis")
