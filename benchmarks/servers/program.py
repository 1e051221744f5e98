"""A router that was installed with a small program around it, which gets its tickets by name and says its port."""

from __future__ import annotations

import os
import secrets
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final

from benchmarks import installing
from benchmarks.scenarios import SERIALIZERS
from benchmarks.servers import processes
from benchmarks.servers.interface import Credentials, Running, ServerFailed

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from benchmarks.scenarios import Scenario

REALM: Final = "realm1"
USER: Final = "bench"
BACKEND: Final = "backend"
_READS_NO_REDIS: Final = "reads no Redis"


def abstention(scenario: Scenario, serializer: str, spoken: Collection[str]) -> str | None:
    """Why a router that reads no Redis and speaks some serializers takes no part, as ``Server.abstains`` says it."""
    if scenario.redis:
        return _READS_NO_REDIS
    unknown = [name for name in SERIALIZERS[serializer].split(",") if name not in spoken]
    return f"speaks no {' or '.join(unknown)}" if unknown else None


def credentials() -> tuple[Credentials, Credentials]:
    """The user's and the backend's, with tickets that nobody else knows."""
    return Credentials(USER, secrets.token_urlsafe(32)), Credentials(BACKEND, secrets.token_urlsafe(32))


class Program(ABC):
    """Such a router. Its program chooses a port on 127.0.0.1 and writes it as a line once it takes connections."""

    name: str
    path: ClassVar[str] = "/ws"
    serializers: ClassVar[Collection[str]] = ("json", "msgpack", "cbor")
    environ: ClassVar[Mapping[str, str]] = {}
    options: ClassVar[tuple[str, ...]] = ()

    @property
    def package(self) -> str:
        """Its own, unless several servers share one."""
        return self.name

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self, installed: Path) -> list[str]:
        """What starts it, from the folder it was installed in."""

    def lacks(self) -> str | None:
        """What is missing to run it."""
        return installing.lacks(self.package)

    def abstains(self, scenario: Scenario, serializer: str) -> str | None:
        """It reads no Redis, and may not speak all serializers."""
        return abstention(scenario, serializer, self.serializers)

    def admission(self) -> tuple[Credentials, Credentials, Mapping[str, str]]:
        """The user, the backend, and what of its environment tells the program to let them in."""
        user, backend = credentials()
        return user, backend, {"BENCH_TICKET": user.ticket, "BENCH_BACKEND_TICKET": backend.ticket}

    def start(self, folder: Path, redis_port: int | None = None) -> Running:
        """Start it with tickets of its own, which it gets in its environment: command lines can be seen by everyone."""
        if redis_port is not None:
            raise ServerFailed(_READS_NO_REDIS)
        user, backend, admission = self.admission()
        command = self.command(installing.folder(self.package))
        self._process = processes.start(command, folder, {**os.environ, **self.environ, **admission})
        port = processes.named_port(self._process, folder)
        return Running(port, self.path, REALM, processes.family(self._process.pid), user, backend, options=self.options)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            processes.stop(self._process)
            self._process = None
