"""A history of topics that a bridge reads only while they are wanted is refused: it would lack events in silence."""

from __future__ import annotations

from typing import Any

import pytest

RULE = {"dialect": "plain", "channel": "news.{organization}", "topic": "organization.{organization}"}
WANTED = {"type": "redis", "url": "redis://localhost", "subscribe": "wanted", "rules": [RULE]}
KEPT = {"uri": "organization.", "match": "prefix", "history": {"count": 10}}
SILENT = {"uri": "organization.", "match": "wildcard"}


def realm_with(topics: list[dict[str, Any]], *bridges: dict[str, Any]) -> dict[str, Any]:
    realm = {"name": "realm1", "authentication": {"anonymous": {}}, "topics": topics, "bridges": list(bridges)}
    return {"realms": [realm]}


SHARDED = WANTED | {"rules": [RULE | {"sharded": True}]}
BROADCASTS = WANTED | {
    "rules": [
        {"dialect": "python-socketio", "room": "{room}", "topic": "rooms.{room}", "broadcast_topic": "organization.all"}
    ]
}


@pytest.mark.parametrize(
    ("topics", "bridge"),
    [
        ([KEPT], WANTED),
        ([KEPT], SHARDED),
        ([KEPT], BROADCASTS),
        ([KEPT | {"uri": ""}], WANTED),
        ([KEPT | {"uri": "organization.7", "match": "exact"}], WANTED),
        ([KEPT, SILENT | {"uri": "organization.7", "match": "exact"}], WANTED),
        ([KEPT | {"uri": "organization.7", "match": "exact"}, SILENT], WANTED),
        ([KEPT | {"uri": "organization.7", "match": "exact"}, SILENT | {"uri": "", "match": "prefix"}], WANTED),
    ],
)
def test_refused(topics: list[dict[str, Any]], bridge: dict[str, Any], faults: Any) -> None:
    (fault,) = faults(realm_with(topics, bridge))
    assert fault.startswith('realms[0].topics: expected no history where a bridge has subscribe "wanted"')
    assert 'set "all"' in fault
    assert "bridge 'redis'" in fault


@pytest.mark.parametrize(
    ("topics", "bridge"),
    [
        ([KEPT], WANTED | {"subscribe": "all"}),
        ([KEPT | {"uri": "chat."}], WANTED),
        ([KEPT | {"history": None}], WANTED),
        ([KEPT, SILENT], WANTED),
        (
            [KEPT],
            {
                "type": "redis",
                "url": "redis://localhost",
                "subscribe": "wanted",
                "out": [{"topic": "organization.{organization}", "channel": "out.{organization}"}],
            },
        ),
    ],
)
def test_allowed(topics: list[dict[str, Any]], bridge: dict[str, Any], faults: Any) -> None:
    assert faults(realm_with(topics, bridge)) == []
