"""A page in a real Chromium, opened and looked at from a test."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Self

from clients.browser.npm_packages import chromium, installed

_SCRIPT = Path(__file__).parent / "page_watcher.mjs"


class WatchedPage:
    """A browser with one page at a time. A context manager; skips, loudly, where there is no browser."""

    def __init__(self) -> None:
        environ = {**os.environ, "NPM_FOLDER": f"{installed()}/", "CHROMIUM": chromium()}
        self._process = subprocess.Popen(
            ["node", str(_SCRIPT)], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)

    def ask(self, act: str, **asked: str) -> Any:
        """Do one of the acts of page_watcher.mjs; what it answers.

        Raises:
            AssertionError: it could not be done in time; the text says what the page shows.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps({'act': act, **asked})}\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["result"]
