"""Rooms to topics and back, the event's shape, and whom a disconnect means."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.bridge.dialects.event_shape import EventShape, escaped
from wampgate.bridge.dialects.rooms import RoomOptions, Rooms, session_id
from wampgate.bridge.dialects.socketio_emitter import SocketIoEmitterRule
from wampgate.bridge.rules import BridgedEvent, BridgedKill, Dropped, SubscriptionKind
from wampgate.bridge.templates import InvalidRule, Template, TopicPattern, TopicTemplate
from wampgate.core.matching import covers
from wampgate.core.uri import is_uri


def rooms(room: str = "organization.{organization}", topic: str = "organization.{organization}", **more: Any) -> Rooms:
    return Rooms(Template(room), topic, RoomOptions(**more))


@pytest.mark.parametrize(
    ("name", "values", "args", "kwargs"),
    [
        ("argument", "arguments", ["news", {"a": 1}], {}),
        ("argument", "keywords", ["news"], {"a": 1}),
        ("keyword", "arguments", [{"a": 1}], {"event": "news"}),
        ("keyword", "keywords", [], {"a": 1, "event": "news"}),
        ("topic", "arguments", [{"a": 1}], {}),
        ("topic", "keywords", [], {"a": 1}),
    ],
)
def test_shape_of_an_event(name: Any, values: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
    assert EventShape(name, values).payload("news", [{"a": 1}]) == (args, kwargs)


def test_only_a_single_object_becomes_keywords() -> None:
    shape = EventShape("topic", "keywords")
    assert shape.payload("news", [{"a": 1}, 2]) == ([{"a": 1}, 2], {})
    assert shape.payload("news", [[1]]) == ([[1]], {})
    assert EventShape("keyword", "keywords").payload("news", [{"event": "forged"}]) == ([], {"event": "news"})


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("news", "news"),
        ("news.created", "news%2Ecreated"),
        ("App\\Events\\News", "App%5CEvents%5CNews"),
        ("a b#c/d%2E", "a%20b%23c%2Fd%252E"),
        ("größe", "gr%C3%B6%C3%9Fe"),
        ("it's-(new)!*~_", "it's-(new)!*~_"),
        ("", ""),
    ],
)
def test_escaped_names(name: str, component: str) -> None:
    assert escaped(name) == component


@given(st.text())
def test_every_name_is_one_component_and_comes_back(name: str) -> None:
    component = escaped(name)
    assert unquote(component) == name.encode(errors="replace").decode()
    assert not name or (is_uri(component) and "." not in component)


def test_event_in_the_topic() -> None:
    there = rooms(topic="organization.{organization}.{event}", event=EventShape("topic"))
    (event,) = there.events(["organization.7"], "news.created", [1], ["organization.8"])
    assert event == BridgedEvent("organization.7.news%2Ecreated", [1], {}, (), ("organization.8.news%2Ecreated",))
    (dropped,) = there.events(["organization.7"], "", [])
    assert isinstance(dropped, Dropped)
    assert dropped.kind == "not_a_topic"
    (dropped,) = there.events(["organization.7"], "x" * 1024, [])
    assert isinstance(dropped, Dropped)


def test_broadcast_with_the_event_in_the_topic() -> None:
    there = rooms(
        topic="organization.{organization}.{event}",
        event=EventShape("topic"),
        broadcast_topic="news.{event}",
    )
    (event,) = there.events([], "new", [1])
    assert event == BridgedEvent("news.new", [1])
    assert there.publishes("news.new")
    assert there.publishes("organization.7.new")
    assert not there.publishes("organization.7")


@pytest.mark.parametrize(
    ("topic", "options"),
    [
        ("organization.{organization}", {"event": EventShape("topic")}),
        ("organization.{organization}.{event}", {}),
        ("{event}.{organization}", {"event": EventShape("topic")}),
        ("organization.{organization}", {"broadcast_topic": "news.{organization}"}),
        ("organization.{organization}", {"broadcast_topic": "wamp.all"}),
        ("organization.{organization}.{event}", {"event": EventShape("topic"), "broadcast_topic": "news.all"}),
    ],
)
def test_bad_rooms_are_refused(topic: str, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRule):
        rooms(topic=topic, **options)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1),
        ("4711", 4711),
        (2**53, 2**53),
        (str(2**53), 2**53),
        (2**53 + 1, None),
        ("9999999999999999", None),
        (0, None),
        ("07", None),
        ("٣", None),
        ("1\n", None),
        (True, None),
        (1.0, None),
        (None, None),
    ],
)
def test_session_ids(value: object, expected: int | None) -> None:
    assert session_id(value) == expected


def kills(there: Rooms, *disconnected: object) -> list[Any]:
    return list(there.kills(disconnected))


def test_whom_a_disconnect_means() -> None:
    there = rooms(disconnects=True)
    assert kills(there, "organization.7") == [BridgedKill(subscribers=TopicPattern("organization.7", "exact"))]
    assert kills(there, "4711", 815) == [BridgedKill(session=4711), BridgedKill(session=815)]
    users = rooms("user:{user}", "user.{user}", disconnects=True)
    assert kills(users, "user:joe") == [BridgedKill(user="joe")]
    numbers = rooms("{organization}", disconnects=True)
    assert kills(numbers, 7) == [
        BridgedKill(session=7),
        BridgedKill(subscribers=TopicPattern("organization.7", "exact")),
    ]


@pytest.mark.parametrize(
    ("topic", "family"),
    [
        ("organization.{organization}.{event}", TopicPattern("organization.7.", "prefix")),
        ("organization.{organization}.{event}.live", TopicPattern("organization.7..live", "wildcard")),
        ("{event}", None),
    ],
)
def test_all_events_of_a_room(topic: str, family: TopicPattern | None) -> None:
    if family is None:
        with pytest.raises(InvalidRule):
            TopicTemplate(topic, Template("o.{organization}"), event=True)
        return
    there = rooms(topic=topic, event=EventShape("topic"), disconnects=True)
    assert kills(there, "organization.7") == [BridgedKill(subscribers=family)]
    assert covers(*family, topic.format(organization="7", event="news"), "exact")
    assert not covers(*family, topic.format(organization="70", event="news"), "exact")


def test_a_disconnect_does_nothing_unless_the_rule_says_so() -> None:
    for there, disconnected, excluded in (
        (rooms(), ["organization.7"], []),
        (rooms(disconnects=True), [], []),
        (rooms(disconnects=True), ["organization.7"], ["organization.8"]),
        (rooms(disconnects=True), ["elsewhere"], []),
        (rooms(disconnects=True), [True], []),
    ):
        (dropped,) = there.kills(disconnected, excluded)
        assert isinstance(dropped, Dropped)
        assert dropped.kind == "disconnect_ignored"


ORGANIZATIONS = st.text("abzAZ019_-", min_size=1, max_size=64)
USERS = st.text(min_size=1, max_size=30)


@given(ORGANIZATIONS, USERS)
def test_from_room_to_topic_and_back(organization: str, user: str) -> None:
    source = Template("o:{organization}/{user}")
    topic_of = TopicTemplate("news.{user}.of.{organization}", source)
    room = source.fill({"organization": organization, "user": user})
    variables = source.match(room)
    if variables is None:
        return
    topic = topic_of.topic(variables)
    assert topic is not None
    assert topic_of.source_of(topic) == room


@given(st.text(max_size=40))
def test_from_topic_to_room_and_back(component: str) -> None:
    source = Template("o:{a}/{organization}")
    topic_of = TopicTemplate("news.{a}.{organization}", source)
    for topic in (f"news.{component}.7", f"news.x.{component}", f"news.{component}", component):
        room = topic_of.source_of(topic)
        if room is not None:
            variables = source.match(room)
            assert variables is not None
            assert topic_of.topic(variables) == topic


def test_where_a_topic_does_not_name_its_room_everything_is_read() -> None:
    rule = SocketIoEmitterRule(room="{kind}:{organization}")
    assert rule.subscriptions_for("organization.7") == rule.subscriptions()
    assert rule.subscriptions_for("elsewhere.7") == ()
    one = SocketIoEmitterRule().subscriptions_for("organization.7")
    assert {kind for _, kind in one} == {SubscriptionKind.EXACT}
    assert [name for name, _ in one] == ["socket.io#emitter", "socket.io#/#", "socket.io#/#organization.7#"]
