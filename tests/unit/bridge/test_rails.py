"""Action Cable and AnyCable: broadcastings, Global IDs, and who is disconnected."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.bridge.translated import entry_kinds, kinds, outcomes

from wampgate.bridge.dialects.action_cable import ActionCableRule
from wampgate.bridge.dialects.anycable import AnyCableRule
from wampgate.bridge.dialects.global_ids import GlobalIdTemplate
from wampgate.bridge.rules import BridgedEvent, BridgedKill, RedisSubscription, SubscriptionKind
from wampgate.bridge.templates import InvalidRule

GID = "gid://shop/Organization/{organization}"
USER = "gid://shop/User/{user}"
# Base64 of gid://shop/Organization/7 and gid://shop/User/5, as to_gid_param writes them.
ORGANIZATION_7 = "Z2lkOi8vc2hvcC9Pcmdhbml6YXRpb24vNw"
USER_5 = "Z2lkOi8vc2hvcC9Vc2VyLzU"
PLAIN = ActionCableRule()
MODEL = ActionCableRule(
    "news:{gid}", gid=GID, channel_prefix="shop_production", connection="{gid}", connection_gid=USER
)
DISCONNECT = b'{"type":"disconnect","reconnect":true}'


def test_action_cable() -> None:
    assert outcomes(PLAIN, "organization.7", b'{"text":"hi"}') == [BridgedEvent("organization.7", (), {"text": "hi"})]
    assert outcomes(PLAIN, "organization.7", b'["a",1]') == [BridgedEvent("organization.7", ["a", 1])]
    assert outcomes(PLAIN, "organization.7", b'"<turbo-stream>"') == [
        BridgedEvent("organization.7", ("<turbo-stream>",))
    ]
    assert PLAIN.subscriptions() == (RedisSubscription("organization.*", SubscriptionKind.PATTERN),)
    assert PLAIN.subscriptions_for("organization.7") == (RedisSubscription("organization.7"),)
    assert PLAIN.subscriptions_for("elsewhere") == ()


def test_action_cable_with_global_ids_and_prefix() -> None:
    channel = f"shop_production:news:{ORGANIZATION_7}"
    assert outcomes(MODEL, channel, b"{}") == [BridgedEvent("organization.7")]
    assert MODEL.subscriptions() == (
        RedisSubscription("shop_production:news:*", SubscriptionKind.PATTERN),
        RedisSubscription("shop_production:action_cable/?*", SubscriptionKind.PATTERN),
    )
    assert MODEL.subscriptions_for("organization.7")[0] == RedisSubscription(channel)


def test_action_cable_disconnects() -> None:
    channel = f"shop_production:action_cable/{USER_5}"
    assert outcomes(MODEL, channel, DISCONNECT) == [BridgedKill(user="5")]
    assert kinds(MODEL, channel, b'{"type":"other"}') == ["not_an_event"]
    assert kinds(MODEL, channel, b"[]") == ["undecodable"]
    assert kinds(MODEL, "shop_production:action_cable/joe", DISCONNECT) == ["disconnect_ignored"]
    assert kinds(PLAIN, "action_cable/joe", DISCONNECT) == ["channel_mismatch"]
    named = ActionCableRule(connection="user-{user}")
    assert outcomes(named, "action_cable/user-joe", DISCONNECT) == [BridgedKill(user="joe")]


@pytest.mark.parametrize(
    "channel",
    [
        "shop_production:news:",
        "shop_production:news:Z2lk!",
        "shop_production:news:Z2l",
        "shop_production:news:____",
        f"shop_production:news:{USER_5}",
        f"shop_production:other:{ORGANIZATION_7}",
        ORGANIZATION_7,
        "",
    ],
)
def test_channels_that_are_not_the_rules(channel: str) -> None:
    assert kinds(MODEL, channel, b"{}") == ["channel_mismatch"]


@given(st.text("abzAZ019_-", min_size=1, max_size=64))
def test_global_ids_there_and_back(organization: str) -> None:
    template = GlobalIdTemplate("news:{gid}", GID)
    text = template.fill({"organization": organization})
    assert template.match(text) == {"organization": organization}
    assert "=" not in text


@pytest.mark.parametrize(("text", "gid"), [("news", GID), ("news:{organization}:{gid}", GID), ("{gid}", "{a}{b}")])
def test_bad_global_id_templates(text: str, gid: str) -> None:
    with pytest.raises(InvalidRule):
        GlobalIdTemplate(text, gid)


ANY = AnyCableRule(connection="{user}")
CHANNEL = "__anycable__"
# As AnyCable's documentation shows it.
GOLDEN = rb'{"stream":"organization.7","data":"{\"text\":\"hi\"}","meta":{"exclude_socket":"sid"}}'
HI = BridgedEvent("organization.7", (), {"text": "hi"})


def broadcast(**changed: Any) -> dict[str, Any]:
    return {"stream": "organization.7", "data": '{"text":"hi"}'} | changed


def packed(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_anycable_golden() -> None:
    assert outcomes(ANY, CHANNEL, GOLDEN)[-1] == HI
    assert kinds(ANY, CHANNEL, GOLDEN) == ["except_ignored", "organization.7"]
    assert outcomes(ANY, CHANNEL, packed(broadcast())) == [HI]


def test_anycable_over_a_stream() -> None:
    assert ANY.streams() == (CHANNEL,)
    assert list(ANY.translate_entry(CHANNEL, {b"payload": packed(broadcast())})) == [HI]
    assert entry_kinds(ANY, {b"data": GOLDEN}) == ["undecodable"]


def test_anycable_excludes_wamp_sessions() -> None:
    (event,) = outcomes(ANY, CHANNEL, packed(broadcast(meta={"exclude_socket": "4711"})))
    assert event == BridgedEvent("organization.7", (), {"text": "hi"}, (4711,))


def test_anycable_batches_are_taken_whole_or_not_at_all() -> None:
    two = [broadcast(), broadcast(stream="organization.8")]
    assert kinds(ANY, CHANNEL, packed(two)) == ["organization.7", "organization.8"]
    assert kinds(ANY, CHANNEL, packed([broadcast(), 7])) == ["undecodable"]
    assert kinds(ANY, CHANNEL, packed([broadcast()] * 1001)) == ["too_many_values"]
    assert kinds(ANY, CHANNEL, packed([])) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (broadcast(stream="user.7"), ["room_mismatch"]),
        (broadcast(stream=7), ["undecodable"]),
        (broadcast(data={"text": "hi"}), ["undecodable"]),
        (broadcast(data="[" * 100), ["organization.7"]),
        (broadcast(data="[" * 100 + "]" * 100), ["too_deep"]),
        (broadcast(data="[" * 50_000), ["too_deep"]),
        (broadcast(meta=[]), ["organization.7"]),
        ({}, ["undecodable"]),
        (7, ["undecodable"]),
        ({"command": "disconnect"}, ["not_an_event"]),
        (broadcast(command="disconnect", payload={"identifier": "joe"}), ["organization.7"]),
        ({"command": [], "payload": {}}, ["not_an_event"]),
        ({"command": "disconnect", "payload": {"identifier": "joe"}}, ["kill"]),
        ({"command": "disconnect", "payload": {"identifier": '{"user_id":"joe"}'}}, ["kill"]),
        ({"command": "disconnect", "payload": {"identifier": '{"user_id":7}'}}, ["kill"]),
        ({"command": "disconnect", "payload": {"identifier": '{"a":"b","c":"d"}'}}, ["disconnect_ignored"]),
        ({"command": "disconnect", "payload": {"identifier": '{"a":{}}'}}, ["disconnect_ignored"]),
        ({"command": "disconnect", "payload": {"identifier": "{"}}, ["undecodable"]),
        ({"command": "disconnect", "payload": {"identifier": None}}, ["disconnect_ignored"]),
    ],
)
def test_anycable_messages(value: Any, expected: list[str]) -> None:
    assert kinds(ANY, CHANNEL, packed(value)) == expected


def test_anycable_data_that_is_no_json_is_text() -> None:
    for text in ("<turbo-stream>", "", "NaN", "\\ud800"):
        assert outcomes(ANY, CHANNEL, packed(broadcast(data=text))) == [BridgedEvent("organization.7", (text,))]


def test_anycable_disconnects_only_where_the_rule_names_connections() -> None:
    command = {"command": "disconnect", "payload": {"identifier": "joe", "reconnect": False}}
    assert kinds(AnyCableRule(), CHANNEL, packed(command)) == ["disconnect_ignored"]
    assert outcomes(ANY, CHANNEL, packed(command)) == [BridgedKill(user="joe")]
    rails = AnyCableRule("news:{gid}", gid=GID, connection="{gid}", connection_gid=USER)
    command["payload"] = {"identifier": json.dumps({"current_user": USER_5})}
    assert outcomes(rails, CHANNEL, packed(command)) == [BridgedKill(user="5")]


@pytest.mark.parametrize("rule", [ActionCableRule, AnyCableRule])
def test_a_connection_names_a_user(rule: Any) -> None:
    with pytest.raises(InvalidRule, match="user"):
        rule(connection="{organization}")
    with pytest.raises(InvalidRule):
        rule("news:{gid}", gid=None, topic="organization.{organization}")


def test_anycable_without_a_channel() -> None:
    with pytest.raises(InvalidRule):
        AnyCableRule(channel="")
