"""Messages go from a Redis of the benchmark's own through the router to verified subscribers."""

from __future__ import annotations

import shutil

import pytest

from benchmarks.__main__ import main
from benchmarks.servers.interface import ServerFailed
from benchmarks.servers.limit import Limit
from benchmarks.servers.redis import Redis


@pytest.fixture(autouse=True)
def redis_is_there() -> None:
    if shutil.which("redis-server") is None:
        pytest.skip("NO REDIS: its scenarios are not tested here")


@pytest.mark.parametrize("scenario", ["redis-1", "redis-1000"])
def test_messages_are_counted(scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--rounds", "1", "--generator", "--subscribers 20 --warm 0.1 --seconds 0.3"]
    assert main(["--no-peers", "--scenarios", scenario, *small]) == 0
    assert "CPU per" in capsys.readouterr().out


def test_a_redis_that_nobody_reads_is_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    with Redis() as redis:
        small = ["--rounds", "1", "--generator", f"--redis {redis.port} --subscribers 1 --warm 0.1 --seconds 0.1"]
        assert main(["--no-peers", "--no-product", "--scenarios", "fanout", *small]) == 1
    assert "nobody reads channels there" in capsys.readouterr().out


def test_the_limit_reads_no_redis(tmp_path: object) -> None:
    with pytest.raises(ServerFailed, match="reads no Redis"):
        Limit("send").start(tmp_path, 1)  # type: ignore[arg-type]  # it is not looked at
