"""`wampgate run` and `wampgate bench`: the router as twistd runs it, and what it measures of itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import static_configuration
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Peer

    from .conftest import Ran

COMMAND = (sys.executable, "-m", "wampgate")


class Run(RouterProcess):
    """A router that `wampgate run` runs."""

    def launch(self) -> None:
        self._write_configuration()
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [*COMMAND, "run", *self._options()],
                cwd=self.folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )


def test_it_runs_in_this_process_and_ends_by_sigterm(connect: Callable[..., Peer]) -> None:
    with Run(static_configuration()) as router:
        assert Path(f"/proc/{router.pid}/cmdline").read_bytes().split(b"\0")[3] == b"run"
        assert connect(router).join("the-ticket-of-alice", authid="alice")
        assert not list(router.folder.glob("*.pid")), "no file is left that would be in the way after a crash"
        router.signal(signal.SIGTERM)
        assert router.wait() == 0
        router._process = None


def test_the_demo_by_the_same_options() -> None:
    with Run(arguments=["--debug"]) as router:
        assert set(router.tokens()) >= {"alice", "bob", "backend"}


def test_a_configuration_with_mistakes(wampgate: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "router.json").write_text("{}")
    done = subprocess.run([*COMMAND, "run"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == "router.json: realms: expected a list of at least one realm, got nothing\n"
    assert done.stdout == ""


def test_a_port_that_is_taken_ends_it(router: RouterProcess, tmp_path: Path) -> None:
    configuration = static_configuration() | {"listen": [{"endpoint": f"tcp:{router.port}:interface=127.0.0.1"}]}
    (tmp_path / "router.json").write_text(json.dumps(configuration))
    done = subprocess.run([*COMMAND, "run"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Couldn't listen on" in done.stdout + done.stderr


def bench(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "bench", "--sessions", "20", "--seconds", "0.3", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **more)


def test_bench_measures_and_leaves_nothing(tmp_path: Path) -> None:
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    done = bench("--json", env=environ)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    joins, events, calls = found["measured"]
    assert joins["count"] == 19
    assert events["count"] % 20 == 0
    assert calls["count"] % 16 == 0
    for one in found["measured"]:
        assert one["count"] > 0
        assert 0 < one["cpu_seconds"] < 10
        assert one["per_core_second"] == pytest.approx(one["count"] / one["cpu_seconds"], rel=0.01, abs=1)
    assert found["milliseconds_until_all_have_an_event"] > 0
    assert 0 < found["start_seconds"] < 20
    assert list(tmp_path.iterdir()) == []


def test_bench_says_what_it_means_and_what_it_cannot_tell() -> None:
    done = bench()
    assert done.returncode == 0
    assert "One core delivers about" in done.stdout
    assert "It can't tell: what TLS" in done.stderr
    assert "It can't tell" not in bench("-q").stderr


def test_bench_ends_its_router_when_it_is_interrupted(tmp_path: Path) -> None:
    command = [*COMMAND, "bench", "--sessions", "20", "--seconds", "30"]
    process = subprocess.Popen(
        command, env=os.environ | {"TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 30
        while not (children := _children(process.pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=40)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "Traceback" not in error
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    assert list(tmp_path.iterdir()) == []


def test_bench_by_a_router_that_cannot_start(monkeypatch: pytest.MonkeyPatch, wampgate: Callable[..., Ran]) -> None:
    monkeypatch.setattr("wampgate.commands.bench_router._configuration", lambda *_: {})
    status, said, error = wampgate("bench", "--sessions", "2", "--seconds", "0.2")
    assert (status, said) == (1, "")
    assert error.startswith("the measurement failed: the router did not start: router.json: realms: expected")


def _children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return found
