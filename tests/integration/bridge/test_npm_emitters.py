"""npm's real socket.io-emitter, versions 1 to 3, through a real Redis."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from wampgate.bridge.dialects.socketio_emitter import SocketIoEmitterRule

VERSIONS = ("1.1.0", "2.0.0", "3.2.0")
PACKAGES = {f"emitter-{version}": f"npm:socket.io-emitter@{version}" for version in VERSIONS}
SCRIPT = """
const [version, port] = process.argv.slice(1);
const emitter = require('emitter-' + version)({host: '127.0.0.1', port: Number(port)});
const blob = Buffer.from([1, 2, 3, 255]);
emitter.in('organization.7').emit('news', {data: 'hi'});
emitter.to('organization.7').to('organization.8').emit('news', 'both');
emitter.in('organization.7').volatile.emit('news', blob, 'x'.repeat(300), 1.5, null, ['ü', -7, 70000]);
emitter.of('/chat').in('organization.7').emit('news', 'another namespace');
emitter.in('user.1').emit('news', 'another room');
emitter.emit('news', 'no room');
emitter.in('organization.7').emit('last');
emitter.redis.quit();
"""


@pytest.fixture(scope="module")
def packages() -> Path:
    """A folder with the packages; skips, loudly, where they can't be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("NO REAL SOCKET.IO EMITTER WAS TESTED: node and npm are not on PATH")
    folder = Path(tempfile.gettempdir()) / f"wampgate-emitters-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to someone else: remove it, or set TMPDIR to another folder")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(folder)
    return folder


def _install(folder: Path) -> None:
    wanted = json.dumps({"private": True, "dependencies": PACKAGES})
    done = folder / "installed.json"
    if done.exists() and done.read_text() == wanted:
        return
    (folder / "package.json").write_text(wanted)
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"]
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if made.returncode != 0:
        pytest.skip(f"NO REAL SOCKET.IO EMITTER WAS TESTED: npm could not install them: {made.stderr[-500:]}")
    done.write_text(wanted)


@pytest.mark.parametrize("version", VERSIONS)
@pytest_twisted.ensureDeferred
async def test_emitter(version: str, packages: Path, harness: Any) -> None:
    server = harness.server()
    bridge = await harness.reading(server.url, SocketIoEmitterRule())
    run = await harness.in_thread(
        lambda: subprocess.run(
            ["node", "-e", SCRIPT, version, str(server.port)],
            cwd=packages,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    )
    assert run.returncode == 0, run.stderr
    await harness.eventually(lambda: ("organization.7", ["last"], {}) in harness.events.published)
    blob = b"\x01\x02\x03\xff"
    assert harness.events.published == [
        ("organization.7", ["news", {"data": "hi"}], {}),
        ("organization.7", ["news", "both"], {}),
        ("organization.8", ["news", "both"], {}),
        ("organization.7", ["news", blob, "x" * 300, 1.5, None, ["ü", -7, 70000]], {}),
        ("organization.7", ["last"], {}),
    ]
    assert bridge.counters["no_room"] == 1
    assert bridge.counters["undecodable"] == 0
