"""Centrifuge, the library that Centrifugo is built on (its program is ``peers/centrifuge/main.go``).

Not the Centrifugo daemon, whose module the Go tools could not fetch where this was written: what a daemon adds to its
library (its configuration, its namespaces, its HTTP layers) is not part of these figures. The program does what the
daemon would be set up to do: users show a JSON Web Token, and a backend publishes by a client's ``publish`` command,
acknowledged like a WAMP PUBLISH; no history, no presence, nothing about the publisher in the event. The library's
defaults, but for a pool of write buffers (without it, each idle connection keeps its own) and room for messages of
1 MiB instead of 64 KiB. It pings every 25 s and logs nothing.

Its clients can call the server but not each other, so that it takes no part in calls. JSON only: its other format is
Protobuf.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from benchmarks.servers.interface import Credentials
from benchmarks.servers.program import BACKEND, USER, Program

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.scenarios import Scenario

_TOKEN_SECONDS: Final = 86_400


class Centrifuge(Program):
    """The server in one process with as many threads as Go likes."""

    name = "centrifuge"
    path = "/connection/websocket"
    serializers = ("json",)
    options = ("--protocol", "centrifuge")

    def command(self, installed: Path) -> list[str]:
        """The program that go built."""
        return [str(installed / "centrifuge")]

    def abstains(self, scenario: Scenario, serializer: str) -> str | None:
        """It has no calls from client to client, reads no Redis of this kind and speaks one serializer."""
        if scenario.arguments[:1] == ("calls",):
            return "has no calls from client to client"
        return super().abstains(scenario, serializer)

    def admission(self) -> tuple[Credentials, Credentials, Mapping[str, str]]:
        """Tokens, and the secret by which the server knows them for its own."""
        secret = secrets.token_hex(32)
        user, backend = (
            Credentials(
                subject, signed({"sub": subject, "role": role, "exp": int(time.time()) + _TOKEN_SECONDS}, secret)
            )
            for subject, role in ((USER, "user"), (BACKEND, "backend"))
        )
        return user, backend, {"BENCH_SECRET": secret}


def signed(claims: Mapping[str, Any], secret: str) -> str:
    """A JSON Web Token of some claims, signed by HMAC with SHA-256."""
    parts = (json.dumps(part, separators=(",", ":")).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    content = ".".join(map(_encoded, parts))
    return f"{content}.{_encoded(hmac.digest(secret.encode(), content.encode(), hashlib.sha256))}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
