"""What commands print: aligned text, JSON, or drawn on a terminal, where nothing that a stranger wrote acts."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime
from typing import Any

import click
import pytest

from wampgate.commands.output import Column, Output, Record, Table, cell, output_options

HOSTILE = "\x1b[2J[red]bold[/red] \r\nforged \u202e line"
COLUMNS = (Column("name"), Column("count", right=True), Column("state", style={"well": "green"}.get))
ROWS: list[dict[str, Any]] = [
    {"name": "alice", "count": 7, "state": "well", "more": 1},
    {"name": HOSTILE, "count": None, "state": "odd"},
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def terminal_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wampgate.commands.output.find_spec", lambda _: None)


def printed(out: io.StringIO | None = None, **more: Any) -> tuple[Output, io.StringIO]:
    out = io.StringIO() if out is None else out
    return Output(out=out, err=io.StringIO(), **more), out


def test_a_pipe_gets_aligned_text() -> None:
    output, out = printed()
    output.show(Table(COLUMNS, [ROWS[0], ROWS[0] | {"name": "b", "count": 1234}], title="people"))
    assert out.getvalue() == (
        "people\nNAME   COUNT  STATE\nalice      7  well\nb       1234  well\n"
    )  # fmt: skip


def test_an_empty_table_says_so() -> None:
    output, out = printed()
    output.show(Table(COLUMNS, [], empty="nobody"))
    assert out.getvalue() == "nobody\n"


def test_a_record() -> None:
    output, out = printed()
    output.show(Record({"session": 7, "joined_at": datetime(2030, 1, 1, tzinfo=UTC), "member": True}))
    first, second, third = out.getvalue().splitlines()
    assert first == "session    7"
    assert second.startswith("joined at  20")
    assert third == "member     yes"


def test_programs_get_one_document() -> None:
    output, out = printed(json=True)
    output.line("for people")
    output.show("for people", Table(COLUMNS, ROWS))
    assert json.loads(out.getvalue()) == ROWS


def test_streams_are_lines_of_json_or_of_text() -> None:
    output, out = printed(json=True)
    output.event({"topic": HOSTILE}, "x")
    output.event({"topic": "b"}, "x")
    assert [json.loads(line)["topic"] for line in out.getvalue().splitlines()] == [HOSTILE, "b"]
    output, out = printed()
    output.event({"topic": "a"}, HOSTILE, "green")
    assert len(out.getvalue().splitlines()) == 1


@pytest.mark.parametrize("rich", [True, False])
def test_nothing_from_strangers_acts_on_a_terminal(rich: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if rich:
        pytest.importorskip("rich")
    else:
        monkeypatch.setattr("wampgate.commands.output.find_spec", lambda _: None)
    output, out = printed(Terminal())
    output.show(Table(COLUMNS, ROWS), Record({"who": HOSTILE}))
    said = out.getvalue()
    assert "\x1b[2J" not in said
    assert "\r" not in said
    assert "\u202e" not in said
    assert "[red]bold[/red]" in re.sub(r"\s*\n\s*", "", said), "no markup either"


@pytest.mark.parametrize(
    ("environ", "options", "colored"),
    [({}, {}, True), ({"NO_COLOR": "1"}, {}, False), ({}, {"color": False}, False), ({"TERM": "dumb"}, {}, False)],
)
@pytest.mark.parametrize("rich", [True, False])
def test_colours(
    rich: bool, environ: dict[str, str], options: dict[str, Any], colored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not rich:
        monkeypatch.setattr("wampgate.commands.output.find_spec", lambda _: None)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    output, out = printed(Terminal(), **options)
    output.show(Table(COLUMNS, ROWS[:1]))
    assert ("\x1b[32m" in out.getvalue()) == colored


def test_a_pipe_has_no_colours_even_with_rich() -> None:
    output, out = printed()
    output.show(Table(COLUMNS, ROWS[:1]))
    output.event({}, "x", "red")
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize("rich", [True, False])
def test_a_live_display_gives_the_terminal_back(rich: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not rich:
        monkeypatch.setattr("wampgate.commands.output.find_spec", lambda _: None)
    output, out = printed(Terminal())

    def interrupted() -> None:
        with output.live() as draw:
            draw(Table(COLUMNS, ROWS))
            draw("one line", Table(COLUMNS, ROWS[:1]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    said = out.getvalue()
    assert said.index("\x1b[?1049h") < said.index("alice") < said.index("\x1b[?1049l")
    assert said.index("\x1b[?25l") < said.rindex("\x1b[?25h")


def test_without_rich_a_live_display_shows_what_fits_and_no_line_goes_on_in_the_next(
    without_rich: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINES", "3")
    output, out = printed(Terminal())
    with output.live() as draw:
        draw(*(f"line {number}" for number in range(9)))
    drawn = out.getvalue()
    assert drawn.count("line ") == output.height == 3
    # Switched off for as long as it is drawn.
    assert drawn.index("\x1b[?7l") < drawn.index("line 0") < drawn.index("\x1b[?7h")
    # A line break behind the last line would scroll the first one away.
    assert "\n" not in drawn[drawn.index("line 2") :]


def test_rich_cuts_no_number_and_folds_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    output, out = printed(Terminal())
    columns = (Column("session", right=True), Column("peer"), Column("because", fold=True))
    output.show(Table(columns, [{"session": 2**53, "peer": "[2001:db8::1234:5678]:65535", "because": "no rule " * 9}]))
    shown = out.getvalue()
    assert str(2**53) in shown
    assert shown.count("rule") == 9


def test_a_live_display_in_a_pipe_prints_one_after_the_other() -> None:
    output, out = printed(json=True)
    with output.live() as draw:
        draw(Table(COLUMNS, ROWS[:1]), document={"n": 1})
        draw(Table(COLUMNS, ROWS[:1]), document={"n": 2})
    assert [json.loads(line)["n"] for line in out.getvalue().splitlines()] == [1, 2]


def test_notes_go_elsewhere_and_can_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    Output().note(HOSTILE)
    Output(quiet=True).note("more")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "\x1b" not in said.err


def test_progress_is_for_terminals_only() -> None:
    err = io.StringIO()
    with Output(out=io.StringIO(), err=err).progress("x", 2) as done:
        done(1)
    assert err.getvalue() == ""
    err = Terminal()
    with Output(out=io.StringIO(), err=err).progress("looking", 2) as done:
        done(2)
    assert "looking" in err.getvalue()


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (True, "yes"), (1.25, "1.2"), (12345.6, "12,346"), (["a", 1], "a, 1"), ("\x00", "\\x00"), (7, "7")],
)
def test_cells(value: object, text: str) -> None:
    assert cell(value) == text


def test_the_options_make_the_output() -> None:
    seen = []

    @click.command()
    @output_options
    def command(output: Output) -> None:
        """What it is for."""
        seen.append((output.json, output.quiet, output.color))

    command.main(["--json", "-q", "--no-color"], standalone_mode=False)
    assert seen == [(True, True, False)]
    assert command.help == "What it is for."
