"""Laravel's broadcasting: channels with a prefix, events with a class's name, and the sender left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from unit.bridge.translated import kinds, outcomes

from wampgate.bridge.dialects.event_shape import EventShape
from wampgate.bridge.dialects.laravel import LaravelRule
from wampgate.bridge.dialects.rooms import RoomOptions
from wampgate.bridge.rules import BridgedEvent, RedisSubscription, SubscriptionKind

RULE = LaravelRule(prefix="laravel_database_")
CHANNEL = "laravel_database_private-organization.7"
# As RedisBroadcaster writes it.
GOLDEN = rb'{"event":"App\\Events\\News","data":{"text":"hi","socket":null},"socket":null}'


def message(**changed: Any) -> bytes:
    return json.dumps(json.loads(GOLDEN) | changed).encode()


def test_golden() -> None:
    assert outcomes(RULE, CHANNEL, GOLDEN) == [BridgedEvent("organization.7", ["App\\Events\\News", {"text": "hi"}])]


def test_in_other_shapes() -> None:
    def made(topic: str, shape: EventShape) -> Any:
        rule = LaravelRule(prefix="laravel_database_", topic=topic, options=RoomOptions(shape))
        return outcomes(rule, CHANNEL, GOLDEN)

    own = "organization.{organization}"
    assert made(own, EventShape("keyword", "keywords")) == [
        BridgedEvent("organization.7", [], {"text": "hi", "event": "App\\Events\\News"})
    ]
    assert made(own + ".{event}", EventShape("topic", "keywords")) == [
        BridgedEvent("organization.7.App%5CEvents%5CNews", [], {"text": "hi"})
    ]


def test_the_sender_is_left_out_and_not_told_to_others() -> None:
    (event,) = outcomes(RULE, CHANNEL, message(data={"text": "hi", "socket": "4711"}, socket="4711"))
    assert event == BridgedEvent("organization.7", ["App\\Events\\News", {"text": "hi"}], {}, (4711,))
    assert kinds(RULE, CHANNEL, message(socket="123.456")) == ["except_ignored", "organization.7"]


@pytest.mark.parametrize(
    ("channel", "message_", "expected"),
    [
        ("laravel_database_private-organization.7.8", GOLDEN, "channel_mismatch"),
        ("laravel_database_presence-organization.7", GOLDEN, "channel_mismatch"),
        ("", GOLDEN, "channel_mismatch"),
        (CHANNEL, b"", "undecodable"),
        (CHANNEL, b"[]", "undecodable"),
        (CHANNEL, b'{"event":7}', "undecodable"),
        (CHANNEL, b'O:8:"App\\News":0:{}', "undecodable"),
    ],
)
def test_what_goes_nowhere(channel: str, message_: bytes, expected: str) -> None:
    assert kinds(RULE, channel, message_) == [expected]


def test_data_of_any_kind() -> None:
    assert outcomes(RULE, CHANNEL, message(data=[1]))[0] == BridgedEvent("organization.7", ["App\\Events\\News", [1]])


def test_subscriptions() -> None:
    assert RULE.subscriptions() == (
        RedisSubscription("laravel_database_private-organization.*", SubscriptionKind.PATTERN),
    )
    assert RULE.subscriptions_for("organization.7") == (RedisSubscription(CHANNEL),)
    assert RULE.subscriptions_for("user.7") == ()
    globbed = LaravelRule("private-news", "news.all", prefix="app[*]:")
    assert globbed.subscriptions() == (RedisSubscription("app[*]:private-news"),)
    wild = LaravelRule(prefix="app[*]:")
    assert wild.subscriptions()[0].name == "app\\[\\*\\]:private-organization.*"
