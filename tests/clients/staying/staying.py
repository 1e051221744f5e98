"""For the tests of clients that stay: a router that keeps a history, tokens in a store, and a client in a process."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from clients.node.autobahn_js import environment
from conftest import principal, rule, static_configuration, ticket_of
from integration.revocation.rights import SqliteRows, token_of
from raw_wamp import Peer
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_server import RedisServer

PYTHON = ("asyncio", "twisted")
HERE = Path(__file__).parent
USER = "anna"
Line = list[Any]


class Place:
    """A router on a SQLite store, with a history in Redis and without one below ``organization.9``. A context manager.

    Args:
        redis: where the history is kept.
        more: for router.json.
    """

    def __init__(self, redis: RedisServer, **more: Any) -> None:
        redis.command("FLUSHALL")
        self._folder = tempfile.TemporaryDirectory(prefix="wampgate-staying-")
        self.rows = SqliteRows(self._folder.name)
        for organization in ("7", "9"):
            self.rows.add_member(organization, USER)
        self.rows.add_token(token_of(USER), USER)
        kept = {"store": "redis", "count": 5000, "bytes": 2**24}
        realm = {
            "name": "realm1",
            "store": self.rows.configuration(),
            "authentication": {"ticket": {"role": "member"}, "principals": [principal("backend", "backend")]},
            "authorization": {"rules": [rule("backend", ["publish"], "organization.", "prefix")]},
            "topics": [
                {"uri": "organization.7", "match": "prefix", "history": kept},
                {"uri": "organization.7.slow", "history": kept, "slow_readers": "drop"},
            ],
            "history": {"stores": [{"type": "redis", "url": redis.url, "state_folder": "var"}]},
        }
        self.router = RouterProcess(static_configuration(realms=[realm], **more))

    def __enter__(self) -> Self:
        self.router.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self.router.__exit__(*exception)
        self._folder.cleanup()

    def restart(self) -> None:
        self.router.stop()
        self.router.start()

    def publish(self, topic: str, /, *texts: Any, **kwargs: Any) -> None:
        """As the backend, each acknowledged."""
        with Peer(self.router.port) as backend:
            backend.join(ticket_of("backend"), authid="backend")
            for text in texts:
                backend.publish(topic, [text], kwargs)


class Staying:
    """A process that runs ``staying_client.py`` or ``staying_client.mjs``. A context manager.

    Args:
        framework: ``asyncio``, ``twisted``, ``autobahn-js`` or ``wamp.js``.
        port: of the router.
        token: the token for good; without one, it is read from ``token_file`` whenever one is wanted.
        settings: more arguments of ``connect``.
        count: how many sessions it opens.
        url: where, if not the router's port of 127.0.0.1.
    """

    def __init__(
        self,
        framework: str,
        port: int,
        *,
        token: str | None = None,
        settings: dict[str, Any] | None = None,
        count: int = 1,
        url: str | None = None,
    ) -> None:
        self._framework = framework
        self._folder = tempfile.TemporaryDirectory(prefix="wampgate-token-")
        self.token_file = Path(self._folder.name) / "token"
        self.show(token_of(USER))
        settings = {"first": 0.3, "longest": 2.0} | (settings or {})
        self._environment = {
            "FRAMEWORK": framework,
            "URL": url or f"ws://127.0.0.1:{port}/ws",
            "TOKEN_FILE": str(self.token_file),
            "SETTINGS": json.dumps(settings),
            "COUNT": str(count),
            **({"TOKEN": token} if token else {}),
        }
        self.lines: list[Line] = []
        self._queue: queue.Queue[Line] = queue.Queue()
        self._commands = 0

    def __enter__(self) -> Self:
        self._errors = (Path(self._folder.name) / "errors").open("w+")
        self._process = subprocess.Popen(
            self._command(),
            env=environment(**self._environment) if self._framework not in PYTHON else os.environ | self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._thread.join(5)
        self._errors.close()
        self._folder.cleanup()

    def _command(self) -> list[str]:
        if self._framework not in PYTHON:
            return ["node", str(HERE / "staying_client.mjs")]
        options = ["-u", "-X", "dev", "-W", "ignore::DeprecationWarning"]
        return [sys.executable, *options, str(HERE / "staying_client.py")]

    def _follow(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            # autobahn-js itself prints what it does as well.
            if line.startswith("["):
                self._queue.put(json.loads(line))

    def freeze(self) -> None:
        """It takes no part in anything, until it is thawed."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def show(self, token: str) -> None:
        """The token that is fetched from now on."""
        self.token_file.with_suffix(".new").write_text(token)
        self.token_file.with_suffix(".new").replace(self.token_file)

    def errors(self) -> str:
        """What it wrote to standard error."""
        self._errors.flush()
        return (Path(self._folder.name) / "errors").read_text()

    def ask(self, *command: Any) -> None:
        """Give a command, without waiting for its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(command)}\n")
        self._process.stdin.flush()
        self._commands += 1

    def do(self, *command: Any, seconds: float = 15) -> Any:
        """Give a command: its result, or ``["refused", error, text]``."""
        self.ask(*command)
        number = self._commands - 1
        self.wait(lambda lines: any(line[0] in ("answer", "refused") and line[1] == number for line in lines), seconds)
        line = next(line for line in self.lines if line[0] in ("answer", "refused") and line[1] == number)
        return line[2] if line[0] == "answer" else ["refused", *line[2:]]

    def wait(self, holds: Callable[[list[Line]], bool], seconds: float = 15) -> None:
        """Until what it has said is enough."""
        deadline = time.monotonic() + seconds
        while not holds(self.lines):
            left = deadline - time.monotonic()
            assert left > 0, f"{self.lines[-20:]}\n{self.errors()}"
            try:
                self.lines.append(self._queue.get(timeout=min(left, 0.1)))
            except queue.Empty:
                continue

    def wait_for(self, *begin: Any, count: int = 1, seconds: float = 15) -> Line:
        """The newest of so many lines that begin with something."""
        self.wait(lambda _: len(self.said(*begin)) >= count, seconds)
        return self.said(*begin)[-1]

    def said(self, *begin: Any) -> list[Line]:
        """The lines that begin with something."""
        return [line for line in self.lines if line[: len(begin)] == list(begin)]

    def settle(self, seconds: float = 0.5) -> None:
        """Take what comes within a time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                self.lines.append(self._queue.get(timeout=left))
            except queue.Empty:
                return

    def ended(self, seconds: float = 10) -> int:
        """Its exit status."""
        status = self._process.wait(seconds)
        self._thread.join(5)
        self.settle(0.05)
        return status
