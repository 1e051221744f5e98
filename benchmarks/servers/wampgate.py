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
    from collections.abc import Mapping

    from benchmarks.scenarios import Scenario

_REALM: Final = "realm1"
_USER: Final = "bench"
_USERS: Final = 50
"""Each with one token, so that several connections share one, as those of a user with several devices do."""
_TOPICS: Final = 100
_ORGANIZATION: Final = "bench"
_BACKEND: Final = "backend"
_STORE: Final = "tokens.sqlite3"
_TOKEN_SECONDS: Final = 86_400
_CHECKOUT: Final = Path(__file__).parents[2]
# The same as bin/twistd, which need not be on the path.
_TWISTD: Final = "from twisted.scripts.twistd import run; run()"


class Wampgate:
    """The daemon of this checkout, run by the Python that runs the benchmark.

    Args:
        limits: of its configuration, beside those that a benchmark needs.
    """

    name = "wampgate"
    package: str | None = None

    def __init__(self, limits: Mapping[str, float] | None = None) -> None:
        self._limits = dict(limits or {})
        self._process: subprocess.Popen[bytes] | None = None

    def lacks(self) -> str | None:
        """Nothing: it is here."""
        return None

    def abstains(self, scenario: Scenario, serializer: str) -> str | None:  # noqa: ARG002 - Server's signature
        """Never: all scenarios are about it."""
        return None

    def start(self, folder: Path, redis_port: int | None = None) -> Running:
        """Write its store and its configuration, and start it in the foreground."""
        port = processes.free_port()
        user = Credentials(f"{_USER}-{{}}", f"{secrets.token_urlsafe(32)}-{{}}")
        backend = Credentials(_BACKEND, secrets.token_urlsafe(32))
        _fill_store(folder / _STORE, user)
        configuration = _configuration(port, backend, redis_port)
        configuration["limits"] |= self._limits
        (folder / "router.json").write_text(json.dumps(configuration, indent=2))
        command = [sys.executable, "-c", _TWISTD, "--nodaemon", "--pidfile=", "wampgate", "--config", "router.json"]
        path = os.pathsep.join(filter(None, (str(_CHECKOUT), os.environ.get("PYTHONPATH"))))
        self._process = processes.start(command, folder, {**os.environ, "PYTHONPATH": path})
        processes.wait_for_port(self._process, port, folder)
        return Running(port, "/ws", _REALM, processes.family(self._process.pid), user, backend, _USERS)

    def stop(self) -> None:
        """End it as an operator would, by SIGTERM."""
        if self._process is not None:
            processes.stop(self._process)
            self._process = None


def _fill_store(path: Path, user: Credentials) -> None:
    """Users with a token each, hashed as the default is, and with memberships in the organizations that are theirs."""
    schema = resources.files("wampgate.stores").joinpath("schema/sqlite.sql").read_text(encoding="utf-8")
    database = sqlite3.connect(path)
    try:
        database.executescript(schema)
        expires = int(time.time()) + _TOKEN_SECONDS
        for number in range(_USERS):
            name, token = (text.replace("{}", str(number)) for text in (user.authid, user.ticket))
            database.execute(
                "INSERT INTO oauth_access_tokens (access_token, client_id, user_id, expires) VALUES (?, ?, ?, ?)",
                (_hash(token), "benchmark", name, expires),
            )
            organizations = (_ORGANIZATION, *(str(topic) for topic in range(number, _TOPICS, _USERS)))
            database.executemany(
                "INSERT INTO organization_members (organization_id, user_id) VALUES (?, ?)",
                [(organization, name) for organization in organizations],
            )
        database.commit()
    finally:
        database.close()


def _configuration(port: int, backend: Credentials, redis_port: int | None) -> dict[str, Any]:
    """Defaults, except that all come from one address, maybe at once, and send all they can: no limit is met."""
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
            "connections_per_address": 20_000,
            "unauthenticated_connections": 20_000,
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
