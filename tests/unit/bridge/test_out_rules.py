"""What leaves for Redis, where to, as which bytes, and that what waits is bounded; loops are refused."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.bridge.dialects.plain import PlainRule
from wampgate.bridge.globs import globs_overlap, literal
from wampgate.bridge.out import OutQueue, OutRule
from wampgate.bridge.templates import InvalidRule
from wampgate.commands.app import main
from wampgate.composition.loops import loops
from wampgate.config.reading import read
from wampgate.config.references import References
from wampgate.wire.payload import Payload
from wampgate.wire.serializers import JSON, MSGPACK


def sent(rule: OutRule, topic: str, payload: Payload, publisher: Any = None) -> tuple[str, str, Any] | None:
    words = rule.command(publisher, topic, 5, payload)
    return None if words is None else (words[0], words[1], json.loads(words[2]))


def test_an_envelope_says_all() -> None:
    rule = OutRule("orders.{shop}", "out.{shop}")
    payload = Payload(["a", 1], {"b": None})
    assert sent(rule, "orders.7", payload) == (
        "PUBLISH",
        "out.7",
        {"topic": "orders.7", "publication": 5, "args": ["a", 1], "kwargs": {"b": None}},
    )
    assert sent(rule, "orders.7", Payload()) == (
        "PUBLISH",
        "out.7",
        {"topic": "orders.7", "publication": 5, "args": [], "kwargs": {}},
    )
    for other in ("orders", "orders.7.new", "orders7", "other.7"):
        assert sent(rule, other, payload) is None


def test_the_publisher_is_told_where_it_is_disclosed() -> None:
    publisher = SimpleNamespace(id=12, principal=SimpleNamespace(authid='j"o', authrole="staff"))
    words = sent(OutRule("orders", "out"), "orders", Payload(), publisher)
    assert words is not None
    assert words[2]["publisher"] == 12
    assert words[2]["publisher_authid"] == 'j"o'
    assert words[2]["publisher_authrole"] == "staff"


def test_below_and_the_whole_topic() -> None:
    rule = OutRule("orders.{shop}", "out.{shop}:{topic}", below=True, sharded=True)
    assert rule.pattern() == ("orders.", "prefix")
    for topic, channel in {"orders.7": "out.7:orders.7", "orders.7.new.x": "out.7:orders.7.new.x"}.items():
        words = sent(rule, topic, Payload())
        assert words is not None
        assert words[:2] == ("SPUBLISH", channel)
    assert sent(rule, "orders", Payload()) is None
    assert OutRule("orders", "out", below=True).pattern() == ("orders", "prefix")
    assert sent(OutRule("orders", "out", below=True), "orders2", Payload()) is None


def test_binary_values_are_text_as_everywhere_in_json() -> None:
    _, payload = MSGPACK.decode(b"\x95\x10\x01\x80\xa1t\x91\xc4\x03\x01\x02\x03")
    words = sent(OutRule("t", "out"), "t", payload)
    assert words is not None
    assert words[2]["args"] == ["\0AQID"]


@pytest.mark.parametrize(
    "payload",
    [
        Payload(),
        Payload([1]),
        Payload(["x", b"\x01"]),
        Payload([[1, 2]]),
        Payload([{"a": 1}]),
        Payload([None]),
        Payload([], {"a": {"b": [1]}}),
    ],
)
def test_plain_is_what_a_plain_rule_reads(payload: Payload) -> None:
    words = OutRule("t", "out", format="plain").command(None, "t", 5, payload)
    assert words is not None
    (event,) = PlainRule("out", "t").translate("out", words[2])
    assert (list(event.args), dict(event.kwargs)) == (list(payload.args), dict(payload.kwargs))  # type: ignore[union-attr]  # an event


def test_plain_has_no_room_for_both() -> None:
    with pytest.raises(ValueError, match="args and kwargs"):
        OutRule("t", "out", format="plain").command(None, "t", 5, Payload([1], {"a": 1}))


def test_json_leaves_as_it_came() -> None:
    _, payload = JSON.decode(b'[16,1,{},"t",[1.50, "\\u0041"]]')
    words = OutRule("t", "out").command(None, "t", 5, payload)
    assert words is not None
    assert b'[1.50, "\\u0041"]' in words[2]


@pytest.mark.parametrize(
    ("topic", "channel", "message"),
    [
        ("orders.{shop}", "out.{user}", "gets its value from nowhere"),
        ("orders.{topic}", "out", "whole topic"),
        ("{shop}.orders", "out", "fixed component"),
        ("wampgate.x", "out", "router's own"),
    ],
)
def test_faulty_rules(topic: str, channel: str, message: str) -> None:
    with pytest.raises(InvalidRule, match=message):
        OutRule(topic, channel)


def test_a_full_queue_takes_no_more() -> None:
    queue = OutQueue(3, 100)
    assert [queue.put(b"x") for _ in range(4)] == [True, True, True, False]
    assert queue.take(2, 100) == [b"x", b"x"]
    assert not queue.put(b"y" * 100)
    assert queue.put(b"y" * 99)
    assert not queue.put(b"z")
    # One that is larger than the window leaves alone.
    assert queue.take(10, 1) == [b"x"]
    assert queue.take(10, 1) == [b"y" * 99]
    assert queue.take(10, 0) == []
    assert len(queue) == 0


GLOBS = st.text("ab*\\", max_size=8).map(lambda text: text.replace("\\", "\\*"))


@given(GLOBS, GLOBS, st.text("ab*", max_size=8))
def test_overlap_is_never_missed(one: str, other: str, channel: str) -> None:
    def matches(glob: str) -> bool:
        return fnmatchcase(channel.replace("*", "+"), glob.replace("\\*", "+"))

    if matches(one) and matches(other):
        assert globs_overlap(one, other)
    if matches(one):
        assert globs_overlap(one, literal(channel))
    assert globs_overlap(one, other) == globs_overlap(other, one)


@pytest.mark.parametrize(
    ("one", "other"), [("a.*", "b.*"), ("a\\*", "ab"), ("*.in", "*.out"), ("a", ""), ("a*a", "a"), ("*a*b*", "cdb")]
)
def test_no_overlap(one: str, other: str) -> None:
    assert not globs_overlap(one, other)


PLAIN = {"dialect": "plain", "channel": "channel.{organization}", "topic": "organization.{organization}"}


def problems(*bridges: dict[str, Any]) -> list[str]:
    named = [{"type": "redis", "url": "redis://cache", "name": f"b{n}"} | bridge for n, bridge in enumerate(bridges)]
    realm = {"name": "r", "authentication": {"ticket": None, "anonymous": {}}, "bridges": named}
    configuration, faults = read({"realms": [realm]}, References({}, Path.cwd()))
    assert configuration is not None, faults
    return [str(problem) for problem in loops(configuration)]


def out(channel: str, **more: Any) -> dict[str, Any]:
    return {"out": [{"topic": "organization.{organization}", "channel": channel} | more]}


def test_what_leaves_must_not_come_in_again() -> None:
    assert problems({"rules": [PLAIN]} | out("out.{organization}")) == []
    assert problems({"rules": [PLAIN]} | out("channel.{organization}")) == [
        "realms[0].bridges[0].out[0].channel: expected a channel that no rule of this realm reads, "
        "got one that bridge b0 reads"
    ]
    assert problems({"rules": [PLAIN]}, out("channel.7")) != []
    assert problems({"rules": [PLAIN]}, out("{topic}")) != []
    # Elsewhere, or sharded, it is another channel.
    assert problems({"rules": [PLAIN]}, {"url": "redis://other"} | out("channel.7")) == []
    assert problems({"rules": [PLAIN]}, {"url": "redis://user:pw@cache:6379/2"} | out("channel.7")) != []
    assert problems({"rules": [PLAIN]} | out("channel.7", sharded=True)) == []
    sharded = {"subscribe": "wanted", "rules": [PLAIN | {"sharded": True}]}
    assert problems(sharded | out("channel.7", sharded=True)) != []
    assert problems(
        {"rules": [{"dialect": "socketio-emitter", "room": "x.{y}", "topic": "x.{y}"}]}, out("socket.io#emitter")
    )


def test_sharded_rules_with_variables_are_read_one_by_one_only() -> None:
    section = {"type": "redis", "url": "redis://cache", "rules": [PLAIN | {"sharded": True}]}
    realm = {"name": "r", "authentication": {"ticket": None, "anonymous": {}}, "bridges": [section]}
    configuration, faults = read({"realms": [realm]}, References({}, Path.cwd()))
    assert configuration is None
    assert 'expected "wanted" with a sharded rule' in str(faults[0])


def test_the_command_check_refuses_a_loop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bridge = {"type": "redis", "url": "redis://cache", "rules": [PLAIN]} | out("channel.{organization}")
    realm = {"name": "r", "authentication": {"ticket": None, "anonymous": {}}, "bridges": [bridge]}
    path = tmp_path / "router.json"
    path.write_text(json.dumps({"realms": [realm]}))
    assert main(["check", "--config", str(path)]) == 1
    assert "out[0].channel: expected a channel that no rule of this realm reads" in capsys.readouterr().err
