"""Crossbar, a router written in Python on Autobahn and Twisted: a node with one router worker, tickets and roles.

As in production: the node's controller and its worker are processes of their own, whose CPU and memory both count.
All options are the defaults (no pings, events dispatched in chunks of 100), and nothing is logged below an error.
More workers would not share a realm's load without router-to-router links.
"""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from benchmarks import installing
from benchmarks.servers import processes
from benchmarks.servers.interface import Credentials, Running, ServerFailed
from benchmarks.servers.program import BACKEND, REALM, abstention, credentials

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from benchmarks.scenarios import Scenario

_SERIALIZERS: Final = ("json", "msgpack", "cbor")
_ROLE: Final = "user"


class Crossbar:
    """A node of its own for each measurement."""

    name = "crossbar"
    package = "crossbar"

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._family: tuple[int, ...] = ()

    def lacks(self) -> str | None:
        """What is missing to run it."""
        return installing.lacks(self.package)

    def abstains(self, scenario: Scenario, serializer: str) -> str | None:
        """It reads no Redis."""
        return abstention(scenario, serializer, _SERIALIZERS)

    def start(self, folder: Path, redis_port: int | None = None) -> Running:
        """Write the node's configuration, which holds the tickets, for its owner's eyes only, and start the node."""
        if redis_port is not None:
            raise ServerFailed("reads no Redis")
        port = processes.free_port()
        user, backend = credentials()
        configuration = folder / "config.json"
        configuration.touch(mode=0o600)
        configuration.write_text(json.dumps(_configuration(port, user, backend), indent=2), encoding="utf-8")
        program = installing.folder(self.package) / "bin" / "crossbar"
        words = ["start", "--cbdir", str(folder), "--loglevel", "error", "--logformat", "standard"]
        self._process = processes.start([str(program), *words], folder)
        processes.wait_for_port(self._process, port, folder, seconds=60)
        self._family = processes.family(self._process.pid)
        return Running(port, "/ws", REALM, self._family, user, backend)

    def stop(self) -> None:
        """End the controller, which ends its worker, and the worker if it should stay behind."""
        if self._process is None:
            return
        processes.stop(self._process)
        for left in self._family[1:]:
            with suppress(ProcessLookupError):
                os.kill(left, signal.SIGKILL)
        self._process = None


def _configuration(port: int, user: Credentials, backend: Credentials) -> dict[str, Any]:
    """Users subscribe to what is their organization's; backends publish it, and register and call."""
    roles = [
        _role(_ROLE, {"organization.": ["subscribe"]}),
        _role(BACKEND, {"organization.": ["publish"], "bench.": ["register", "call"]}),
    ]
    principals = {
        user.authid: {"ticket": user.ticket, "role": _ROLE},
        backend.authid: {"ticket": backend.ticket, "role": BACKEND},
    }
    transport = {
        "type": "websocket",
        "endpoint": {"type": "tcp", "interface": "127.0.0.1", "port": port, "backlog": 1024},
        "serializers": list(_SERIALIZERS),
        "auth": {"ticket": {"type": "static", "principals": principals}},
    }
    worker = {"type": "router", "realms": [{"name": REALM, "roles": roles}], "transports": [transport]}
    return {"version": 2, "controller": {}, "workers": [worker]}


def _role(name: str, rights: dict[str, list[str]]) -> dict[str, Any]:
    permissions = [
        {"uri": uri, "match": "prefix", "allow": dict.fromkeys(actions, True)} for uri, actions in rights.items()
    ]
    return {"name": name, "permissions": permissions}
