"""docs/clients.md: every block is run as it stands, against the demo; the Python ones are the examples."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from clients.node.autobahn_js import environment
from clients.test_examples import wait_for
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

TREE = Path(__file__).parents[3]
PAGE = TREE / "wampgate" / "http" / "page"
EXAMPLES = TREE / "examples" / "python"
TEXT = (TREE / "docs" / "clients.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
SCRIPTS = re.findall(r"```js\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def router() -> Iterator[RouterProcess]:
    with RouterProcess() as process:
        yield process


def shows_news(command: list[str], router: RouterProcess, folder: Path, environ: dict[str, str] | None = None) -> None:
    """Run a program until it shows what the demo's backend publishes."""
    output = folder / "output"
    url = f"ws://127.0.0.1:{router.port}/ws"
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environ)
        try:
            wait_for(output, "up to date")
            publisher = [sys.executable, str(EXAMPLES / "publish.py"), url, "backend", router.tokens()["backend"]]
            done = subprocess.run(
                [*publisher, "7", "some news"], capture_output=True, text=True, timeout=30, check=False
            )
            assert "published as" in done.stdout, done.stdout + done.stderr
            wait_for(output, "some news")
        finally:
            process.kill()
            process.wait()


def test_the_python_blocks_are_the_examples() -> None:
    assert [(EXAMPLES / name).read_text() for name in ("staying.py", "staying_twisted.py")] == PYTHON


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_python(router: RouterProcess, tmp_path: Path, number: int) -> None:
    token = router.tokens()["alice"]
    if "token_file" in PYTHON[number]:
        (tmp_path / "token").write_text(f"{token}\n")
        token = str(tmp_path / "token")
    program = tmp_path / "program.py"
    program.write_text(PYTHON[number])
    shows_news([sys.executable, "-u", str(program), f"ws://127.0.0.1:{router.port}/ws", token, "7"], router, tmp_path)


@pytest.mark.parametrize("number", range(len(SCRIPTS)))
def test_javascript(router: RouterProcess, tmp_path: Path, number: int) -> None:
    script = SCRIPTS[number].replace("wss://news.example.org/ws", f"ws://127.0.0.1:{router.port}/ws")
    script = script.replace("the-token", router.tokens()["alice"]).replace('from "./', f'from "{PAGE.as_uri()}/')
    # Node 20 has no WebSocket of its own; a page loads autobahn-js by a classic script.
    begin = """import { createRequire } from "node:module";
const require = createRequire(process.env.NPM_FOLDER);
globalThis.WebSocket ??= require("ws").WebSocket;
globalThis.autobahn = require("autobahn");
"""
    (tmp_path / "program.mjs").write_text(f'{begin}{script}console.log("up to date");\n')
    shows_news(["node", str(tmp_path / "program.mjs")], router, tmp_path, environment())


def test_whoever_is_not_let_in_is_told_in_one_line(router: RouterProcess, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("wrong")
    command = [
        sys.executable,
        str(EXAMPLES / "staying.py"),
        f"ws://127.0.0.1:{router.port}/ws",
        str(tmp_path / "token"),
    ]
    done = subprocess.run([*command, "7"], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "not let in: the token is not accepted (wamp.error.authentication_denied)" in done.stderr
    assert "Traceback" not in done.stderr
