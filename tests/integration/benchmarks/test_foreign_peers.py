"""The real Centrifuge and Socket.IO, where they are installed: every event is found, and their doors are shut."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import jwt
import pytest

from benchmarks import installing, load, native
from benchmarks.servers.centrifuge import Centrifuge, signed
from benchmarks.servers.socketio import SocketIO, SocketIOAlone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.servers.interface import Running

# Noted while modules are loaded: later, the tests' programs are built in a folder of their own.
PEERS = native.BUILD / "peers"
ONE = ("fanout", "--subscribers", "1")
SHORT = ("--warm", "0.1", "--seconds", "0.3")


@pytest.fixture(params=[Centrifuge, SocketIO, SocketIOAlone], ids=lambda kind: kind.name)
def running(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(installing, "folder", lambda name: PEERS / name)
    peer: Centrifuge | SocketIO | SocketIOAlone = request.param()
    if lacking := peer.lacks():
        pytest.skip(f"PEER NOT TESTED: this machine lacks {lacking}")
    try:
        yield peer.start(tmp_path)
    finally:
        peer.stop()


@pytest.mark.parametrize(
    "options",
    [
        ("--subscribers", "20", "--window", "8", "--burst"),
        ("--topic", "organization.{}", "--topics", "10", "--subscribers", "50", "--window", "40"),
        ("--subscribers", "20", "--payload", "65536"),
    ],
)
def test_all_that_is_published_arrives(running: Running, options: tuple[str, ...]) -> None:
    assert load.run(running, ("fanout", *options, *SHORT)).operations > 20


def test_joins_are_counted(running: Running) -> None:
    joined = load.run(running, ("join", "--connections", "50", "--first", "5", "--seconds", "0.1"))
    assert joined.operations == 50
    assert joined.bytes_per_connection > 0


def test_nobody_joins_without_a_token_of_the_servers(running: Running) -> None:
    for ticket in ("wrong", _unsigned(running.user.ticket), _forged(running.user.ticket), running.user.ticket[:-2]):
        with pytest.raises(load.RunFailed, match=r"subscriber 0, (joining|announcing)"):
            load.run(replace(running, user=replace(running.user, ticket=ticket)), (*ONE, *SHORT))


def test_users_are_kept_to_organizations_and_to_listening(running: Running) -> None:
    with pytest.raises(load.RunFailed, match=r"subscriber 0, (joining|announcing)"):
        load.run(running, (*ONE, "--topic", "elsewhere", *SHORT))
    # Through Redis nobody asks who publishes: whoever reaches it may.
    if "--redis" not in running.options:
        with pytest.raises(load.RunFailed, match="publisher 0"):
            load.run(replace(running, backend=running.user), (*ONE, *SHORT))


def _unsigned(token: str) -> str:
    """The same claims under a head that says that no signature is needed."""
    parts = token.split(".")
    head = jwt.encode({}, None, algorithm="none").split(".")[0]
    return f"{head}.{parts[1]}." if len(parts) == 3 else "unsigned"


def _forged(token: str) -> str:
    """The same claims, signed by somebody else."""
    is_signed = token.count(".") == 2
    return signed(jwt.decode(token, options={"verify_signature": False}) if is_signed else {}, "another secret")
