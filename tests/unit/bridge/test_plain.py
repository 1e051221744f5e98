"""Plain channels: channel to topic, payload to args and kwargs."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.bridge.dialects.plain import PlainRule
from wampgate.bridge.rules import BridgedEvent, Dropped, RedisSubscription, SubscriptionKind, Undecodable
from wampgate.bridge.templates import InvalidRule

RULE = PlainRule("channel.{organization}", "organization.{organization}")
MSGPACK = PlainRule("channel.{organization}", "organization.{organization}", "msgpack")
TEXT = PlainRule("channel.{organization}", "organization.{organization}", "text")


@pytest.mark.parametrize(
    ("rule", "message", "args", "kwargs"),
    [
        (RULE, b'{"text":"hi"}', (), {"text": "hi"}),
        (RULE, b'["a",{"b":1}]', ["a", {"b": 1}], {}),
        (RULE, b'"hi"', ("hi",), {}),
        (RULE, b"1.50", (1.5,), {}),
        (RULE, b"7", (7,), {}),
        (RULE, b"null", (None,), {}),
        (RULE, b"true", (True,), {}),
        (RULE, b"[]", [], {}),
        (RULE, b"{}", (), {}),
        (RULE, b'{"args":[1],"kwargs":{}}', (), {"args": [1], "kwargs": {}}),
        (RULE, '{"text":"grüß"}'.encode(), (), {"text": "grüß"}),
        (MSGPACK, msgpack.packb({"text": "hi", "raw": b"\xff"}), (), {"text": "hi", "raw": b"\xff"}),
        (MSGPACK, msgpack.packb(["a", b"\x00"]), ["a", b"\x00"], {}),
        (MSGPACK, msgpack.packb("hi"), ("hi",), {}),
        (MSGPACK, msgpack.packb({1: 2}), (), {"1": 2}),
        (TEXT, b"hi", ("hi",), {}),
        (TEXT, b'{"text":"hi"}', ('{"text":"hi"}',), {}),
        (TEXT, b"1.50", ("1.50",), {}),
        (TEXT, b"", ("",), {}),
        (TEXT, b"\xff\x00", (b"\xff\x00",), {}),
    ],
)
def test_payload(rule: PlainRule, message: bytes, args: Any, kwargs: Any) -> None:
    (event,) = rule.translate("channel.7", message)
    assert event == BridgedEvent("organization.7", args, kwargs)


def test_what_a_rule_reads_and_where_it_publishes() -> None:
    assert RULE.subscriptions() == (RedisSubscription("channel.*", SubscriptionKind.PATTERN),)
    assert RULE.topics() == (("organization.", "wildcard"),)
    fixed = PlainRule("news[all]", "news.all")
    assert fixed.subscriptions() == (RedisSubscription("news[all]"),)
    assert fixed.topics() == (("news.all", "exact"),)
    assert list(fixed.translate("news[all]", b"1")) == [BridgedEvent("news.all", (1,))]


@pytest.mark.parametrize("channel", ["channel.7.8", "channel.", "channel.a b", "channel.7\r\n", "channel.acme.eu", "x"])
def test_channel_that_the_pattern_matches_but_the_rule_does_not(channel: str) -> None:
    (dropped,) = RULE.translate(channel, b"{}")
    assert isinstance(dropped, Dropped)
    assert dropped.kind == "channel_mismatch"


def test_result_that_is_no_uri_is_dropped() -> None:
    rule = PlainRule("u:{user}", "user.{user}")
    (dropped,) = rule.translate("u:" + "x" * 1020, b"{}")
    assert isinstance(dropped, Dropped)
    assert dropped.kind == "not_a_topic"


def test_unknown_format_is_refused() -> None:
    with pytest.raises(InvalidRule, match="none of json, msgpack, text"):
        PlainRule("c", "t", "php")  # type: ignore[arg-type]  # what is tested


@given(st.sampled_from([RULE, MSGPACK, TEXT]), st.text(max_size=40), st.binary(max_size=200))
def test_nothing_but_undecodable_is_ever_raised(rule: PlainRule, channel: str, message: bytes) -> None:
    for name in (channel, "channel." + channel, "channel.7"):
        try:
            outcomes = list(rule.translate(name, message))
        except Undecodable:
            continue
        for outcome in outcomes:
            assert isinstance(outcome, Dropped) or outcome.topic.startswith("organization.")
