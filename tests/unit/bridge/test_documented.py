"""docs/redis.md names every counter, docs/dialects.md every dialect and key, and what they show works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import fields

from wampgate.bridge.dialects.event_shape import EventShape, escaped
from wampgate.composition.dialects import bridge_rule_of, stream_rule_of
from wampgate.config import dialects
from wampgate.config.section import Section

TOP = Path(__file__).parents[3]
DIALECTS = (TOP / "docs/dialects.md").read_text()
SECTIONS = [
    value
    for value in vars(dialects).values()
    if isinstance(value, type) and issubclass(value, Section) and value is not Section
]
SHOWN = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", DIALECTS, re.DOTALL)]
SHOWN_OF_STREAMS = [json.loads(block) for block in re.findall(r"```json streams\n(.*?)```", DIALECTS, re.DOTALL)]


def test_counters() -> None:
    source = "".join(path.read_text() for path in (TOP / "wampgate/bridge").rglob("*.py"))
    counted = set(re.findall(r'(?:Dropped\(|Undecodable\(|counters\[)\s*"(\w+)"', source))
    rows = (TOP / "docs/redis.md").read_text().partition("| counter |")[2].partition("\n\n")[0].splitlines()[2:]
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert counted == documented
    assert len(counted) > 15


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown["dialect"])
def test_rules_that_are_shown(shown: dict[str, object]) -> None:
    section = msgspec.convert(shown, dialects.BridgeRule)
    assert all(check.found(*(getattr(section, key) for key in check.keys)) is None for check in section.checks)
    for subscription in bridge_rule_of(section).subscriptions():
        assert f"&{subscription.name}" in DIALECTS, "what Redis has to allow is not said"


@pytest.mark.parametrize("shown", SHOWN_OF_STREAMS, ids=lambda shown: shown["dialect"])
def test_rules_for_streams_that_are_shown(shown: dict[str, object]) -> None:
    section = msgspec.convert(shown, dialects.StreamRule)
    assert stream_rule_of(section).streams() == (shown["stream"],)


def test_every_dialect_is_shown() -> None:
    shown = {rule["dialect"] for rule in (*SHOWN, *SHOWN_OF_STREAMS)}
    assert shown == {section.__struct_config__.tag for section in SECTIONS}
    listed = re.findall(r"^\| `([\w-]+)` \|", (TOP / "docs/redis.md").read_text(), re.MULTILINE)
    assert {rule["dialect"] for rule in SHOWN} <= set(listed)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_key_is_named(section: type[Section]) -> None:
    for field in fields(section):
        assert f"`{field.encode_name}`" in DIALECTS or f'"{field.encode_name}"' in DIALECTS


def test_the_table_of_shapes() -> None:
    rows = re.findall(r"^\| `(argument|keyword|topic)` \| `(.+?)` \| (.+?) \| (.+?) \|$", DIALECTS, re.MULTILINE)
    assert len(rows) == 3
    for name, topic, *columns in rows:
        assert topic == ("organization.7." + escaped("news.new") if name == "topic" else "organization.7")
        for values, column in zip(("arguments", "keywords"), columns, strict=True):
            args, kwargs = EventShape(name, values).payload("news.new", [{"text": "hi"}])
            said = [f"args `{json.dumps(args)}`"] * bool(args) + [f"kwargs `{json.dumps(kwargs)}`"] * bool(kwargs)
            assert column == ", ".join(said)
