"""The examples in the commands' own help, which docs/reference/commands.md repeats, run beside the demo."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from documentation.blocks import blocks_of
from documentation.terminal import Terminal
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = "docs/reference/commands.md"
EXAMPLES: Final = sorted(
    {
        line.partition(": ")[2].strip() if line.startswith(("bash:", "zsh:", "fish:")) else line
        for block in blocks_of(PAGE)
        if block.language == "text"
        for line in block.text.splitlines()
    }
)
WHO: Final = {"publish": "backend", "tail": "alice", "subscribe": "alice"}
"""Whose token a command shows; all others show the operator's."""
SECONDS: Final = 5
GOES_ON: Final = 124
"""What timeout says of a command that went on until it was ended."""
REFUSED: Final = {
    "wampgate call com.example.add 2 3": "status 4",
    "wampgate tail organization.7. --match prefix --history 20": "this router keeps no history",
}
"""What the demo has not: nobody may call that there, and no topic has a history."""


@pytest.fixture(scope="module")
def router() -> Iterator[RouterProcess]:
    with RouterProcess(arguments=["--admin-port", "0"]) as process:
        yield process


def environment(router: RouterProcess, who: str) -> dict[str, str]:
    """What a user has exported before: which router, and a token."""
    return {"WAMPGATE_URL": f"ws://127.0.0.1:{router.port}/ws", "WAMPGATE_TOKEN": router.tokens()[who]}


def command_of(example: str) -> str:
    """What is typed: without the file that a completion goes to; ``kick`` has nobody here whom it could ask."""
    typed = example.partition(" > ")[0]
    return f"{typed} --yes" if typed.startswith("wampgate kick") else typed


@pytest.mark.parametrize("example", EXAMPLES)
def test_it_runs(router: RouterProcess, tmp_path: Path, example: str) -> None:
    (tmp_path / "news.json").write_text('{"news": ["one", {"text": "two"}]}')
    name = example.partition("wampgate ")[2].split()[0]
    environ = environment(router, WHO.get(name, "operator"))
    with Terminal(tmp_path, environment(router, "alice")) as someone, Terminal(tmp_path, environ) as terminal:
        if name == "kick":
            _come(someone)
        (tmp_path / "example.sh").write_text(f"set -o pipefail\n{command_of(example)}\n")
        said = terminal.run(f"timeout {SECONDS} bash example.sh </dev/null || echo status $?")
    status = int(said.rpartition("status ")[2]) if "status " in said else 0
    if example in REFUSED:
        assert REFUSED[example] in said
    else:
        assert status in (0, GOES_ON), said
    assert "Traceback" not in said


def _come(terminal: Terminal) -> None:
    """Be alice, who is in organization 7."""
    terminal.run("wampgate tail organization.7 2>came &")
    deadline = time.monotonic() + 10
    while "listening" not in terminal.run("cat came || true"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_help_shows_them() -> None:
    """The page is made of the helps; here is one of them, as the command itself prints it."""
    command = Path(sys.executable).with_name("wampgate")
    done = subprocess.run([command, "log", "level", "--help"], capture_output=True, text=True, check=True)
    assert any(example in done.stdout for example in EXAMPLES if example.startswith("wampgate log"))
