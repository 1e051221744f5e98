"""When /health/ready says that a router should be given clients, with real stores and a real Redis that come and go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from conftest import static_configuration
from integration.admin.operators import ENDPOINT, admin_port, fetch, metric
from redis_server import RedisServer
from router_process import RouterProcess

if TYPE_CHECKING:
    from pathlib import Path

RULE = {"dialect": "plain", "channel": "organization.{organization}", "topic": "organization.{organization}"}


def with_redis(port: int, **admin: Any) -> dict[str, Any]:
    document = static_configuration()
    document["realms"][0]["bridges"] = [
        {"type": "redis", "name": "news", "url": f"redis://127.0.0.1:{port}", "rules": [RULE]}
    ]
    return {**document, "admin": {"endpoint": ENDPOINT, **admin}}


def status_becomes(process: RouterProcess, status: int, seconds: float = 10.0) -> str:
    deadline = time.monotonic() + seconds
    while (answer := fetch(admin_port(process), "/health/ready")).status != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)
    return answer.text


def test_a_bridge_that_goes_and_comes_back() -> None:
    with RedisServer() as redis, RouterProcess(with_redis(redis.port)) as process:
        assert status_becomes(process, 200) == "ready\n"
        assert metric(process, "wampgate_bridge_up", realm="realm1", bridge="news", kind="redis") == 1
        redis.stop()
        told = status_becomes(process, 503)
        assert told == "not ready\nrealm realm1: bridge news (redis) is not ready\n"
        answer = fetch(admin_port(process), "/health/ready", Accept="application/json")
        assert answer.headers["content-type"] == "application/json"
        assert answer.json == {"state": "not ready", "reasons": ["realm realm1: bridge news (redis) is not ready"]}
        assert fetch(process.port, "/health/live").status == 200
        assert metric(process, "wampgate_bridge_up", realm="realm1", bridge="news", kind="redis") == 0
        assert metric(process, "wampgate_bridge_lag_seconds", realm="realm1", bridge="news") > 0
        assert metric(process, "wampgate_ready") == 0
        redis.start()
        assert status_becomes(process, 200) == "ready\n"


def test_a_bridge_may_be_declared_not_to_matter() -> None:
    with RouterProcess(with_redis(1, ready_without=["bridges"])) as process:
        assert status_becomes(process, 200) == "ready\n"


def test_a_store_that_goes_and_comes_back(tmp_path: Path) -> None:
    database = tmp_path / "tokens.sqlite3"
    document = static_configuration()
    document["realms"][0]["store"] = {"type": "sqlite", "path": str(database)}
    document["realms"][0]["authentication"]["ticket"] = {"role": "member"}
    with RouterProcess({**document, "admin": {"endpoint": ENDPOINT}}) as process:
        told = status_becomes(process, 503)
        assert told == "not ready\nrealm realm1: its token store (sqlite) does not answer\n"
        assert str(database) not in told


def test_who_asks_while_it_starts_is_told_so() -> None:
    # The stores are waited for: what listens for operators does so before them.
    document = static_configuration()
    document["realms"][0]["store"] = {
        "type": "postgres",
        "dsn": "host=127.0.0.1 port=1 dbname=x user=x password=not-to-be-told",
        "timeout_seconds": 5.0,
    }
    document["realms"][0]["authentication"]["ticket"] = {"role": "member"}
    process = RouterProcess({**document, "admin": {"endpoint": ENDPOINT}})
    try:
        process.launch()
        process.wait_for_log("operators are served on")
        answer = fetch(admin_port(process), "/health/ready")
        assert (answer.status, answer.text) == (503, "starting\nit is starting and does not listen yet\n")
        assert "not-to-be-told" not in process.log()
    finally:
        process.stop()
