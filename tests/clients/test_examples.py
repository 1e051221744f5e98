"""The examples in Python and Node, run as their comments say, against the demo."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from router_process import RouterProcess

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def demo():
    """A demo router: its WebSocket URL and its tokens."""
    with RouterProcess() as router:
        tokens = json.loads((router.folder / "var" / "demo-tokens.json").read_text())
        yield f"ws://127.0.0.1:{router.port}/ws", tokens


def wait_for(path, text, seconds=20.0):
    until = time.monotonic() + seconds
    while text not in path.read_text():
        assert time.monotonic() < until, f"{text!r} did not come; got: {path.read_text()}"
        time.sleep(0.05)


def exchange(subscriber, publisher, listens, arrives, folder):
    """Start a subscriber, run a publisher once it listens, and wait for what it published."""
    output = folder / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(subscriber, stdout=file, stderr=subprocess.STDOUT)
        try:
            wait_for(output, listens)
            done = subprocess.run(publisher, capture_output=True, text=True, timeout=30, check=False)
            assert "published as" in done.stdout, done.stdout + done.stderr
            wait_for(output, arrives)
        finally:
            process.kill()
            process.wait()


def test_python(demo, tmp_path):
    url, tokens = demo
    folder = EXAMPLES / "python"
    exchange(
        [sys.executable, folder / "subscribe.py", url, "alice", tokens["alice"], "7"],
        [sys.executable, folder / "publish.py", url, "backend", tokens["backend"], "7", "hello from Python"],
        "alice listens to organization.7",
        "('hello from Python',)",
        tmp_path,
    )


@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm: the Node examples did not run")
def test_node(demo, tmp_path):
    url, tokens = demo
    subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save", "autobahn@22", "ws@8"],
        cwd=tmp_path,
        check=True,
        timeout=180,
    )
    for name in ("subscribe.js", "publish.js"):
        shutil.copy(EXAMPLES / "node" / name, tmp_path)
    exchange(
        ["node", tmp_path / "subscribe.js", url, tokens["alice"], "7"],
        ["node", tmp_path / "publish.js", url, tokens["backend"], "7", "hello from Node"],
        "alice listens to organization.7",
        '{"args":["hello from Node"],"kwargs":{}}',
        tmp_path,
    )
