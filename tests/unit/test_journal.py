"""Log lines of the core's events: bounded in length and number, escaped, each refusal still told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from twisted.logger import capturedLogs, formatEvent
from unit.core.routed import Clock, RealmUnderTest, Routed, rule

from wampgate.core.log_lines import LINES
from wampgate.journal import Journal, odd_organization_id
from wampgate.observation.log_levels import Levels

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = "x" * 100_000
HOSTILE = "\r\n2026-01-01T00:00:00+0000 [wampgate#critical] forged \x1b[2J\x9b\u2028\x00"

FIELDS: dict[str, tuple[str, ...]] = {
    "join_refused": ("because",),
    "refused": ("action", "uri", "match", "because"),
    "revoked": ("uri", "match", "because"),
    "exceeded": ("limit",),
    "testament_refused": ("uri", "because"),
    "refresh_refused": ("because",),
    "violated": ("why",),
    "killed": ("by", "reason"),
    "called": ("procedure", "arguments", "outcome"),
}


class Written:
    """A journal, and a session of a user who chose its name."""

    def __init__(self, authid: str) -> None:
        # Nobody joins with NUL in its name; all else may stand there.
        authid = authid.replace("\0", "")
        self.clock = Clock()
        levels = Levels()
        levels.set("sessions", "debug")
        self.journal = Journal(levels, now=self.clock)
        routed = Routed(RealmUnderTest(rules=[rule("member", ["call"], "com.example.x")]))
        routed.memory = routed.realm.memory  # type: ignore[attr-defined]  # for brevity
        routed.realm.memory.add_token("token", authid)
        routed.realm.memory.add_membership(authid, "7")
        self.session = routed.peer().join("token").session

    def lines(self, write: Callable[[], None]) -> list[str]:
        with capturedLogs() as events:
            write()
        return [formatEvent(event) for event in events]


@pytest.mark.parametrize("text", [LONG, HOSTILE, LONG + HOSTILE, HOSTILE * 1000])
@pytest.mark.parametrize("event", FIELDS)
def test_what_a_client_sends_is_short_and_printable_in_every_line(event: str, text: str) -> None:
    written = Written(text)
    fields: dict[str, Any] = dict.fromkeys(FIELDS[event], text) | {"count": 1}
    (line,) = written.lines(lambda: written.journal(event, written.session, **fields))
    assert len(line) < 8000
    assert line.isprintable()


@pytest.mark.parametrize("event", ["joined", "left"])
def test_lines_for_debugging_too(event: str) -> None:
    written = Written(LONG + HOSTILE)
    (line,) = written.lines(lambda: written.journal(event, written.session))
    assert len(line) < 1000
    assert line.isprintable()


def test_odd_organizations_too() -> None:
    written = Written("joe")
    (line,) = written.lines(lambda: odd_organization_id(HOSTILE, LONG))
    assert len(line) < 1500
    assert line.isprintable()


def test_what_a_session_of_100_kb_says_of_itself_is_short_in_the_log() -> None:
    """Through the router: what HELLO and requests carry reaches the log in the fields above."""
    records: list[tuple[str, Any, dict[str, object]]] = []
    routed = Routed(RealmUnderTest())
    routed.router._record = lambda event, session, **fields: records.append((event, session, fields))
    routed.realm.realm.record = routed.router._record
    routed.peer().hello(authmethods=[LONG, HOSTILE] * 3)
    routed.peer().hello(LONG)
    routed.peer().hello(HOSTILE, authid=LONG)
    routed.peer().say(1, "realm1", {"roles": {HOSTILE: {LONG: HOSTILE}}})
    ticket = routed.peer()
    ticket.hello(authmethods=["ticket"], authid=LONG)
    ticket.say(5, LONG, {})
    guest = routed.peer().join()
    guest.ask(32, {}, "a" * 1000)
    guest.ask(32, {"match": LONG}, "com.example.x")
    journal = Journal(now=Clock())
    with capturedLogs() as events:
        for event, session, fields in records:
            journal(event, session, **fields)
    lines = [formatEvent(event) for event in events]
    assert len(lines) >= 4
    assert max(map(len, lines)) < 1000
    assert all(line.isprintable() for line in lines)
    assert any("accepted: ticket, anonymous" in line for line in lines)


def test_of_one_kind_only_so_many_lines_are_written_and_the_rest_is_counted() -> None:
    written = Written("joe")

    def refuse(times: int) -> list[str]:
        return written.lines(
            lambda: [written.journal("join_refused", written.session, because=str(n)) for n in range(times)] and None
        )

    assert len(refuse(10 * LINES)) == LINES
    # Another kind has its own count.
    assert len(written.lines(lambda: written.journal("violated", written.session, why="x"))) == 1
    written.clock.now += 10
    lines = refuse(1)
    assert lines[0] == f"{9 * LINES} lines of the kind 'join_refused' were left out"
    assert lines[1].endswith(": 0")
