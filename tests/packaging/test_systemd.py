"""The units of examples/deploy/systemd/: what systemd's own tools say of them, and a router that runs by them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from conftest import static_configuration, ticket_of
from raw_wamp import Peer
from router_process import RouterProcess

from wampgate.config.drain import Drain

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
UNITS: Final = ROOT / "examples/deploy/systemd"
DOCUMENT: Final = ROOT / "docs/deploying.md"
PROGRAM: Final = "/opt/wampgate/bin/wampgate"
MOST_EXPOSED: Final = 1.5
"""Of 10, by systemd-analyze; a service with nothing said has 9.6."""

CONFINED: Final = """
import ctypes, os, sys
library = ctypes.CDLL(None)
NO_NEW_PRIVS, MDWE, REFUSE_EXEC_GAIN = 38, 65, 1
library.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
if library.prctl(MDWE, REFUSE_EXEC_GAIN, 0, 0, 0):
    print("this kernel can't refuse memory that is written and executed", file=sys.stderr)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""What the kernel can be asked for without systemd; then the program takes this one's place."""


def keys_of(unit: str) -> dict[str, list[str]]:
    """What a unit says, each key with all of its values."""
    said: dict[str, list[str]] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", (UNITS / unit).read_text(), re.MULTILINE):
        said.setdefault(key, []).append(value)
    return said


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units, with the program that is here in the place of the one that would be installed."""
    for unit in UNITS.glob("wampgate.*"):
        text = unit.read_text()
        (tmp_path / unit.name).write_text(text.replace(PROGRAM, str(Path(sys.executable).parent / "wampgate")))
    (tmp_path / "wampgate.service.d").mkdir()
    shutil.copy(UNITS / "credentials.conf", tmp_path / "wampgate.service.d")
    return tmp_path


def analyze(*arguments: str | Path) -> str:
    """What systemd-analyze says; it must find nothing to complain of."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("SYSTEMD'S UNITS WERE NOT TESTED: systemd-analyze is not installed (Debian: systemd)")
    done = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False, env=quiet()
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def quiet() -> dict[str, str]:
    return {**os.environ, "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "", "LC_ALL": "C"}


def test_systemd_understands_every_line(installed: Path) -> None:
    said = analyze("verify", "--man=no", installed / "wampgate.service", installed / "wampgate.socket")
    # What it says of other units of the machine is not ours.
    assert not [line for line in said.splitlines() if "wampgate" in line or "credentials.conf" in line], said


def test_little_is_left_to_it(installed: Path) -> None:
    said = analyze("security", "--offline=true", "--no-pager", installed / "wampgate.service")
    (found,) = re.findall(r"Overall exposure level for wampgate\.service: ([\d.]+)", said)
    assert float(found) <= MOST_EXPOSED, said
    assert found in DOCUMENT.read_text(), f"docs/deploying.md does not say {found}"


def test_the_user_can_be_made(tmp_path: Path) -> None:
    if shutil.which("systemd-sysusers") is None:
        pytest.skip("THE USER OF SYSTEMD'S UNIT WAS NOT TESTED: systemd-sysusers is not installed (Debian: systemd)")
    (tmp_path / "etc").mkdir()
    command = ["systemd-sysusers", f"--root={tmp_path}", str(UNITS / "wampgate.sysusers.conf")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=quiet())
    assert done.returncode == 0, done.stderr
    (line,) = (tmp_path / "etc/passwd").read_text().splitlines()
    assert line.startswith("wampgate:")
    assert line.endswith("nologin")
    assert keys_of("wampgate.service")["User"] == ["wampgate"]


def test_the_socket_holds_the_port_that_the_configuration_names() -> None:
    (address,) = keys_of("wampgate.socket")["ListenStream"]
    host, _, port = address.partition(":")
    assert f'"endpoint": "tcp:{port}:interface={host}"' in (UNITS / "router.json").read_text()
    assert int(keys_of("wampgate.socket")["Backlog"][0]) >= 4096


def test_it_has_time_to_drain() -> None:
    drain = Drain()
    longest = drain.delay_seconds + drain.seconds + drain.calls_seconds
    assert float(keys_of("wampgate.service")["TimeoutStopSec"][0].removesuffix("s")) >= longest + 10


# --- a router that runs as the unit has it ---


class Confined(RouterProcess):
    """A router without new privileges, without memory that is written and executed, told where systemd listens.

    Args:
        notify: systemd's socket.
    """

    def __init__(self, notify: Path) -> None:
        environ = {"NOTIFY_SOCKET": str(notify), "WATCHDOG_USEC": "400000"}
        super().__init__(static_configuration(), environ=environ)

    def launch(self) -> None:
        """See :meth:`RouterProcess.launch`."""
        self._write_configuration()
        program = str(Path(sys.executable).parent / "wampgate")
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-c", CONFINED, program, "run", "--config", "router.json"],
                cwd=self.folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self._environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                umask=0o077,
            )


@pytest.fixture
def notified(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket at which systemd would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(20)
        yield listener


def heard(listener: socket.socket, text: str, seconds: float = 20.0) -> list[str]:
    """All that was said until something was."""
    said: list[str] = []
    deadline = time.monotonic() + seconds
    while not any(text in one for one in said):
        assert time.monotonic() < deadline, f"no {text} in {said}"
        said.append(listener.recv(4096).decode())
    return said


def test_it_runs_as_the_unit_has_it(notified: socket.socket, tmp_path: Path) -> None:
    keys = keys_of("wampgate.service")
    assert keys["Type"] == ["notify"]
    assert keys["MemoryDenyWriteExecute"] == ["yes"]
    with Confined(tmp_path / "notify") as router:
        heard(notified, "READY=1")
        heard(notified, "WATCHDOG=1")
        with Peer(router.port) as alice:
            alice.join(ticket_of("alice")).subscribe("com.example.topic")
        assert router.stop() == 0
        heard(notified, "STOPPING=1")
