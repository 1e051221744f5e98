"""The router says why it should be given no new clients: a bridge without its Redis, and nothing once that is there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from conftest import static_configuration
from integration.router.served import Served
from redis_server import RedisServer

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
            assert served.inside(served.service.ready) == ["bridge news is not ready"]
            server.start()
            deadline = time.monotonic() + 5
            while served.inside(served.service.ready) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert served.inside(served.service.ready) == []
            server.kill()
            time.sleep(0.3)
            assert served.inside(served.service.ready) == ["bridge news is not ready"]
