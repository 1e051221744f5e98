"""What a user types as arguments, and how arguments are shown, is decided by JSON and nothing else."""

from __future__ import annotations

import json

import click
import pytest
from hypothesis import given as random
from hypothesis import strategies as st

from wampgate.commands.arguments import json_of, keywords_of, payload_shown, shown, value_of
from wampgate.commands.call import document_of, given
from wampgate.commands.conversation import Answer
from wampgate.commands.errors import CommandFailed
from wampgate.commands.publish import options_of
from wampgate.commands.publishing import event_of

NASTY = [
    "\x1b[2J\x1b[H",
    "\x1b]0;another title\x07",
    "\x9b31m",
    "\x90q\x9c",
    "a\rb\nc\x08\x7f",
    "\u202egnp.exe",
    "\u2066\u2069\u200b\ufeff",
    "\u2028\u2029\x85",
    "[bold]loud[/bold] [link=file:///etc]here[/link]",
    "\U000e0001\U000e0041",
    "\x00",
]
"""Texts by which a stranger might move a cursor, forge a line, or draw with markup."""

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("1.5", 1.5),
        ("true", True),
        ("null", None),
        ('"7"', "7"),
        ('{"a": [1]}', {"a": [1]}),
        ("hello", "hello"),
        ("", ""),
        ("{broken", "{broken"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("organization.7", "organization.7"),
        ("007", "007"),
    ],
)
def test_an_argument_is_json_or_else_the_text_itself(text: str, value: object) -> None:
    assert value_of(text) == value


@pytest.mark.parametrize("text", ['"\\ud800"', "1e999", "\udcff"])
def test_what_the_wire_can_not_carry_is_refused_before_it_is_sent(text: str) -> None:
    with pytest.raises(CommandFailed):
        value_of(text)


@pytest.mark.parametrize("text", ["", "{", "NaN", "[1,", "'a'", "[" * 100_000])
def test_data_has_to_be_json(text: str) -> None:
    with pytest.raises(CommandFailed, match="--data: expected JSON"):
        json_of(text, "--data")


def test_keywords() -> None:
    assert keywords_of(("a=1", "b=x=y", "c=", 'd={"e": 2}')) == {"a": 1, "b": "x=y", "c": "", "d": {"e": 2}}


@pytest.mark.parametrize("pairs", [("a",), ("=1",), ("a=1", "a=2")])
def test_keywords_that_are_none(pairs: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError):
        keywords_of(pairs)


def test_arguments_come_one_by_one_or_all_at_once() -> None:
    assert given(("1", "two"), ("a=3",), None) == ([1, "two"], {"a": 3})
    assert given((), (), "[1, 2]") == ([1, 2], {})
    assert given((), (), '{"a": 1}') == ([], {"a": 1})


def test_data_and_arguments_exclude_one_another() -> None:
    with pytest.raises(click.UsageError):
        given(("1",), (), "[2]")


def test_data_that_is_neither_a_list_nor_an_object() -> None:
    with pytest.raises(CommandFailed, match="list of arguments or an object"):
        given((), (), "7")


@pytest.mark.parametrize("text", NASTY)
def test_nothing_that_is_shown_moves_a_cursor(text: str) -> None:
    line = payload_shown([text, {text: [text]}], {text: text})
    assert line.isprintable()
    assert json.loads(shown(text)) == text


@random(anything)
def test_what_is_shown_is_the_value_as_json(value: object) -> None:
    assert json.loads(shown(value)) == value
    assert shown(value).isprintable()


@pytest.mark.parametrize(
    ("args", "kwargs", "line"),
    [
        ([], {}, ""),
        (["hello"], {}, '"hello"'),
        ([1, 2], {}, "[1, 2]"),
        ([[1, 2]], {}, "[1, 2]"),
        ([], {"a": 1}, '{"a": 1}'),
        ([1], {"a": 1}, '1 {"a": 1}'),
    ],
)
def test_a_payload_in_one_line(args: list[object], kwargs: dict[str, object], line: str) -> None:
    assert payload_shown(args, kwargs) == line


@pytest.mark.parametrize(
    ("answer", "document"),
    [
        (Answer(), None),
        (Answer([7]), 7),
        (Answer([], {"a": 1}), {"a": 1}),
        (Answer([1, 2]), {"args": [1, 2], "kwargs": {}}),
        (Answer([1], {"a": 1}), {"args": [1], "kwargs": {"a": 1}}),
    ],
)
def test_a_result_is_printed_as_simply_as_it_is(answer: Answer, document: object) -> None:
    assert document_of(answer) == document
    assert document_of(answer, whole=True) == {"args": answer.args, "kwargs": answer.kwargs}


def test_publish_says_only_the_options_that_were_chosen() -> None:
    chosen = {"exclude": (), "eligible_authid": ("alice", "bob"), "retain": True, "disclose_me": False}
    assert options_of(chosen) == {"eligible_authid": ["alice", "bob"], "retain": True}


@pytest.mark.parametrize(
    ("line", "args", "kwargs"),
    [
        (b"[1, 2]", [1, 2], {}),
        (b'{"a": 1}', [], {"a": 1}),
        (b'"text"', ["text"], {}),
        (b"\xef\xbb\xbf7\r", [7], {}),
    ],
)
def test_a_line_is_an_events_arguments(line: bytes, args: list[object], kwargs: dict[str, object]) -> None:
    event = event_of(line, "com.example.a")
    assert (event.topic, event.args, event.kwargs) == ("com.example.a", args, kwargs)


def test_a_line_of_tail_names_its_topic() -> None:
    event = event_of(
        b'{"topic": "com.example.b", "args": [1], "kwargs": {"a": 2}, "time": "x", "publication": 3}', None
    )
    assert (event.topic, event.args, event.kwargs) == ("com.example.b", [1], {"a": 2})


@pytest.mark.parametrize("line", [b"7", b"[]", b"{}", b'{"topic": 7}', b'{"topic": "a", "args": {}}', b"\xff", b"{"])
def test_a_line_that_is_no_event(line: bytes) -> None:
    with pytest.raises(CommandFailed):
        event_of(line, None)
