"""Python and JavaScript on the pages, run as clients of a real router: whole programs, and parts of one."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from textwrap import indent
from typing import TYPE_CHECKING

import pytest
from clients.node.autobahn_js import environment
from documentation.blocks import TOP
from documentation.elsewhere import left
from documentation.open_router import TOKEN, open_router, publish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from documentation.blocks import Block
    from router_process import RouterProcess

PAGE = TOP / "wampgate" / "http" / "page"
SECONDS = 20.0
DONE = "the block is through"
COMPONENT = """
from autobahn.twisted.component import Component, run
component = Component(
    transports="{url}", realm="realm1", authentication={{"ticket": {{"authid": "alice", "ticket": "{token}"}}}}
)
"""
NODE = """
import {{ createRequire }} from "node:module";
import {{ connect as connectTo }} from "{page}/wamp.js";
globalThis.WebSocket ??= createRequire(process.env.NPM_FOLDER)("ws").WebSocket;
const token = "{token}", show = console.log, fetchAgain = console.log;
"""
JOINED = """
const another = connectTo({{ url: "{url}", realm: "realm1", ticket: "{token}-too" }});
const id = await new Promise((known) => another.addEventListener("joined", ({{ detail }}) => known(detail.session)));
const session = connectTo({{ url: "{url}", realm: "realm1", ticket: token }});
await session.joined();
"""


@pytest.fixture(scope="module")
def router() -> Iterator[RouterProcess]:
    with open_router() as process:
        yield process


def python_program(text: str, url: str) -> tuple[str, bool]:
    """A block as a program, and whether it is one that listens to organization 7."""
    if text.startswith("from autobahn"):
        token = f"token = {TOKEN!r}\n"
        return token + re.sub(r"wss?://[\w.:]+/ws", url, text), True
    if "@component.on_join" not in text:
        text = f"@component.on_join\nasync def joined(session, details):\n{indent(text, '    ')}"
    begin = COMPONENT.format(url=url, token=TOKEN)
    return f"{begin}\n{text.rstrip()}\n    print({DONE!r})\n\n\nrun([component])\n", False


def node_program(text: str, url: str) -> tuple[str, bool]:
    """The same for JavaScript."""
    begin = NODE.format(page=PAGE.as_uri(), token=TOKEN)
    text = re.sub(r"=> …", "=> {}", re.sub(r"wss?://[\w.:]+/ws", url, text))
    if "import " in text:
        return begin + text.replace('from "./', f'from "{PAGE.as_uri()}/'), True
    end = f"setTimeout(() => (console.log({DONE!r}), process.exit(0)), 300);\n"
    return begin + JOINED.format(url=url, token=TOKEN) + text + end, False


def run_until_through(command: list[str], router: RouterProcess, folder: Path, *, listens: bool) -> None:
    """Run a program until it has shown an event, or that it is through."""
    output = folder / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment(), cwd=folder)
        try:
            deadline = time.monotonic() + SECONDS
            while ("some news" if listens else DONE) not in output.read_text():
                assert time.monotonic() < deadline, output.read_text()
                assert process.poll() is None or not listens, output.read_text()
                if listens:
                    publish(router, ["news"], {"text": "some news"})
                elif process.poll() is not None:
                    assert DONE in output.read_text(), output.read_text()
                time.sleep(0.1)
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("block", left("python"), ids=lambda block: block.where)
def test_python(router: RouterProcess, tmp_path: Path, block: Block) -> None:
    program, listens = python_program(block.text, f"ws://127.0.0.1:{router.port}/ws")
    (tmp_path / "program.py").write_text(program)
    run_until_through([sys.executable, "-u", "program.py"], router, tmp_path, listens=listens)


@pytest.mark.parametrize("block", left("js", "javascript"), ids=lambda block: block.where)
def test_javascript(router: RouterProcess, tmp_path: Path, block: Block) -> None:
    program, listens = node_program(block.text, f"ws://127.0.0.1:{router.port}/ws")
    (tmp_path / "program.mjs").write_text(program)
    run_until_through(["node", "program.mjs"], router, tmp_path, listens=listens)
