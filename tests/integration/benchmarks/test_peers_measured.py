"""Each router that is installed is measured for a moment: all is verified, and it refuses what it should."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from benchmarks import installing, load, native
from benchmarks.scenarios import SERIALIZERS
from benchmarks.servers.registry import SERVERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.servers.interface import Running, Server

ROUTERS: Final = ("nexus", "xconn", "crossbar", "foxwamp")
SPEAK_JSON_ONLY: Final = ("foxwamp",)
SHORT: Final = ("--warm", "0.1", "--seconds", "0.4")
LOADS: Final = {
    "fanout": ("fanout", "--subscribers", "40"),
    "bursts": ("fanout", "--subscribers", "40", "--window", "8", "--burst"),
    "organizations": (
        "fanout",
        "--topic",
        "organization.{}",
        "--topics",
        "20",
        "--subscribers",
        "40",
        "--window",
        "50",
    ),
    "calls-20x4": ("calls", "--callers", "20", "--in-flight", "4"),
    "calls-1x1": ("calls",),
    # So many that the kernel counts ticks even for a quick router.
    "join-1000": ("join", "--connections", "600", "--first", "5"),
}


# Noted while modules are loaded: later, the tests' programs are built in a folder of their own.
PEERS: Final = native.BUILD / "peers"
MISSING: Final = {name: lacks for name in ROUTERS if (lacks := SERVERS[name]().lacks())}


@pytest.mark.parametrize("name", MISSING or [None])
def test_routers_that_are_missing_are_named(name: str | None) -> None:
    if name:
        pytest.skip(f"{name.upper()} WAS NOT TESTED: this machine lacks {MISSING[name]}")


@pytest.fixture(scope="module", autouse=True)
def _installed() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(installing, "folder", lambda name: PEERS / name)
        yield


@pytest.fixture(scope="module", params=[name for name in ROUTERS if name not in MISSING])
def server(request: pytest.FixtureRequest) -> Server:
    return SERVERS[request.param]()


@pytest.fixture(scope="module")
def running(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    yield server.start(tmp_path_factory.mktemp(server.name))
    server.stop()


@pytest.mark.parametrize("words", LOADS.values(), ids=LOADS)
def test_every_count_is_verified(running: Running, words: tuple[str, ...]) -> None:
    outcome = load.run(running, (*words, *SHORT))
    assert outcome.operations > 0
    assert outcome.cpu_us > 0


@pytest.mark.parametrize("serializer", [name for name in SERIALIZERS if name != "json"])
@pytest.mark.parametrize("words", [LOADS["fanout"], LOADS["calls-20x4"]], ids=["fanout", "calls"])
def test_serializers_are_verified(server: Server, running: Running, serializer: str, words: tuple[str, ...]) -> None:
    words = (*words, "--serializer", SERIALIZERS[serializer], *SHORT)
    if server.name in SPEAK_JSON_ONLY:
        with pytest.raises(load.RunFailed, match="the upgrade was refused"):
            load.run(running, words)
    else:
        assert load.run(running, words).operations > 0


def test_a_wrong_ticket_is_refused(running: Running) -> None:
    wrong = replace(running.user, ticket=f"{running.user.ticket}x")
    with pytest.raises(load.RunFailed, match="subscriber 0, joining"):
        load.run(replace(running, user=wrong), ("fanout", "--subscribers", "1", *SHORT))


def test_a_foreign_topic_is_refused(running: Running) -> None:
    with pytest.raises(load.RunFailed, match="subscriber 0, announcing"):
        load.run(running, ("fanout", "--subscribers", "1", "--topic", "elsewhere.bench", *SHORT))


def test_a_user_may_not_publish(running: Running) -> None:
    with pytest.raises(load.RunFailed, match="publisher 0, ready"):
        load.run(replace(running, backend=running.user), ("fanout", "--subscribers", "1", "--patience", "1", *SHORT))


def test_tickets_are_not_on_command_lines(running: Running) -> None:
    for process in running.processes:
        words = Path(f"/proc/{process}/cmdline").read_text(encoding="utf-8")
        assert running.user.ticket not in words
        assert running.backend.ticket not in words


def test_all_its_processes_are_counted_and_ended(server: Server, tmp_path: Path) -> None:
    other = SERVERS[server.name]()
    found = other.start(tmp_path).processes
    assert len(found) == (2 if server.name == "crossbar" else 1)
    other.stop()
    assert not [process for process in found if _lives(process)]
    other.stop()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
