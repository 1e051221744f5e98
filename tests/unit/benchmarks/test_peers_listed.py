"""Every peer is registered, can be installed from what it locks, and says what it takes no part in."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks import installing
from benchmarks.scenarios import SCENARIOS, SERIALIZERS
from benchmarks.servers import processes
from benchmarks.servers.interface import ServerFailed
from benchmarks.servers.program import abstention
from benchmarks.servers.registry import PEERS, PRODUCT, SERVERS

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

PACKAGES = sorted({package for server in SERVERS.values() if (package := server().package)})
FANOUT, REDIS = SCENARIOS["fanout"], SCENARIOS["redis-1"]


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_has_the_name_that_it_is_registered_by(name: str) -> None:
    assert SERVERS[name]().name == name


def test_every_folder_belongs_to_a_server() -> None:
    folders = sorted(folder.name for folder in installing.SOURCES.iterdir() if folder.is_dir())
    assert folders == PACKAGES


@pytest.mark.parametrize("name", [name for name in PEERS if name != PRODUCT])
def test_a_peer_that_is_not_installed_says_what_would_install_it(name: str) -> None:
    # The folder of this test run holds none.
    lacks = SERVERS[name]().lacks() or ""
    assert f"make bench PEERS={SERVERS[name]().package}" in lacks or "(node)" in lacks or "redis-server" in lacks


@pytest.mark.parametrize("name", PACKAGES)
def test_lock_files_name_no_registry(name: str) -> None:
    for file in (installing.SOURCES / name).iterdir():
        if file.name == "package-lock.json":
            packages = json.loads(file.read_text(encoding="utf-8"))["packages"]
            assert not [path for path, package in packages.items() if "resolved" in package]
        elif file.suffix in {".txt", ".in", ".mod", ".sum"}:
            assert "://" not in file.read_text(encoding="utf-8"), file


def test_every_python_package_is_pinned_and_hashed() -> None:
    text = (installing.SOURCES / "crossbar" / "requirements.txt").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n", " ", text).splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert len(packages) > 100
    assert [line for line in packages if not re.match(r"[\w.-]+==\S+ .*--hash=sha256:", line)] == []


@pytest.mark.parametrize("name", ["foxwamp", "socketio"])
def test_every_node_package_is_hashed(name: str) -> None:
    packages = json.loads((installing.SOURCES / name / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    del packages[""]
    assert packages
    assert [path for path, package in packages.items() if "integrity" not in package] == []


@pytest.mark.parametrize(
    ("serializer", "spoken", "reason"),
    [
        ("json", ("json",), None),
        ("mixed", ("json", "msgpack", "cbor"), None),
        ("cbor", ("json",), "speaks no cbor"),
        ("mixed", ("json",), "speaks no msgpack or cbor"),
    ],
)
def test_a_serializer_that_is_not_spoken_is_a_reason(
    serializer: str, spoken: tuple[str, ...], reason: str | None
) -> None:
    assert abstention(FANOUT, serializer, spoken) == reason


@pytest.mark.parametrize("name", ["nexus", "xconn", "crossbar", "foxwamp"])
def test_routers_take_part_in_all_but_what_they_cannot(name: str) -> None:
    server = SERVERS[name]()
    assert server.abstains(REDIS, "json") == "reads no Redis"
    for scenario in SCENARIOS.values():
        assert scenario.redis or server.abstains(scenario, "json") is None
    for serializer in SERIALIZERS:
        assert bool(server.abstains(FANOUT, serializer)) == (name == "foxwamp" and serializer != "json")


def started(code: str, folder: Path) -> subprocess.Popen[bytes]:
    return processes.start([sys.executable, "-u", "-c", code], folder)


def test_the_port_that_a_program_names_is_found_among_its_lines(tmp_path: Path) -> None:
    process = started("print('Node 20 warns', 20); print(4711); import time; time.sleep(60)", tmp_path)
    try:
        assert processes.named_port(process, tmp_path) == 4711
    finally:
        processes.stop(process)


def test_a_program_that_ends_without_a_port_has_failed(tmp_path: Path) -> None:
    process = started("raise SystemExit('no ticket')", tmp_path)
    with pytest.raises(ServerFailed, match=r"ended with status 1:\nno ticket"):
        processes.named_port(process, tmp_path)


def test_a_program_that_names_no_port_has_failed(tmp_path: Path) -> None:
    process = started("print('starting'); import time; time.sleep(60)", tmp_path)
    try:
        with pytest.raises(ServerFailed, match=r"names no port after 1 s:\nstarting"):
            processes.named_port(process, tmp_path, seconds=1)
    finally:
        processes.stop(process)
