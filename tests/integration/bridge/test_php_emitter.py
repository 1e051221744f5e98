"""socket.io's PHP emitter, as Composer brings it, through a real Redis: the example, and what else it can."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from wampgate.bridge.dialects.socketio_emitter import SocketIoEmitterRule

EXAMPLE = Path(__file__).parents[3] / "examples/php/emit_news.php"
UNTESTED = "THE PHP EMITTER WAS NOT TESTED"
INSTALL_SECONDS = 120
MORE = """<?php
require __DIR__ . '/vendor/autoload.php';
$emitter = new SocketIO\\Emitter(['host' => '127.0.0.1', 'port' => getenv('REDIS_PORT')]);
$emitter->in('organization.7')->in('organization.8')->emit('news', 'both');
$emitter->in('organization.7')->emit('news', str_repeat('x', 300), 1.5, null, ['ü', -7, 70000], ['a' => ['b' => true]]);
$emitter->of('/chat')->in('organization.7')->emit('news', 'another namespace');
$emitter->in('user.1')->emit('news', 'another room');
$emitter->emit('news', 'no room');
$emitter->in('organization.7')->emit('last');
"""
EVENTS = [
    ("organization.7", ["news", "both"], {}),
    ("organization.8", ["news", "both"], {}),
    ("organization.7", ["news", "x" * 300, 1.5, None, ["ü", -7, 70000], {"a": {"b": True}}], {}),
    ("organization.7", ["last"], {}),
]


@pytest.fixture(scope="module")
def folder() -> Path:
    """A folder with the example and what its own text has Composer fetch; skips, loudly, where that can't be had."""
    if shutil.which("php") is None or shutil.which("composer") is None:
        pytest.skip(f"{UNTESTED}: php and composer are not on PATH")
    folder = Path(tempfile.gettempdir()) / f"wampgate-composer-emitter-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to someone else: remove it, or set TMPDIR to another folder")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (package,) = re.findall(r"composer require (\S+)", EXAMPLE.read_text())
        if not (folder / "vendor/autoload.php").exists():
            fetch(folder, package)
        shutil.copy(EXAMPLE, folder)
        (folder / "more.php").write_text(MORE)
    return folder


def fetch(folder: Path, package: str) -> None:
    command = ["composer", "require", "--no-interaction", "--no-audit", package]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{UNTESTED}: composer took too long")
    if done.returncode:
        pytest.skip(f"{UNTESTED}: composer could not fetch it: {done.stderr.strip().splitlines()[:1]}")


def run(script: Path, port: int, *arguments: str) -> None:
    environ = {**os.environ, "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port)}
    command = ["php", str(script), *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest_twisted.ensureDeferred
async def test_the_example(folder: Path, harness: Any) -> None:
    server = harness.server()
    await harness.reading(server.url, SocketIoEmitterRule())
    await harness.in_thread(run, folder / EXAMPLE.name, server.port, "7", "Größe: 1.50")
    assert await harness.published() == [("organization.7", ["news", {"data": "Größe: 1.50"}], {})]


@pytest_twisted.ensureDeferred
async def test_what_the_emitter_can(folder: Path, harness: Any) -> None:
    server = harness.server()
    bridge = await harness.reading(server.url, SocketIoEmitterRule())
    await harness.in_thread(run, folder / "more.php", server.port)
    await harness.eventually(lambda: EVENTS[-1] in harness.events.published)
    assert harness.events.published == EVENTS
    kinds = ("other_namespace", "room_mismatch", "no_room", "undecodable")
    assert [bridge.counters[kind] for kind in kinds] == [1, 1, 1, 0]
