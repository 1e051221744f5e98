"""The section of a bridge that reads streams: what it takes, and what it refuses with a reason."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec import NODEFAULT
from msgspec.structs import fields

from wampgate.config.streams import RedisStreamsBridge

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "streams.md"
RULE = {"dialect": "plain", "stream": "news", "topic": "organization.{organization}"}
BRIDGE = {"type": "redis-streams", "url": "redis://localhost/1", "state_folder": "var", "rules": [RULE]}


def realm_with(*bridges: dict[str, Any]) -> dict[str, Any]:
    realm = {"name": "realm1", "authentication": {"anonymous": {}}, "bridges": list(bridges)}
    return {"realms": [realm]}


def test_what_is_needed_is_enough(load_document: Any, tmp_path: Path) -> None:
    (bridge,) = load_document(realm_with(BRIDGE)).realms[0].bridges
    assert isinstance(bridge, RedisStreamsBridge)
    assert bridge.state_folder == tmp_path / "var"
    assert (bridge.offset, bridge.count, bridge.dead_letter, bridge.group) == ("new", 500, ":dead", None)


def test_a_consumer_group_is_refused_with_the_reason(faults: Any) -> None:
    (fault,) = faults(realm_with(BRIDGE | {"group": "routers"}))
    assert fault.startswith("realms[0].bridges[0].group: expected null")
    assert "reach the clients of one router only" in fault


@pytest.mark.parametrize(
    "change",
    [
        {"state_folder": 1},
        {"count": 0},
        {"count": 10_001},
        {"offset": "0-0"},
        {"dead_letter": ""},
        {"dead_letter": "\n"},
        {"rules": []},
        {"rules": [RULE | {"dialect": "laravel"}]},
        {"ca_file": "router.json"},
        {"block_ms": 100},
        {"url": "http://localhost"},
    ],
)
def test_what_is_refused(change: dict[str, Any], faults: Any) -> None:
    assert len(faults(realm_with(BRIDGE | change))) >= 1


def test_without_a_state_folder(faults: Any) -> None:
    (fault,) = faults(realm_with({key: value for key, value in BRIDGE.items() if key != "state_folder"}))
    assert "state_folder" in fault


def test_dead_letters_that_would_be_read(faults: Any) -> None:
    rules = [RULE, RULE | {"stream": "news:dead", "topic": "dead"}]
    (fault,) = faults(realm_with(BRIDGE | {"rules": rules}))
    assert "dead_letter" in fault
    assert "news:dead" in fault


OTHER = RULE | {"stream": "chat"}


OUTBOX = {"type": "postgres-outbox", "dsn": "dbname=x"}


@pytest.mark.parametrize(
    "bridges",
    [
        [BRIDGE, OUTBOX | {"topics": [{"uri": "organization.", "match": "prefix"}]}],
        [BRIDGE, OUTBOX | {"topics": [{"uri": "organization.7", "match": "exact"}]}],
        [BRIDGE, OUTBOX | {"topics": [{"uri": "orders"}, {"uri": "organization.", "match": "wildcard"}]}],
        [
            BRIDGE | {"rules": [RULE | {"topic": "organization.all"}]},
            OUTBOX | {"topics": [{"uri": "organization.all"}]},
        ],
        [BRIDGE | {"rules": [RULE, OTHER]}],
        [BRIDGE | {"rules": [RULE, OTHER | {"topic": "organization.all"}]}],
        [BRIDGE, BRIDGE | {"name": "second", "rules": [OTHER]}],
        [BRIDGE, BRIDGE | {"name": "second"}],
        [
            BRIDGE,
            {
                "type": "redis",
                "url": "redis://localhost",
                "rules": [{"dialect": "plain", "channel": "c.{o}", "topic": "organization.{o}"}],
            },
        ],
        [
            BRIDGE
            | {
                "rules": [
                    RULE | {"topic": "news.all"},
                    {
                        "dialect": "socketio-streams",
                        "stream": "io",
                        "room": "{o}",
                        "topic": "organization.{o}",
                        "broadcast_topic": "news.all",
                    },
                ]
            }
        ],
    ],
)
def test_two_sources_for_one_topic(bridges: list[dict[str, Any]], faults: Any) -> None:
    (fault,) = faults(realm_with(*bridges))
    assert fault.startswith("realms[0].bridges: expected no two sources for one topic")


@pytest.mark.parametrize(
    "bridges",
    [
        [BRIDGE | {"rules": [RULE, OTHER | {"topic": "chat.{organization}"}]}],
        [BRIDGE | {"rules": [RULE, OTHER | {"topic": "organization.{organization}.chat"}]}],
        [BRIDGE | {"rules": [RULE, RULE | {"topic": "organization.all"}]}],
        [BRIDGE, OUTBOX | {"topics": [{"uri": "orders.", "match": "prefix"}]}],
        [BRIDGE, OUTBOX | {"topics": [{"uri": "organization"}, {"uri": "organization.7.", "match": "prefix"}]}],
    ],
)
def test_sources_that_do_not_meet(bridges: list[dict[str, Any]], faults: Any) -> None:
    assert faults(realm_with(*bridges)) == []


def test_every_key_stands_in_the_documentation_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|[^|]+\|$", DOCUMENTATION.read_text(), re.MULTILINE)
    documented = {key: default.strip().strip("`") for key, default in rows if key != "counter"}
    defaults = {field.name: "" if field.default is NODEFAULT else field.default for field in fields(RedisStreamsBridge)}
    shown = {
        name: "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in defaults.items()
    }
    assert documented == shown
    in_docstring = re.findall(r"^ {4}(\w+): ", inspect.cleandoc(RedisStreamsBridge.__doc__ or ""), re.MULTILINE)
    assert in_docstring == list(shown)


def test_the_documented_example_loads(load_document: Any) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)
    realm = json.loads(f"{{{example}}}") | {"name": "realm1", "authentication": {"anonymous": {}}}
    loaded = load_document({"realms": [realm]}, WAMPGATE_REDIS_URL="redis://localhost").realms[0]
    assert loaded.bridges[0].rules[0].stream == "news"
    assert loaded.topics[0].history.count == 1_000
