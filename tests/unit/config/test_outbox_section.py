"""The section for an outbox: what it accepts, what it says of what it refuses; docs/outbox.md names every key."""

import inspect
import json
import re
from pathlib import Path

import pytest
from msgspec.structs import fields

from wampgate.composition.outbox import outbox_grants
from wampgate.config.outbox import OutboxTopic, PostgresOutbox

DOCUMENT = Path(__file__).parents[3] / "docs" / "outbox.md"
DSN = "postgresql://router:dsn-secret@localhost/shop"


def document(**more):
    bridge = {"type": "postgres-outbox", "dsn": DSN, "topics": [{"uri": "organization.", "match": "prefix"}]} | more
    return {"realms": [{"name": "realm1", "authentication": {"anonymous": {}}, "bridges": [bridge]}]}


def test_the_documented_section_loads(load_document):
    (block,) = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    realm = json.loads(f"{{{block}}}") | {"name": "realm1", "authentication": {"anonymous": {}}}
    (outbox,) = load_document({"realms": [realm]}, WAMPGATE_OUTBOX_DSN=DSN).realms[0].bridges
    assert isinstance(outbox, PostgresOutbox)
    assert (outbox.node, outbox.offset, outbox.retention_seconds) == ("router-1", "new", 86_400)
    assert "dsn-secret" not in repr(outbox)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"topics": []}, "at least one"),
        ({"topics": [{"uri": "a..b"}]}, "fits match"),
        ({"topics": [{"uri": "wamp.session", "match": "prefix"}]}, 'nothing of "wamp" and "wampgate"'),
        ({"topics": [{"uri": "", "match": "prefix"}]}, 'nothing of "wamp" and "wampgate"'),
        ({"topics": [{"uri": "wampgate.gap"}]}, 'nothing of "wamp" and "wampgate"'),
        ({"topics": [{"uri": "a"}, {"uri": "a"}]}, "topics[1].uri"),
        ({"dsn": "nonsense"}, "connection string"),
        ({"node": "Router 1"}, "name of up to 32"),
        ({"retention_seconds": 1}, "from 60"),
        ({"dead_letter_seconds": 1}, "from 60"),
        ({"poll_seconds": 0}, "over 0"),
        ({"count": 0}, "from 1"),
        ({"offset": "newest"}, "offset"),
        ({"group": "a"}, "group"),
    ],
)
def test_what_is_refused(faults, more, expected):
    (fault,) = faults(document(**more))
    assert expected in fault
    assert "dsn-secret" not in fault


def test_nulls_are_never(load_document):
    (outbox,) = load_document(document(retention_seconds=None, dead_letter_seconds=None)).realms[0].bridges
    assert (outbox.retention_seconds, outbox.dead_letter_seconds) == (None, None)


@pytest.mark.parametrize("section", [PostgresOutbox, OutboxTopic])
def test_every_key_is_documented(section):
    documented = re.findall(r"^ {4}(\w+): ", inspect.cleandoc(section.__doc__), re.MULTILINE)
    assert documented == [field.name for field in fields(section)]


def test_every_key_stands_in_the_documentation_with_its_default():
    table = DOCUMENT.read_text().partition("| key |")[2].partition("\n\n")[0]
    documented = re.findall(r"^\| `(\w+)` \| *([^|]*?) *\|", table, re.MULTILINE)
    defaults = {field.name: field.default for field in fields(PostgresOutbox)}
    assert [key for key, _ in documented] == list(defaults)
    for key, default in documented:
        if default[:1].isdigit():
            assert float(default) == defaults[key]
        elif default[:1] == "`":
            assert default == f"`{defaults[key]}`"
        else:
            assert key in ("dsn", "listen_dsn", "topics")


def test_it_may_publish_to_its_topics_and_nowhere_else(load_document):
    realm = load_document(document(topics=[{"uri": "a.b"}, {"uri": "c.", "match": "prefix"}])).realms[0]
    rules = list(outbox_grants(realm))
    assert [(rule.role, rule.uri, rule.match, rule.actions, rule.allow) for rule in rules] == [
        ("wampgate.bridge.outbox", "a.b", "exact", {"publish"}, True),
        ("wampgate.bridge.outbox", "c.", "prefix", {"publish"}, True),
    ]
