"""The commands on a terminal: colours, prompts, live screens, and no escape sequence of a stranger's."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from typing import TYPE_CHECKING, Any, Self

import pytest
from conftest import ticket_of
from integration.commands.online_router import COMMAND, environment, wampgate
from raw_wamp import random_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Peer
    from router_process import RouterProcess

OWN = re.compile(
    r"\x1b\[[0-9;]*m|\x1b\[\?(?:25|1049)[hl]|\x1b\[H|\x1b\[J|\x1b\[2J|\x1b\[[0-9]*[AGK]|\x1b\[[0-9;]+H|[\r\n]"
)
"""What the commands themselves send to a terminal: colours, and drawing a screen anew."""


class Terminal:
    """A command on a terminal of 120 columns. A context manager."""

    def __init__(self, router: RouterProcess, *arguments: str, who: str | None = "alice", **environ: str) -> None:
        self.shown = ""
        self._own, theirs = pty.openpty()
        os.set_blocking(self._own, False)
        more = {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"} | environ
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(router, who, **more),
            cwd="/",
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._own)

    def until(self, words: str) -> str:
        """All that it has shown, once these words are among it."""
        end = time.monotonic() + 20
        while words not in self.shown:
            assert time.monotonic() < end, self.shown
            self._read(0.2)
        return self.shown

    def type(self, text: str) -> None:
        os.write(self._own, text.encode())

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        end = time.monotonic() + 20
        while self.process.poll() is None and time.monotonic() < end:
            self._read(0.05)
        self._read(0.0)
        return self.process.wait(1)

    def _read(self, seconds: float) -> None:
        ready, _, _ = select.select([self._own], [], [], seconds)
        try:
            self.shown += os.read(self._own, 1 << 16).decode() if ready else ""
        except OSError:
            time.sleep(0.01)


@pytest.fixture
def topic() -> str:
    return random_name()


def test_colours(online: RouterProcess, topic: str) -> None:
    with Terminal(online, "tail", topic, "--count", "1") as tail:
        tail.until("listening")
        wampgate(online, "publish", topic, "hello")
        assert f"\x1b[36m{topic}\x1b[0m" in tail.until("hello")
        assert tail.wait() == 0
    with Terminal(online, "tail", topic, "--count", "1", NO_COLOR="1") as tail:
        tail.until("listening")
        wampgate(online, "publish", topic, "hello")
        assert "\x1b" not in tail.until("hello")


def test_control_c(online: RouterProcess, topic: str) -> None:
    with Terminal(online, "tail", topic) as tail:
        tail.until("listening")
        tail.process.send_signal(2)
        assert tail.wait() == 130
        assert "Traceback" not in tail.shown


def test_the_token_is_asked_for_and_not_shown(online: RouterProcess, topic: str) -> None:
    with Terminal(online, "publish", topic, who=None) as publish:
        publish.until("Token for ws://127.0.0.1:")
        publish.type(ticket_of("alice") + "\n")
        assert publish.wait() == 0
        assert ticket_of("alice") not in publish.shown


def test_kick_asks(online: RouterProcess, join: Callable[..., Peer]) -> None:
    carol = join("carol", process=online, ticket=ticket_of("carol"))
    for answer, status in (("n", 130), ("y", 0)):
        with Terminal(online, "kick", "--authid", "carol", who="operator") as kick:
            assert "End all sessions of authid carol" in kick.until("[y/N]")
            kick.type(answer + "\n")
            assert kick.wait() == status
    assert carol.receive()[0] == 6


def test_top_draws_a_screen(online: RouterProcess, join: Callable[..., Peer]) -> None:
    join("bob", process=online, ticket=ticket_of("bob"))
    with Terminal(online, "top", "--every", "0.3", who="operator") as top:
        top.until("publications")
        assert "bob" in top.until("bob")
        top.process.send_signal(2)
        assert top.wait() == 130
        assert top.shown.rstrip().endswith("\x1b[?25h") or "\x1b[?1049l" in top.shown
        assert "Traceback" not in top.shown


def test_nothing_of_a_strangers_text_reaches_a_terminal(
    online: RouterProcess, topic: str, join: Callable[..., Peer]
) -> None:
    nasty = "\x1b]0;title\x07\x9b2J\u202e\x1b[8m[bold]x[/bold]"
    bob: Any = join("bob", process=online, ticket=ticket_of("bob"))
    with Terminal(online, "tail", f"{topic}.", "--match", "prefix", "--count", "1") as tail:
        tail.until("listening")
        bob.publish(f"{topic}.[red]\u202e", [nasty], {nasty: nasty})
        assert tail.wait() == 0
        left = OWN.sub("", tail.shown)
    assert left.isprintable()
    assert "[bold]x[/bold]" in left
    assert "\x1b[8m" not in tail.shown
