"""The log of a whole life: each line is one record, in both formats, with who and where; nobody can forge one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any, Final

import pytest
from conftest import ticket_of
from integration.router.administered import administered, told
from raw_wamp import Aborted, Peer, WampError
from raw_websocket import RawConnection
from router_process import TWISTD, RouterProcess

from wampgate.observation.log_levels import DEFAULTS, LEVELS

if TYPE_CHECKING:
    from pathlib import Path

LINE: Final = re.compile(
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info |warn |error|critical) ([a-z]+) +(\[realm1\] )?\S.*$"
)
CONTINUED: Final = re.compile(r"^    \S?")
NASTY: Final = "x\r\n2026-01-01T00:00:00.000Z info  router         forged \x1b[31m\x9b\u2028line"


def live(process: RouterProcess) -> None:
    """Something of everything that is written of."""
    with Peer(process.port) as stranger, pytest.raises(Aborted):
        stranger.join("wrong")
    with Peer(process.port) as nasty, pytest.raises(Aborted):
        nasty.join(authmethods=[NASTY])
    with Peer(process.port).join(ticket_of("alice")) as alice:
        for topic in ("com.other.x", "organization.7"):
            with pytest.raises(WampError):
                alice.subscribe(topic)
        with Peer(process.port).join(ticket_of("olga")) as olga:
            assert olga.call("wampgate.sessions.kill", [], {"authid": "alice", "reason": "com.example.why"}) == 1
            assert told(olga, "wampgate.log.levels")["router"]
        with Peer(process.port).join(ticket_of("bob")) as bob:
            bob.send(2, 1, {})
            bob.violated()
    with RawConnection(process.port) as browser:
        browser.send_bytes(b"GET /style.css?token=canary-in-a-query HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert browser.response().status == 200


def lived(configuration: dict[str, Any], *arguments: str) -> str:
    """The log of a router that has lived and ended."""
    with RouterProcess(configuration, arguments=arguments) as process:
        live(process)
        process.stop()
        return process.log()


def test_text_is_a_line_for_each_event_to_be_read_by_people() -> None:
    log = lived(administered(log={"access": True}), "--debug")
    for line in log.splitlines():
        matched = LINE.match(line)
        assert matched or CONTINUED.match(line), line
        assert not matched or matched[2] in DEFAULTS, line
        assert line.isprintable()
    lines = log.splitlines()
    assert re.search(r" router +listening on tcp:0:interface=127\.0\.0\.1 \(port \d+\)$", lines[0])
    assert re.search(r" router +wampgate \S+ has started: realm1$", lines[1])
    assert re.search(r" router +wampgate has stopped$", lines[-1])
    assert re.search(r"info  authorization  \[realm1\] session \d+ of 'alice' \(client\) may not subscribe", log)
    assert re.search(r"info  administration \[realm1\] session \d+ of 'alice' \(client\) from \S+ was ended by", log)
    assert "'olga' (operator): com.example.why" in log
    assert re.search(r"info  access +127\.0\.0\.1 GET /style\.css 200 \d+ [\d.]+ ms", log)
    assert "canary-in-a-query" not in log


def test_json_is_an_object_on_each_line() -> None:
    log = lived(administered(log={"format": "json", "access": True}), "--debug")
    records = [json.loads(line) for line in log.splitlines()]
    assert log.isascii()
    for record in records:
        assert list(record)[:3] == ["time", "level", "part"], record
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["time"])
        assert record["level"] in LEVELS
        assert record["part"] in DEFAULTS
        assert record["message"]
    (refused,) = (record for record in records if record.get("uri") == "com.other.x")
    assert isinstance(refused["session"], int)
    assert (
        refused
        | {
            "level": "info",
            "part": "authorization",
            "event": "refused",
            "authid": "alice",
            "authrole": "client",
            "realm": "realm1",
            "action": "subscribe",
            "match": "exact",
            "because": "no rule allows it",
        }
        == refused
    )
    assert refused["peer"].startswith("127.0.0.1:")
    (killed,) = (record for record in records if record.get("event") == "killed")
    assert killed | {"authid": "alice", "by": "'olga' (operator)", "reason": "com.example.why"} == killed
    events = {record.get("event") for record in records}
    assert events >= {"joined", "left", "join_refused", "refused", "killed", "called", "looked", "violated", "request"}
    (request,) = (record for record in records if record.get("event") == "request")
    assert request | {"method": "GET", "path": "/style.css", "status": 200, "peer": "127.0.0.1"} == request


def test_by_default_nothing_is_told_of_each_session_nor_of_each_request() -> None:
    log = lived(administered())
    assert "joined from" not in log
    assert "style.css" not in log
    assert "starting on" not in log
    assert "Starting factory" not in log
    assert "Server Shut Down" not in log
    # The start is two lines.
    assert "has started" in log.splitlines()[1]


def test_levels_change_while_it_runs_and_that_is_told() -> None:
    with RouterProcess(administered()) as process, Peer(process.port).join(ticket_of("olga")) as olga:
        assert told(olga, "wampgate.log.levels") == dict(DEFAULTS)
        assert olga.call("wampgate.log.set_level", ["sessions", "debug"]) == "info"
        assert told(olga, "wampgate.log.levels")["sessions"] == "debug"
        Peer(process.port).join(ticket_of("alice")).close()
        process.wait_for_log("of 'alice' (client) joined from")
        process.wait_for_log("of 'alice' left")
        assert olga.call("wampgate.log.set_level", [], {"part": "access", "level": "info"}) == "warn"
        with RawConnection(process.port) as browser:
            browser.send_bytes(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            browser.response()
        process.wait_for_log("GET /health/live 200 3 ")
        assert olga.call("wampgate.log.set_level", ["sessions", "warn"]) == "debug"
        before = len(process.log())
        Peer(process.port).join(ticket_of("alice")).close()
        with Peer(process.port) as bob, pytest.raises(Aborted):
            bob.join("wrong")
        process.wait_for_log("join refused")
        assert "alice" not in process.log()[before:]
        log = process.wait_for_log("called wampgate.log.set_level(part='sessions', level='warn'): done")
        assert "of 'olga' (operator)" in log
        for arguments in (["sessions", "loud"], ["nothing", "info"], ["sessions"], [1, 2]):
            with pytest.raises(WampError) as refused:
                olga.call("wampgate.log.set_level", arguments)
            assert refused.value.uri == "wamp.error.invalid_argument"


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_journal_is_told_priorities_and_no_time(form: str) -> None:
    """What is written is what systemd reads: `<6>` before each line, and its own time beside it."""
    # JOURNAL_STREAM names what standard output is; here the test does what systemd does.
    process = RouterProcess(administered(log={"format": form}))
    (process.folder / "output.log").touch()
    there = (process.folder / "output.log").stat()
    process._environ["JOURNAL_STREAM"] = f"{there.st_dev}:{there.st_ino}"
    with process:
        live(process)
        process.stop()
        lines = process.log().splitlines()
    assert all(re.match(r"<[2-7]>", line) for line in lines)
    assert any(line.startswith("<6>") and "has started" in line for line in lines)
    if form == "text":
        assert lines[0].startswith("<6>info  router         listening on")
    else:
        assert all("time" in json.loads(line[3:]) for line in lines)


# --- a file ---


@pytest.fixture
def daemon_folder(tmp_path: Path) -> Path:
    (tmp_path / "router.json").write_text(json.dumps(administered()))
    return tmp_path


def wait_until(true: Any, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_rotated_file_is_noticed_with_a_signal_and_without(daemon_folder: Path) -> None:
    log = daemon_folder / "wampgate.log"
    process = subprocess.Popen([*TWISTD, "-n", "-l", log, "wampgate"], cwd=daemon_folder, stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: log.exists() and "has started" in log.read_text())
        assert log.stat().st_mode & 0o777 == 0o640
        found = re.search(r"\(port (\d+)\)", log.read_text())
        assert found is not None
        port = int(found[1])

        def refused() -> None:
            with Peer(port) as peer, pytest.raises(Aborted):
                peer.join("wrong")

        for number, told_by in enumerate(("SIGUSR1", "")):
            old = daemon_folder / f"old.{number}"
            log.rename(old)
            if told_by:
                os.kill(process.pid, signal.SIGUSR1)
            else:
                time.sleep(1.1)
            refused()
            wait_until(log.exists)
            wait_until(lambda: "join refused" in log.read_text())
            assert "join refused" in old.read_text() if number else "has started" in old.read_text()
        # copytruncate
        os.truncate(log, 0)
        refused()
        wait_until(lambda: "join refused" in log.read_text())
        assert "\0" not in log.read_text()
    finally:
        process.terminate()
        assert process.wait(15) == 0


def test_a_log_that_can_not_be_written_is_told_at_the_start(daemon_folder: Path) -> None:
    done = subprocess.run(
        [*TWISTD, "-n", "-l", "nowhere/wampgate.log", "wampgate"],
        cwd=daemon_folder, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "the log can't be written to nowhere/wampgate.log: No such file or directory" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_mistake_of_our_own_is_one_record_in_json() -> None:
    import sys

    broken = (
        "from wampgate.core.kills import Kills\n"
        "def fail(*_, **__): raise KeyError('ours')\n"
        "Kills.end = fail\n"
        "from twisted.scripts.twistd import run; run()\n"
    )
    configuration = administered(log={"format": "json"})
    with RouterProcess(configuration, command=(sys.executable, "-c", broken), alarms_allowed=True) as process:
        with Peer(process.port).join(ticket_of("olga")) as olga:
            olga.start_call("wampgate.sessions.kill", [], {"authid": "alice"})
            process.wait_for_log("KeyError")
        records = [json.loads(line) for line in process.log().splitlines()]
    (mistake,) = (record for record in records if "traceback" in record)
    assert mistake["level"] == "critical"
    assert "\n" in mistake["traceback"]
    assert "KeyError: 'ours'" in mistake["traceback"]
