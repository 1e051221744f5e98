"""Streams of backends that just XADD: which field says where, which holds the payload."""

from __future__ import annotations

import msgpack
import pytest
from unit.bridge.translated import entry_kinds, entry_outcomes

from wampgate.bridge.dialects.plain_stream import PlainStreamRule
from wampgate.bridge.rules import BridgedEvent
from wampgate.bridge.templates import InvalidRule

TOPIC = "organization.{organization}"
RULE = PlainStreamRule("news", TOPIC)


def test_the_topic_itself_stands_in_the_entry() -> None:
    fields = {b"topic": b"organization.7", b"payload": b'{"text":"hi"}', b"other": b"x"}
    assert entry_outcomes(RULE, fields) == [BridgedEvent("organization.7", (), {"text": "hi"})]
    assert RULE.streams() == ("news",)
    assert RULE.topics() == (("organization.", "wildcard"),)


def test_an_address_of_its_own() -> None:
    rule = PlainStreamRule("news", TOPIC, address="{organization}", address_field="organization")
    fields = {b"organization": b"7", b"payload": b"[1,2]"}
    assert entry_outcomes(rule, fields) == [BridgedEvent("organization.7", [1, 2])]


def test_all_fields_as_kwargs() -> None:
    rule = PlainStreamRule("news", TOPIC, payload_field=None)
    fields = {b"topic": b"organization.7", b"text": "grüß".encode(), b"raw": b"\xff"}
    assert entry_outcomes(rule, fields) == [BridgedEvent("organization.7", (), {"text": "grüß", "raw": b"\xff"})]
    assert entry_kinds(rule, {b"topic": b"organization.7", b"\xff": b""}) == ["undecodable"]


def test_one_topic_for_all() -> None:
    rule = PlainStreamRule("news", "news.all")
    assert entry_outcomes(rule, {b"payload": b"1"}) == [BridgedEvent("news.all", (1,))]
    assert entry_outcomes(PlainStreamRule("news", "news.all", payload_field=None), {b"a": b"b"}) == [
        BridgedEvent("news.all", (), {"a": "b"})
    ]


def test_formats() -> None:
    fields = {b"topic": b"organization.7", b"payload": msgpack.packb([b"\xff"])}
    assert entry_outcomes(PlainStreamRule("s", TOPIC, format="msgpack"), fields)[0].args == [b"\xff"]
    assert entry_outcomes(PlainStreamRule("s", TOPIC, format="text"), fields | {b"payload": b"hi"})[0].args == ("hi",)
    with pytest.raises(InvalidRule, match="none of json, msgpack, text"):
        PlainStreamRule("s", TOPIC, format="php")  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({b"payload": b"1"}, "room_mismatch"),
        ({b"topic": b"", b"payload": b"1"}, "room_mismatch"),
        ({b"topic": b"wamp.session.kill", b"payload": b"1"}, "room_mismatch"),
        ({b"topic": b"organization.7.8", b"payload": b"1"}, "room_mismatch"),
        ({b"topic": b"organization.\xff", b"payload": b"1"}, "room_mismatch"),
        ({b"topic": b"organization.7"}, "undecodable"),
        ({b"topic": b"organization.7", b"payload": b"{"}, "undecodable"),
        ({b"topic": b"organization.7", b"payload": b"\x80\x04."}, "undecodable"),
    ],
)
def test_entries_that_go_nowhere(fields: dict[bytes, bytes], expected: str) -> None:
    assert entry_kinds(RULE, fields) == [expected]


def test_a_topic_too_long_is_none() -> None:
    rule = PlainStreamRule("news", "user.{user}", address="{user}", address_field="user")
    assert entry_kinds(rule, {b"user": b"x" * 1022, b"payload": b"1"}) == ["not_a_topic"]
