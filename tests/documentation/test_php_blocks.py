"""PHP on the pages: what socket.io's emitter writes to Redis arrives on the channel that the rule reads."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from documentation.elsewhere import left
from integration.bridge.test_php_emitter import folder  # noqa: F401 - a fixture is found by its name
from redis_server import RedisServer

if TYPE_CHECKING:
    from pathlib import Path

    from documentation.blocks import Block

BEGIN = """<?php
require __DIR__ . '/vendor/autoload.php';
$emitter = new SocketIO\\Emitter(['host' => getenv('REDIS_HOST'), 'port' => getenv('REDIS_PORT')]);
"""


@pytest.mark.skipif(shutil.which("php") is None, reason="THE PHP BLOCKS WERE NOT READ: there is no php")
@pytest.mark.parametrize("block", left("php"), ids=lambda block: block.where)
def test_php_can_read_it(block: Block) -> None:
    done = subprocess.run(
        ["php", "-l"], input=BEGIN + block.text, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("block", left("php"), ids=lambda block: block.where)
def test_it_emits(request: pytest.FixtureRequest, block: Block) -> None:
    composed: Path = request.getfixturevalue("folder")
    redis = pytest.importorskip("redis", reason="THE PHP BLOCKS WERE NOT RUN: the package redis is missing")
    with RedisServer() as server:
        listener = redis.Redis(port=server.port).pubsub(ignore_subscribe_messages=True)
        listener.psubscribe("socket.io#*")
        listener.get_message(timeout=5)
        program = composed / f"block-{os.getpid()}.php"
        program.write_text(BEGIN + block.text)
        environ = {**os.environ, "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(server.port)}
        done = subprocess.run(["php", program], env=environ, capture_output=True, text=True, timeout=30, check=False)
        program.unlink()
        assert done.returncode == 0, done.stdout + done.stderr
        message = listener.get_message(timeout=5)
        assert message is not None
        assert b"organization.7" in message["data"] + message["channel"]
        listener.close()
