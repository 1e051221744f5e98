"""``explain``, ``kick``, ``sessions``, ``top`` and the operator's other commands against the real router."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from conftest import ticket_of
from integration.commands.online_router import Running, online_configuration, wampgate
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Peer


@pytest.fixture
def here(online: RouterProcess, join: Callable[..., Peer]) -> Callable[[str], Peer]:
    def here(who: str) -> Peer:
        return join(who, process=online, ticket=ticket_of(who))

    return here


def operator(router: RouterProcess, *arguments: str, **more: Any) -> Any:
    return wampgate(router, *arguments, who="operator", **more)


def rows(router: RouterProcess, *arguments: str) -> list[dict[str, Any]]:
    done = operator(router, "sessions", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_explain_what_is_allowed(online: RouterProcess) -> None:
    done = operator(online, "explain", "alice", "subscribe", "com.example.", "--match", "prefix")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "allowed  alice (client): subscribe com.example. (prefix)"
    assert "authorization.rules[0]" in done.stdout


def test_explain_what_is_not(online: RouterProcess) -> None:
    done = operator(online, "explain", "alice", "publish", "org.elsewhere", "--json")
    assert done.returncode == 4
    answer = json.loads(done.stdout)
    assert (answer["allowed"], answer["authrole"], answer["uri"]) == (False, "client", "org.elsewhere")
    done = operator(online, "explain", "alice", "publish", "org.elsewhere", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (4, "", "")


def test_explain_of_nobody(online: RouterProcess) -> None:
    done = operator(online, "explain", "nobody\x1b[2J", "publish", "org.elsewhere")
    assert done.returncode == 1
    assert "no such principal" in done.stderr


def test_who_is_no_operator_is_told_which_rule_is_missing(online: RouterProcess) -> None:
    for command in (("explain", "bob", "call", "a.b"), ("kick", "--authid", "bob", "-y"), ("sessions",), ("top",)):
        done = wampgate(online, *command)
        assert (done.returncode, done.stdout) == (4, "")
        assert '"uri": "wampgate.", "match": "prefix"' in done.stderr


def test_kick_by_authid(online: RouterProcess, here: Callable[[str], Peer]) -> None:
    peers = [here("carol"), here("carol")]
    done = operator(online, "kick", "--authid", "carol", "--yes", "--json", "--reason", "com.example.moved")
    assert json.loads(done.stdout) == {"ended": 2}
    for peer in peers:
        assert peer.receive()[2] == "com.example.moved"
    assert operator(online, "kick", "--authid", "carol", "--yes").stdout == "no such session is here\n"


def test_kick_of_one_session(online: RouterProcess, here: Callable[[str], Peer]) -> None:
    carol, other = here("carol"), here("carol")
    done = operator(online, "kick", "--session", str(carol.session), "--yes", "--message", "bye")
    assert done.stdout == "1 session ended\n"
    goodbye = carol.receive()
    assert (goodbye[0], goodbye[1]["message"]) == (6, "bye")
    assert other.events() == []
    assert operator(online, "kick", "--session", "77", "--yes").stdout == "no such session is here\n"


def test_kick_by_the_token(online: RouterProcess, here: Callable[[str], Peer]) -> None:
    carol = here("carol")
    done = operator(online, "kick", "--by-token", "--yes", stdin=ticket_of("carol"))
    assert (done.returncode, done.stdout) == (0, "1 session ended\n")
    assert carol.receive()[0] == 6


def test_kick_asks_and_where_nobody_answers_nothing_happens(online: RouterProcess, here: Callable[[str], Peer]) -> None:
    carol = here("carol")
    done = operator(online, "kick", "--authid", "carol")
    assert done.returncode == 2
    assert "add --yes" in done.stderr
    assert carol.events() == []


def test_sessions(online: RouterProcess, here: Callable[[str], Peer]) -> None:
    alice, bob = here("alice"), here("bob")
    bob.subscribe("com.example.a")
    found = {row["session"]: row for row in rows(online)}
    assert found[alice.session]["authid"] == "alice"
    assert found[bob.session]["subscriptions"] == 1
    assert [row["session"] for row in rows(online, "--authid", "alice")] == [alice.session]
    assert {row["authrole"] for row in rows(online, "--role", "client")} == {"client"}
    assert rows(online, "--search", "nothing like that") == []
    assert len(rows(online, "--limit", "1")) == 1
    done = operator(online, "sessions")
    lines = done.stdout.splitlines()
    assert {"SESSION", "AUTHID", "ROLE", "QUEUE"} <= set(lines[0].split())
    assert any(str(alice.session) in line and "alice" in line for line in lines)
    assert lines[-1].endswith("sessions")


def test_sessions_again_and_again(online: RouterProcess) -> None:
    with Running(online, ["sessions", "--watch", "--every", "0.2", "--json"], who="operator") as watch:
        for _ in range(3):
            assert any(row["authid"] == "operator" for row in json.loads(watch.line()))
        assert watch.interrupt() == 130


def test_top_once(online: RouterProcess, here: Callable[[str], Peer]) -> None:
    alice = here("alice")
    found = json.loads(operator(online, "top", "--once", "--json").stdout)
    assert found["state"] == "ready"
    assert {"publications", "events", "calls"} <= set(found["rates"])
    assert alice.session in [row["session"] for row in found["top_sessions"]]
    done = operator(online, "top", "--once", "--rows", "0")
    assert done.returncode == 0
    assert "PUBLICATIONS  EVENTS  CALLS" in done.stdout
    assert "SESSION" not in done.stdout


def test_top_shows_rates(online: RouterProcess, here: Callable[[str], Peer]) -> None:
    alice = here("alice")
    with Running(online, ["top", "--every", "0.5", "--json", "--sort", "subscriptions"], who="operator") as top:
        top.line()
        for _ in range(20):
            alice.publish("com.example.top")
        assert any(json.loads(top.line())["rates"]["publications"] > 5 for _ in range(3))
        assert top.interrupt() == 130


def test_top_goes_on_after_a_restart() -> None:
    with (
        RouterProcess(online_configuration()) as own,
        Running(own, ["top", "--every", "0.2", "--json"], who="operator") as top,
    ):
        assert json.loads(top.line())["state"] == "ready"
        own.stop()
        top.note("connection lost: ")
        own.start()
        top.note("connected again")
        started = json.loads(operator(own, "status", "--json").stdout)["started"]
        while json.loads(top.line())["started"] != started:
            pass
        assert top.interrupt() == 130


def test_status(online: RouterProcess) -> None:
    done = operator(online, "status", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["realm"] == "realm1"
    assert "ready" in operator(online, "status").stdout


def test_refusals(online: RouterProcess, here: Callable[[str], Peer]) -> None:
    wampgate(online, "tail", "org.forbidden")
    found = json.loads(operator(online, "refusals", "--json").stdout)
    assert found[0]["uri"] == "org.forbidden"
    assert "subscribe org.forbidden" in operator(online, "refusals", "--limit", "1").stdout


def test_log_levels(online: RouterProcess) -> None:
    levels = json.loads(operator(online, "log", "levels", "--json").stdout)
    part = next(iter(levels))
    before = levels[part]
    assert operator(online, "log", "level", part, "debug").returncode == 0
    assert json.loads(operator(online, "log", "levels", "--json").stdout)[part] == "debug"
    assert operator(online, "log", "level", part, before).returncode == 0
    assert operator(online, "log", "level", "no-such-part", "debug").returncode == 1


def test_audit(online: RouterProcess) -> None:
    operator(online, "kick", "--authid", "nobody", "--yes")
    done = operator(online, "audit", "--json", "--limit", "5")
    assert done.returncode == 0
    assert json.loads(done.stdout)
    assert operator(online, "audit").returncode == 0


def test_usage(online: RouterProcess) -> None:
    done = operator(online, "usage", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["organizations"] == []
    assert "no organization" in operator(online, "usage").stdout


def test_reload(online: RouterProcess) -> None:
    file = online.folder / "router.json"
    written = file.read_text()
    assert operator(online, "reload").returncode == 0
    file.write_text(written.replace('"realms"', '"realmz"'))
    try:
        done = operator(online, "reload")
    finally:
        file.write_text(written)
    assert done.returncode == 1
    assert "realmz" in done.stderr
    assert done.stderr.startswith("nothing was changed:")
