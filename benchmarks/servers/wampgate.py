"""wampgate itself: the real daemon, with a token store, tickets, authorization and limits as in production."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import sys
import time
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.servers import processes
from benchmarks.servers.interface import Credentials, Running

if TYPE_CHECKING:
    import subprocess

_REALM: Final = "realm1"
_USER: Final = "bench"
_ORGANIZATION: Final = "bench"
_BACKEND: Final = "backend"
_STORE: Final = "tokens.sqlite3"
_TOKEN_SECONDS: Final = 86_400
_CHECKOUT: Final = Path(__file__).parents[2]
# The same as bin/twistd, which need not be on the path.
_TWISTD: Final = "from twisted.scripts.twistd import run; run()"


class Wampgate:
    """The daemon of this checkout, run by the Python that runs the benchmark."""

    name = "wampgate"

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def lacks(self) -> str | None:
        """Nothing: it is here."""
        return None

    def start(self, folder: Path, redis_port: int | None = None) -> Running:
        """Write its store and its configuration, and start it in the foreground."""
        port = processes.free_port()
        user = Credentials(_USER, secrets.token_urlsafe(32))
        backend = Credentials(_BACKEND, secrets.token_urlsafe(32))
        _fill_store(folder / _STORE, user)
        (folder / "router.json").write_text(json.dumps(_configuration(port, backend, redis_port), indent=2))
        command = [sys.executable, "-c", _TWISTD, "--nodaemon", "--pidfile=", "wampgate", "--config", "router.json"]
        path = os.pathsep.join(filter(None, (str(_CHECKOUT), os.environ.get("PYTHONPATH"))))
        self._process = processes.start(command, folder, {**os.environ, "PYTHONPATH": path})
        processes.wait_for_port(self._process, port, folder)
        return Running(port, "/ws", _REALM, processes.family(self._process.pid), user, backend)

    def stop(self) -> None:
        """End it as an operator would, by SIGTERM."""
        if self._process is not None:
            processes.stop(self._process)
            self._process = None


def _fill_store(path: Path, user: Credentials) -> None:
    """One user with one token and one membership; hashed, as the default is."""
    schema = resources.files("wampgate.stores").joinpath("schema/sqlite.sql").read_text(encoding="utf-8")
    database = sqlite3.connect(path)
    try:
        database.executescript(schema)
        database.execute(
            "INSERT INTO oauth_access_tokens (access_token, client_id, user_id, expires) VALUES (?, ?, ?, ?)",
            (_hash(user.ticket), "benchmark", user.authid, int(time.time()) + _TOKEN_SECONDS),
        )
        database.execute(
            "INSERT INTO organization_members (organization_id, user_id) VALUES (?, ?)", (_ORGANIZATION, user.authid)
        )
        database.commit()
    finally:
        database.close()


def _configuration(port: int, backend: Credentials, redis_port: int | None) -> dict[str, Any]:
    """Defaults, except that all connections are one user's from one address, and send all they can: no limit is met."""
    rules = [
        {"role": _BACKEND, "actions": ["publish"], "uri": "organization.", "match": "prefix"},
        {"role": _BACKEND, "actions": ["register", "call"], "uri": "bench.", "match": "prefix"},
    ]
    principal = {"authid": backend.authid, "role": _BACKEND, "ticket_sha256": _hash(backend.ticket)}
    realm = {
        "name": _REALM,
        "store": {"type": "sqlite", "path": _STORE},
        "authentication": {"ticket": {"role": "member"}, "principals": [principal]},
        "authorization": {"rules": rules},
        "bridges": [] if redis_port is None else [_bridge(redis_port)],
    }
    return {
        "listen": [{"endpoint": f"tcp:{port}:interface=127.0.0.1"}],
        "limits": {
            "connections": 20_000,
            "connections_per_address": 20_000,
            "sessions_per_authid": 20_000,
            **dict.fromkeys(("publishes_per_second_per_session", "calls_per_second_per_session"), 1_000_000),
        },
        "realms": [realm],
    }


def _bridge(port: int) -> dict[str, Any]:
    template = "organization.{organization}"
    rules = [{"dialect": "plain", "channel": template, "topic": template}]
    return {"type": "redis", "url": f"redis://127.0.0.1:{port}", "rules": rules}


def _hash(ticket: str) -> str:
    return sha256(ticket.encode()).hexdigest()
