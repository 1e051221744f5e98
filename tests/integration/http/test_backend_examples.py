"""The examples that publish over HTTP, run as their comments say against the demo, wherever their runtime is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from raw_wamp import Peer

if TYPE_CHECKING:
    from router_process import RouterProcess

EXAMPLES = Path(__file__).parents[3] / "examples"

COMMANDS = {
    "curl": ["sh", str(EXAMPLES / "curl" / "publish.sh")],
    "php": ["php", str(EXAMPLES / "php" / "publish_http.php")],
    "node": ["node", str(EXAMPLES / "node" / "publish_http.mjs")],
    "python3": [sys.executable, str(EXAMPLES / "python" / "publish_http.py")],
}


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(name) is None:
        pytest.skip(f"there is no {name}: its example of HTTP did not run")
    return subprocess.run([*COMMANDS[name], *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_it_publishes(demo: RouterProcess, name: str) -> None:
    tokens = demo.tokens()
    with Peer(demo.port).join(tokens["alice"]) as alice:
        alice.subscribe("organization.7")
        done = run(name, f"http://127.0.0.1:{demo.port}", tokens["backend"], "7", "grüße")
        assert done.returncode == 0, done.stdout + done.stderr
        event = alice.event()
        assert event[4] == ["grüße"]
        assert re.findall(r"\d+", done.stdout) == [str(event[2])]


@pytest.mark.parametrize("name", COMMANDS)
def test_it_says_why_not(demo: RouterProcess, name: str) -> None:
    tokens = demo.tokens()
    for token, why in ((tokens["alice"], "this session may not publish organization.7"), ("x", "the token is not")):
        done = run(name, f"http://127.0.0.1:{demo.port}", token, "7", "news")
        assert done.returncode != 0
        assert why in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert token not in done.stderr or token == "x"


@pytest.mark.parametrize("name", COMMANDS)
def test_it_says_how_to_use_it(name: str) -> None:
    done = run(name)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("usage: ")


def test_curl_may_be_run_again_with_its_key(demo: RouterProcess) -> None:
    tokens = demo.tokens()
    arguments = (f"http://127.0.0.1:{demo.port}", tokens["backend"], "7", "once", "the key of this test")
    first, second = run("curl", *arguments), run("curl", *arguments)
    assert first.stdout == second.stdout
    assert "publication" in first.stdout
