"""The router says why it should be given no new clients: a bridge without its Redis, and nothing once that is there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from conftest import static_configuration
from integration.router.served import Served
from redis_server import RedisServer

from wampgate.observation.health import health_of

if TYPE_CHECKING:
    from pathlib import Path


def test_a_bridge_without_its_redis(tmp_path: Path) -> None:
    with RedisServer() as server:
        server.stop()
        bridge = {
            "type": "redis",
            "name": "news",
            "url": server.url,
            "ping_seconds": 0.5,
            "rules": [{"dialect": "plain", "channel": "news", "topic": "news"}],
            "out": [{"topic": "orders", "channel": "orders"}],
        }
        document: Any = static_configuration()
        document["realms"][0]["bridges"] = [bridge]
        with Served(tmp_path, document) as served:

            def reasons() -> list[str]:
                return served.inside(lambda: health_of(served.service.parts).reasons)

            assert reasons() == ["realm realm1: bridge news (redis) is not ready"]
            server.start()
            deadline = time.monotonic() + 5
            while reasons() and time.monotonic() < deadline:
                time.sleep(0.05)
            assert reasons() == []
            server.kill()
            time.sleep(0.3)
            assert reasons() == ["realm realm1: bridge news (redis) is not ready"]
