"""The audit log of a real router: who, whom and why; whole through floods, rotation and a disk that takes nothing."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import pytest
from conftest import ticket_of
from integration.router.administered import administered, entries, told, wait_for_entry
from raw_wamp import Aborted, Peer, WampError
from raw_websocket import RawConnection
from router_process import RouterDidNotStart, RouterProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY: Final = "canary-9f2b"


@pytest.fixture
def process() -> Iterator[RouterProcess]:
    with RouterProcess(administered()) as router:
        yield router


def file_of(process: RouterProcess) -> Path:
    return process.folder / "audit.log"


def join(process: RouterProcess, name: str, **how: Any) -> Peer:
    return Peer(process.port, **how).join(ticket_of(name))


def refused(process: RouterProcess, ticket: str, **how: Any) -> None:
    with Peer(process.port, **how) as peer, pytest.raises(Aborted):
        peer.join(ticket)


def test_a_day_in_the_life(process: RouterProcess) -> None:
    file = file_of(process)
    with join(process, "olga") as olga, join(process, "alice") as alice:
        login = wait_for_entry(file, event="login", authid="alice")
        assert (
            login
            | {
                "realm": "realm1",
                "authrole": "client",
                "authmethod": "ticket",
                "authprovider": "static",
                "session": alice.session,
                "token": sha256(ticket_of("alice").encode()).hexdigest()[:12],
            }
            == login
        )
        assert login["peer"].startswith("127.0.0.1:")
        refused(process, CANARY)
        assert wait_for_entry(file, event="login_refused")["because"] == "unknown token"
        with pytest.raises(WampError):
            alice.subscribe("organization.7")
        denied = wait_for_entry(file, event="refused", uri="organization.7")
        assert denied | {"action": "subscribe", "match": "exact", "because": "no rule allows it"} == denied
        with pytest.raises(WampError):
            alice.call("wampgate.sessions.kill", [], {"authid": "olga"})
        wait_for_entry(file, event="refused", action="call", uri="wampgate.sessions.kill", authid="alice")
        kill = {"authid": "alice", "reason": "com.example.shift_over", "message": "your shift is over"}
        assert olga.call("wampgate.sessions.kill", [], kill) == 1
        killed = wait_for_entry(file, event="killed")
        assert (
            killed
            | {
                "authid": "alice",
                "session": alice.session,
                "by": "'olga' (operator)",
                "reason": "com.example.shift_over",
                "message": "your shift is over",
            }
            == killed
        )
        ended = wait_for_entry(file, event="ended", authid="alice")
        assert ended["reason"] == "com.example.shift_over"
        called = wait_for_entry(file, event="call")
        assert (
            called
            | {
                "authid": "olga",
                "procedure": "wampgate.sessions.kill",
                "arguments": "authid='alice', reason='com.example.shift_over', message=…",
                "outcome": "done: 1",
            }
            == called
        )
        with join(process, "bob") as bob:
            assert olga.call("wamp.session.kill", [bob.session]) is None
            wait_for_entry(file, event="killed", authid="bob", by="'olga' (operator)")
            by_id = wait_for_entry(file, event="call", procedure="wamp.session.kill")
            assert (by_id["arguments"], by_id["outcome"]) == (f"session={bob.session}", "done")
        with pytest.raises(WampError):
            olga.call("wamp.session.kill", [17])
        wait_for_entry(file, event="call", outcome="wamp.error.no_such_session")
        with join(process, "bob") as bob:
            bob.send(2, 1, {})
            bob.violated()
        assert "WELCOME" in wait_for_entry(file, event="violation", authid="bob")["because"]
        looks = told(olga, "wampgate.audit.recent", event="killed")["entries"]
        assert [entry["authid"] for entry in looks] == ["bob", "alice"]
        # What is told to operators is what stands in the file.
        assert looks == [entry for entry in reversed(entries(file)) if entry["event"] == "killed"]
        wait_for_entry(file, event="look", authid="olga", procedure="wampgate.audit.recent")
    assert CANARY not in file.read_text()
    for name in ("alice", "bob", "olga"):
        assert ticket_of(name) not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o640


def test_in_memory_without_a_file() -> None:
    with RouterProcess(administered(audit=None)) as process, join(process, "olga") as olga:
        refused(process, CANARY)
        join(process, "alice").close()
        recent = told(olga, "wampgate.audit.recent")
        assert recent["file"] is None
        events = [(entry["event"], entry.get("authid")) for entry in recent["entries"]]
        assert events[-2:] == [("login_refused", None), ("login", "olga")]
        assert ("login", "alice") in events
        assert {entry["authid"] for entry in told(olga, "wampgate.audit.recent", authid="alice")["entries"]} == {
            "alice"
        }
        assert len(told(olga, "wampgate.audit.recent", limit=1)["entries"]) == 1
        for wrong in ({"limit": 0}, {"limit": "x"}, {"event": "nothing"}, {"authid": 7}):
            with pytest.raises(WampError) as error:
                told(olga, "wampgate.audit.recent", **wrong)
            assert error.value.uri == "wamp.error.invalid_argument"


def test_of_a_flood_a_few_and_a_count_are_kept_and_nothing_is_lost_in_silence(process: RouterProcess) -> None:
    many = 300
    with join(process, "alice") as alice:
        for number in range(many):
            alice.send(32, number + 1, {}, "com.other.same")
        for _ in range(many):
            alice.receive()
        for number in range(many):
            alice.send(32, many + number + 1, {}, f"com.other.x{number}")
        for _ in range(many):
            alice.receive()
        deadline = time.monotonic() + 25
        while (
            sum(entry.get("count", 1) for entry in entries(file_of(process)) if entry["event"] == "refused") < 2 * many
        ):
            assert time.monotonic() < deadline, file_of(process).read_text()[-3000:]
            time.sleep(0.2)
        kept = [entry for entry in entries(file_of(process)) if entry["event"] == "refused"]
    assert sum(entry.get("count", 1) for entry in kept) == 2 * many
    # The flood may have been in two periods.
    assert len(kept) <= 2 * 50 + 4
    (alike, *_) = (entry for entry in kept if entry.get("uri") == "com.other.same" and "count" in entry)
    assert alike["count"] > 50
    assert (alike["authid"], alike["realm"], alike["because"]) == ("alice", "realm1", "no rule allows it")
    assert alike["since"] < alike["time"]


def test_who_looks_on_and_on_is_told_of_once(process: RouterProcess) -> None:
    with join(process, "olga") as olga:
        for _ in range(30):
            told(olga, "wampgate.log.levels")
        wait_for_entry(file_of(process), event="look", procedure="wampgate.log.levels")
        process.stop()
    looks = [entry for entry in entries(file_of(process)) if entry["event"] == "look"]
    assert [entry.get("count") for entry in looks] == [None, 29]


def test_http_requests_of_a_backend_are_one_login_and_a_count() -> None:
    configuration = administered()
    configuration["listen"][0]["serves"] = ["wamp", "page", "backend"]
    with RouterProcess(configuration) as process:
        for _ in range(20):
            body = json.dumps({"topic": "organization.7", "args": [1]})
            with RawConnection(process.port) as connection:
                connection.send_bytes(
                    f"POST /publish HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {ticket_of('backend')}\r\n"
                    "Connection: close\r\n"
                    f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
                )
                assert connection.response().status == 200
        process.stop()
        logins = [entry for entry in entries(file_of(process)) if entry["event"] in ("login", "ended")]
    assert [(entry["event"], entry["http"], entry.get("count")) for entry in logins] == [
        ("login", True, None),
        ("login", True, 19),
    ]


@pytest.mark.parametrize("how", ["moved", "moved and told", "truncated"])
def test_rotation_loses_nothing(process: RouterProcess, how: str) -> None:
    file, old = file_of(process), process.folder / "audit.log.old"
    refused(process, "before")
    wait_for_entry(file, event="login_refused")
    before = entries(file)
    if how == "truncated":
        os.truncate(file, 0)
    else:
        file.rename(old)
        if how == "moved and told":
            process.signal(signal.SIGHUP)
        time.sleep(1.1)
    join(process, "alice").close()
    wait_for_entry(file, event="ended", authid="alice")
    assert b"\0" not in file.read_bytes()
    if how != "truncated":
        assert entries(old) == before
        assert file.stat().st_mode & 0o777 == 0o640


def test_it_rotates_by_itself_where_it_is_told_to() -> None:
    configuration = administered(audit={"file": "audit.log", "rotate_bytes": 65536, "keep": 2})
    # Each of many comes from an address of its own: no count stands for them.
    with RouterProcess(configuration) as process:
        file, total = file_of(process), 0
        for block in range(4):
            for host in range(1, 251):
                refused(process, "wrong", source=f"127.0.{block + 1}.{host}")
                total += 1
            time.sleep(1.1)
        join(process, "alice").close()
        wait_for_entry(file, event="ended", authid="alice")
        files = sorted(path.name for path in process.folder.glob("audit.log*"))
        kept = [entry for path in process.folder.glob("audit.log*") for entry in entries(path)]
        assert files[0] == "audit.log"
        assert "audit.log.1" in files
        assert len(files) <= 3
        assert sum(entry.get("count", 1) for entry in kept if entry["event"] == "login_refused") == total


def test_a_disk_that_takes_nothing_stops_nobody_and_is_told() -> None:
    full = administered(audit={"file": "/dev/full"})
    with RouterProcess(full) as process, join(process, "olga") as olga:
        refused(process, "wrong")
        reason = os.strerror(errno.ENOSPC)
        process.wait_for_log(f"the audit log /dev/full can't be written: {reason}; entries wait")
        with join(process, "alice") as alice:
            assert alice.publish("com.example.x") > 0
        state = told(olga, "wampgate.audit.recent")["file"]
        assert state["ready"] is False
        assert state["failures"] >= 1
        assert state["written"] == state["lost"] == 0
        process.stop()
        assert "entries of the audit log were never written" in process.log()


def test_a_file_that_can_not_be_opened_is_told_at_the_start() -> None:
    with (
        pytest.raises(RouterDidNotStart) as failed,
        RouterProcess(administered(audit={"file": "nowhere/audit.log"}), alarms_allowed=True),
    ):
        pass
    assert "wampgate can't start: the audit log " in str(failed.value)
    assert "nowhere/audit.log can't be written: No such file or directory" in str(failed.value)


# --- reload ---


def reload(process: RouterProcess, configuration: dict[str, Any]) -> None:
    (process.folder / "router.json").write_text(json.dumps(configuration))
    process.signal(signal.SIGHUP)


def test_a_reload_is_told_and_applies_to_log_and_audit(process: RouterProcess) -> None:
    first, second = file_of(process), process.folder / "second.log"
    with join(process, "olga") as olga:
        reload(process, administered(audit={"file": "nowhere/audit.log"}))
        failed = wait_for_entry(first, event="reload")
        assert "nowhere/audit.log can't be written" in failed["problems"][0]
        assert "changed" not in failed
        log = {"format": "json", "levels": {"sessions": "debug"}}
        reload(process, administered(audit={"file": "second.log"}, log=log))
        done = wait_for_entry(second, event="reload")
        assert {"audit", "log"} <= {name.partition(".")[0] for name in done["changed"]}
        before = len(process.log())
        join(process, "alice").close()
        wait_for_entry(second, event="ended", authid="alice")
        assert not [entry for entry in entries(first) if entry.get("authid") == "alice"]
        process.wait_for_log("of 'alice' left")
        events = [json.loads(line)["event"] for line in process.log()[before:].splitlines() if '"event"' in line]
        assert events[-2:] == ["joined", "left"]
        # What operators have set stands until the section itself is another one.
        assert olga.call("wampgate.log.set_level", ["stores", "debug"]) == "info"
        assert told(olga, "wampgate.configuration.reload") == told(olga, "wampgate.configuration.reload")
        assert told(olga, "wampgate.log.levels")["stores"] == "debug"
        wait_for_entry(second, event="call", procedure="wampgate.configuration.reload", authid="olga")
