"""Two looks at a router become rates, and those become lines that no stranger's text can disturb."""

from __future__ import annotations

import io
from typing import Any

import pytest
from unit.commands.test_online_arguments import NASTY

from wampgate.commands.audit import in_words
from wampgate.commands.connecting import Where
from wampgate.commands.figures import age, milliseconds, moment, plot, rate, size, span
from wampgate.commands.output import Output, Table
from wampgate.commands.refusals import _words
from wampgate.commands.sessions import fits
from wampgate.commands.status import summary
from wampgate.commands.top_screen import LINES, LINES_OF_A_TABLE, SORTS, Look, blocks, document, rates

WHERE = Where("ws://127.0.0.1:8080/ws", "realm1")


def figures(**more: Any) -> dict[str, Any]:
    return {
        "version": "1.0",
        "state": "ready",
        "reasons": [],
        "started": "2026-01-01T00:00:00Z",
        "uptime_seconds": 90.0,
        "realm": "realm1",
        "sessions": {"total": 3, "by_role": {"member": 2, "operator": 1}, "by_method": {"ticket": 3}},
        "connections": {"open": 4, "joined": 3, "by_transport": {"websocket": 4}},
        "queues": {"bytes": 1_500_000, "slow_readers": 1},
        "counters": {"publications": 100, "events": 1000},
        "store": {"kind": "SQLite", "ready": True, "hears": True},
        "bridges": [
            {"name": "redis", "kind": "redis", "ready": False, "lag_seconds": 2.0, "counters": {"published": 10}}
        ],
        "loop_lag_seconds": 0.0004,
    } | more


def look(at: float, rows: list[dict[str, Any]] | None = None, /, **more: Any) -> Look:
    return Look(at, figures(**more), rows or [])


def text_of(now: Look, before: Look, *, color: bool = False) -> str:
    out = io.StringIO()
    output = Output(color=color, out=out)
    output.show(*blocks([before, now], output, WHERE))
    return out.getvalue()


def test_rates_are_differences() -> None:
    now = look(12.0, counters={"publications": 120, "events": 1000, "calls": 8, "odd": "text"})
    assert rates(now, look(10.0)) == {"publications": 10.0, "events": 0.0, "calls": 4.0}


def test_a_router_that_was_started_anew_begins_at_nothing() -> None:
    now = look(12.0, started="2026-01-02T00:00:00Z", counters={"publications": 6})
    assert rates(now, look(10.0))["publications"] == 3.0


def test_a_counter_never_runs_backwards() -> None:
    assert rates(look(12.0, counters={"publications": 1}), look(10.0))["publications"] == 0


def test_what_people_see() -> None:
    rows = [{"session": 7, "authid": "alice", "authrole": "member", "subscriptions": 2, "queue_bytes": 0}]
    text = text_of(
        look(12.0, rows, counters={"publications": 120, "events": 1000, "refusals": 4}), look(10.0, bridges=[])
    )
    for words in (
        "wampgate 1.0  ready",
        "up 1.5 min",
        "sessions 3 (member 2, operator 1) (ticket 3)",
        "queues 1.5 MB  slow readers 1",
        "store SQLite ready",
        "loop lag 0.4 ms",
        "PUBLICATIONS  EVENTS  CALLS",
        "now                 10       0      0      0       2.0",
        "alice",
    ):
        assert words in text
    assert "redis" in text
    assert "away" in text


def test_a_screen_does_not_claim_to_have_looked_at_all() -> None:
    rows = [{"session": 7, "authid": "alice"}]
    assert "among the first 2 sessions" in text_of(Look(2.0, figures(), rows, 2), look(1.0))
    assert "among the first" not in text_of(Look(2.0, figures(), rows, 3), look(1.0))


def test_why_it_is_not_ready() -> None:
    assert "not ready: the store is away" in text_of(
        look(2.0, state="not ready", reasons=["the store is away"]), look(1.0)
    )


def test_what_programs_see() -> None:
    found = document([look(10.0), look(12.0, counters={"publications": 101})])
    assert found["rates"] == {"publications": 0.5}
    assert found["state"] == "ready"
    assert found["top_sessions"] == []


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("color", [False, True])
def test_no_text_of_a_stranger_reaches_the_terminal_as_it_is(nasty: str, color: bool) -> None:
    rows = [{"session": 7, "authid": nasty, "authrole": nasty, "transport": nasty, "peer": nasty, "since": nasty}]
    bridges = [{"name": nasty, "kind": nasty, "ready": True, "counters": {}}]
    more = {"version": nasty, "reasons": [nasty], "state": nasty, "realm": nasty, "bridges": bridges}
    by_name = {"sessions": {"total": 1, "by_role": {nasty: 1}}, "store": {"kind": nasty}}
    text = text_of(look(2.0, rows, **more, **by_name), look(1.0), color=color)
    for sequence in ("\x1b[0m", "\x1b[1m", "\x1b[2m", *(f"\x1b[3{digit}m" for digit in range(8))):
        text = text.replace(sequence, "")
    assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("missing", ["sessions", "connections", "queues", "store", "bridges", "counters", "state"])
def test_an_older_router_that_says_less_is_shown_all_the_same(missing: str) -> None:
    now = Look(2.0, {name: value for name, value in figures().items() if name != missing}, [])
    assert "wampgate" in text_of(now, look(1.0))
    assert summary(dict(now.figures))


def test_how_sessions_are_sorted() -> None:
    rows = [
        {"session": 1, "queue_bytes": 0, "subscriptions": 9, "since": "2026-01-01T00:00:00Z"},
        {"session": 2, "queue_bytes": 5, "subscriptions": 1, "since": "2026-01-02T00:00:00Z"},
        {"session": 3},
    ]
    first = {sort: max(rows, key=SORTS[sort])["session"] for sort in SORTS}
    assert first == {"queue": 2, "subscriptions": 1, "newest": 2}


def test_which_sessions_are_wanted() -> None:
    row = {"authid": "alice", "authrole": "member", "authmethod": "ticket"}
    assert fits(row, {"authid": None, "authrole": "member", "search": "zzz"})
    assert not fits(row, {"authid": "ali"})


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (1, "1 B"),
        (999, "999 B"),
        (1500, "1.5 kB"),
        (250_000, "250 kB"),
        (3e9, "3.0 GB"),
        (None, "-"),
        ("x", "-"),
    ],
)
def test_sizes(number: object, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (90, "1.5 min"), (3600, "1.0 h"), (86_400 * 12, "12 d"), (-3, "0 s"), (None, "-")],
)
def test_spans(seconds: object, text: str) -> None:
    assert span(seconds) == text


def test_other_figures() -> None:
    assert [rate(value) for value in (0, 0.25, 12.4, 4500)] == ["0", "0.2", "12", "4,500"]
    assert milliseconds(0.00042) == "0.4 ms"
    assert [plot(values) for values in ([], [0, 0], [0, 7, 14])] == ["", "▁▁", "▁▅█"]
    assert [age(value) for value in (None, "yesterday", "2026-01-01T00:00:00")] == ["-", "-", "-"]


def test_a_refusal_in_words() -> None:
    row = {
        "authid": "alice",
        "authrole": "member",
        "action": "subscribe",
        "uri": "a.b",
        "match": "prefix",
        "event": "x",
    }
    assert _words(row | {"time": "yesterday"}) == {
        "time": "yesterday", "who": "alice (member)", "what": "subscribe a.b (prefix)",
    }  # fmt: skip
    assert _words({"event": "join_refused"})["what"] == "join_refused"


def test_an_entry_of_the_audit_log_in_words() -> None:
    row = {"time": "2026-01-01T00:00:00.123Z", "event": "call", "realm": "realm1", "session": 7, "authid": "op"}
    found = in_words(row | {"authrole": "operator", "peer": "1.2.3.4:5", "procedure": "a.b", "outcome": "done"})
    assert found.pop("time") == moment("2026-01-01T00:00:00Z")
    assert found == {
        "event": "call", "who": "op (operator)", "peer": "1.2.3.4:5", "more": "procedure: a.b, outcome: done",
    }  # fmt: skip


def test_how_the_rates_have_been() -> None:
    looks = [look(float(at), counters={"events": at * at}) for at in range(4)]
    output = Output(color=False, out=io.StringIO())
    table = next(block for block in blocks(looks, output, WHERE) if isinstance(block, Table))
    assert [row["events"] for row in table.rows] == ["5.0", "▂▅█"]
    assert [row["calls"] for row in table.rows] == ["0", "▁▁▁"]


def test_a_screen_is_no_higher_than_it_says() -> None:
    rows = [{"session": number, "authid": "alice"} for number in range(20)]
    looks = [Look(1.0, figures(), []), Look(2.0, figures(), []), Look(3.0, figures(), rows, 1)]
    output = Output(color=False, out=io.StringIO())
    lines = [line for block in blocks(looks, output, WHERE) for line in output.lines(block)]
    assert len(lines) <= LINES + len(rows) + 1 + LINES_OF_A_TABLE
