"""Each dialect's section: what it accepts its rule can be made of, what it refuses it names; all keys documented."""

import inspect
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import fields

from wampgate.composition.dialects import bridge_rule_of, stream_rule_of
from wampgate.config import dialects
from wampgate.config.errors import ConfigurationError
from wampgate.config.loading import load
from wampgate.config.section import Section

OWN = "organization.{organization}"
SECTIONS = [
    value
    for value in vars(dialects).values()
    if isinstance(value, type) and issubclass(value, Section) and value is not Section
]
GID = "gid://shop/Organization/{organization}"
USER = "gid://shop/User/{user}"


def loaded(folder, *rules):
    """The rules' sections, through the same door as router.json."""
    bridge = {"type": "redis", "url": "redis://localhost", "rules": list(rules)}
    realm = {"name": "realm1", "authentication": {"ticket": None, "anonymous": {}}, "bridges": [bridge]}
    path = Path(folder) / "router.json"
    path.write_text(json.dumps({"realms": [realm]}))
    return load(path, {}).realms[0].bridges[0].rules


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_key_is_documented(section):
    documented = re.findall(r"^ {4}(\w+): ", inspect.cleandoc(section.__doc__), re.MULTILINE)
    assert documented == [field.name for field in fields(section)]


RULES = [
    {"dialect": "plain", "channel": "channel.{organization}", "topic": OWN},
    {"dialect": "socketio-emitter", "room": OWN, "topic": OWN, "broadcast_topic": "news.all", "disconnects": True},
    {"dialect": "socketio-emitter", "room": OWN, "topic": OWN + ".{event}", "event": "topic", "values": "keywords"},
    {"dialect": "socketio-adapter", "room": "all", "topic": "news.all", "sharded": True, "event": "keyword"},
    {
        "dialect": "python-socketio",
        "room": OWN,
        "topic": OWN + ".{event}",
        "event": "topic",
        "broadcast_topic": "all.{event}",
    },
    {"dialect": "laravel", "prefix": "laravel_database_", "channel": "private-" + OWN, "topic": OWN},
    {"dialect": "action-cable", "broadcasting": OWN, "topic": OWN},
    {
        "dialect": "action-cable",
        "broadcasting": "news:{gid}",
        "gid": GID,
        "topic": OWN,
        "connection": "{gid}",
        "connection_gid": USER,
    },
    {"dialect": "anycable", "stream": OWN, "topic": OWN, "connection": "{user}"},
    {"dialect": "anycable", "stream": "news:{gid}", "gid": GID, "topic": OWN},
]


@pytest.mark.parametrize("rule", RULES, ids=[f"{number}-{rule['dialect']}" for number, rule in enumerate(RULES)])
def test_rules(rule, tmp_path):
    (section,) = loaded(tmp_path, rule)
    made = bridge_rule_of(section)
    assert made.label
    assert made.subscriptions()
    assert made.topics()


@pytest.mark.parametrize(
    ("number", "changes", "fault"),
    [
        (1, {"topic": OWN + ".{event}"}, "topic: expected the variables of room"),
        (2, {"topic": OWN}, "topic: expected the variables of room"),
        (2, {"room": OWN + "/{event}"}, "got {event} in room as well"),
        (1, {"broadcast_topic": OWN}, "broadcast_topic: expected no variable"),
        (4, {"broadcast_topic": "all"}, "broadcast_topic: expected no variable"),
        (1, {"event": "name"}, 'event: expected "argument" or "keyword" or "topic"'),
        (1, {"disconnects": "yes"}, "disconnects: expected true or false"),
        (4, {"channel": ""}, "channel: expected a name"),
        (7, {"gid": None}, "broadcasting: expected {gid} in it exactly if gid is given"),
        (7, {"broadcasting": OWN}, "broadcasting: expected {gid} in it exactly if gid is given"),
        (7, {"broadcasting": "{organization}:{gid}"}, "got a variable of gid in broadcasting as well"),
        (7, {"connection_gid": None}, "connection: expected {gid} in it exactly if connection_gid is given"),
        (7, {"connection": None}, "connection: expected {gid} in it"),
        (8, {"connection": "{organization}"}, "connection: expected {user} in it"),
        (7, {"connection": "{user}:{gid}"}, "connection: expected {user} in it"),
        (9, {"topic": "organization.{gid}"}, "topic: expected the variables of stream"),
    ],
)
def test_faults(number, changes, fault, tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, RULES[number] | changes)
    assert fault in str(caught.value)


PARTS = st.sampled_from(
    ["a", ".", ":", "/", "{organization}", "{kind}", "{user}", "{event}", "{gid}", "gid://", "organization"]
)
TEXTS = st.lists(PARTS, min_size=1, max_size=5).map("".join) | st.sampled_from([OWN, OWN + ".{event}", GID, USER])
SOME = {
    "event": st.sampled_from(["argument", "keyword", "topic"]),
    "values": st.sampled_from(["arguments", "keywords"]),
    "broadcast_topic": TEXTS | st.none(),
    "disconnects": st.booleans(),
}
RAILS = {"gid": TEXTS | st.none(), "connection": TEXTS | st.none(), "connection_gid": TEXTS | st.none()}
SECTIONS_OF_ANY_KIND = st.one_of(
    st.builds(dict, room=TEXTS, topic=TEXTS, dialect=st.sampled_from(["socketio-emitter", "python-socketio"]), **SOME),
    st.builds(dict, channel=TEXTS, topic=TEXTS, dialect=st.just("laravel"), event=SOME["event"]),
    st.builds(dict, broadcasting=TEXTS, topic=TEXTS, dialect=st.just("action-cable"), **RAILS),
    st.builds(dict, stream=TEXTS, topic=TEXTS, dialect=st.just("anycable"), **RAILS),
)


@settings(max_examples=400, deadline=None)
@given(rule=SECTIONS_OF_ANY_KIND)
def test_what_is_accepted_is_a_rule(rule, tmp_path_factory):
    try:
        (section,) = loaded(tmp_path_factory.getbasetemp(), rule)
    except ConfigurationError:
        return
    bridge_rule_of(section).subscriptions()


@settings(max_examples=200, deadline=None)
@given(topic=TEXTS, address=TEXTS | st.none())
def test_what_is_accepted_is_a_rule_for_streams(topic, address):
    rule = dialects.PlainStreamRule(stream="news", topic=topic, address=address)
    if all(check.found(*(getattr(rule, key) for key in check.keys)) is None for check in rule.checks) and all(
        _accepts(kind, text)
        for kind, text in ((dialects.TopicTemplate, topic), (dialects.SourceTemplate, address))
        if text is not None
    ):
        assert stream_rule_of(rule).streams() == ("news",)


def _accepts(kind, text):
    return kind.__metadata__[0].extra["accepts"](text)


def test_rules_for_streams():
    anycable = stream_rule_of(dialects.AnyCableRule(stream=OWN, topic=OWN))
    socketio = stream_rule_of(dialects.SocketIoStreamRule(room=OWN, topic=OWN))
    assert (anycable.streams(), socketio.streams()) == (("__anycable__",), ("socket.io",))
